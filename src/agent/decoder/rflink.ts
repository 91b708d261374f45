/**
 * RFLink gateway: `20;sequence;protocol;NAME=value;…`, one message a line, the sequence in hex. PIR and CMD tell of a motion sensor, or
 * of a switch on a collar where the configuration says `kind: shake`; senders are known by their ID. Everything else that the
 * gateway says (its version, PONG, weather) is no reading. The sequence is the gateway's own: it tells of lines lost on the way.
 */
import { createLineCounter } from './line-counter.ts';
import { createLineClock, createLineDecoder } from './line-decoder.ts';
import type { Decoder, DiscardReason, Reading } from './reading.ts';
import { createSensors, type Said, type SensorOptions, type SensorsOptions } from './sensor.ts';
import { BAD, checkName, checkRssi, FLAGGED_LOW_PERCENT } from './value.ts';

const LINE = /^20;([0-9a-f]{2});([^;=]+);(.*)$/i;
const GATEWAY = 'gateway';
const SEQUENCES = 0x100;

export function createRflinkDecoder(options: SensorsOptions): Decoder {
  const sensors = createSensors(options);
  const timeOf = createLineClock();
  const counters = createLineCounter();
  let lostLines = 0;

  const readLine = (line: string, atMs: number | null, readings: Reading[]): DiscardReason | null => {
    const [, sequence, , rest] = LINE.exec(line) ?? [];
    if (sequence === undefined || rest === undefined) return 'bad-format';
    const counter = Number.parseInt(sequence, 16);
    // Sequence 0 is the gateway's first word after its start.
    const lost = counters.next(GATEWAY, counter, SEQUENCES);
    if (lost === 'duplicate' && counter !== 0) return 'duplicate';
    if (lost !== 'duplicate' && counter !== 0) lostLines += lost;
    const fields = fieldsOf(rest);
    const id = checkName(fields.get('ID'));
    if (id === undefined) return 'no-reading';
    if (id === BAD) return 'bad-value';
    const known = sensors.optionsOf(id);
    const said = saidBy(fields, known);
    if (said === null) return 'bad-value';
    if (Object.keys(said).length === 0) return 'no-reading';
    readings.push(sensors.reading(said, id, timeOf(id, atMs, undefined), known));
    return null;
  };
  return createLineDecoder(readLine, () => lostLines);
}

function fieldsOf(rest: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const part of rest.split(';')) {
    const at = part.indexOf('=');
    if (at > 0) fields.set(part.slice(0, at), part.slice(at + 1));
  }
  return fields;
}

/** Null: a value that is none. */
function saidBy(fields: ReadonlyMap<string, string>, known: SensorOptions | undefined): Said | null {
  // A remote control's switch is no sensor, unless the configuration says so.
  const state = fields.get('PIR') ?? (known?.kind === undefined ? undefined : fields.get('CMD'));
  const isOn = state === undefined ? undefined : /^(?:ALL)?(ON|OFF)$/.exec(state)?.[1];
  if (state !== undefined && isOn === undefined) return null;
  const rssi = fields.get('RSSI');
  const rssiDbm = rssi === undefined ? undefined : checkRssi(/^-?\d{1,3}$/.test(rssi) ? Number(rssi) : Number.NaN);
  if (rssiDbm === BAD) return null;
  const isShake = known?.kind === 'shake';
  const low = fields.get('BAT') === 'LOW';
  return {
    ...(isOn !== undefined && isShake ? { shake: isOn === 'ON' ? 1 : 0 } : {}),
    ...(isOn !== undefined && !isShake ? { motion: isOn === 'ON' } : {}),
    ...(rssiDbm === undefined ? {} : { rssiDbm }),
    ...(low ? { batteryPercent: FLAGGED_LOW_PERCENT } : {}),
  };
}
