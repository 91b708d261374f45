import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../../src/agent/decoder/decoder.ts';
import type { Reading } from '../../../src/agent/decoder/reading.ts';
import { decodeAll, discardedBytes, expectEachLineTold, reasons, text } from './cuts.ts';

const json = (options: { place?: string; collar?: string; fields?: Record<string, string> } = {}) =>
  createDecoder({ format: 'json', ...options });

function one(line: object, options = {}): Reading | undefined {
  return decodeAll(json(options), text(`${JSON.stringify(line)}\n`)).readings[0];
}

describe('json', () => {
  it('reads every field', () => {
    const line =
      '{"collar":"C0FFEE01","n":123,"ax":0.01,"ay":-0.02,"az":0.99,"shake":0,"motion":1,"place":"kitchen","rssi":-61,"battery":83}';
    expect(decodeAll(json(), text(line), [], 5000).readings).toEqual([
      {
        collar: 'C0FFEE01',
        atMs: 5000,
        counter: 123,
        axG: 0.01,
        ayG: -0.02,
        azG: 0.99,
        shake: 0,
        motion: true,
        place: 'kitchen',
        rssiDbm: -61,
        batteryPercent: 83,
      },
    ]);
  });

  it('takes the time of a recording from t, and live from arrival', () => {
    const line = text('{"collar":"A","t":1352679777000,"rssi":-50}\n');
    expect(decodeAll(json(), line).readings[0]?.atMs).toBe(1352679777000);
    expect(decodeAll(json(), line, [], 77).readings[0]?.atMs).toBe(77);
  });

  it('sets lines of a recording without t 20 ms apart for each collar', () => {
    const line = (collar: string) => `{"collar":"${collar}","rssi":-50}\n`;
    const { readings } = decodeAll(json(), text(line('A') + line('B') + line('A') + line('B') + line('A')));
    expect(readings.map((reading) => reading.atMs)).toEqual([0, 0, 20, 20, 40]);
  });

  it('reads other names by the field map, and whole numbers as ids', () => {
    const fields = { collar: 'id', rssi: 'RSSI', battery: 'batt' };
    expect(one({ id: 4711, RSSI: -70, batt: 12, rssi: 'theirs' }, { fields })).toEqual({
      collar: '4711',
      atMs: 0,
      rssiDbm: -70,
      batteryPercent: 12,
    });
  });

  it('reads what OpenMQTTGateway and Theengs Gateway write of a RuuviTag', () => {
    // theengs/decoder, tests/BLE/test_ble.cpp; its accelerations are a tenth of what their unit would be.
    const line =
      '{"brand":"Ruuvi","model":"RuuviTag","model_id":"RuuviTag_RAWv2","type":"ACEL","track":true,"tempc":24.3,"tempf":75.74,"hum":53.49,"pres":1000.44,"accx":0.00392266,"accy":-0.00392266,"accz":1.01596894,"volt":2.977,"tx":4,"mov":66,"seq":205,"mac":"CB:B8:33:4C:88:4F"}';
    const fields = { collar: 'mac', n: 'seq', ax: 'accx', ay: 'accy', az: 'accz', moves: 'mov' };
    const unit = 0.980665;
    const [reading] = decodeAll(createDecoder({ format: 'json', fields, unit }), text(line)).readings;
    expect(reading).toMatchObject({ collar: 'CB:B8:33:4C:88:4F', counter: 205, moveCount: 66, batteryPercent: 87 });
    expect([reading?.axG, reading?.ayG, reading?.azG].map((g) => Math.round((g ?? 0) * 1e6) / 1e6)).toEqual([
      0.004, -0.004, 1.036,
    ]);
  });

  it('reads what rtl_433 writes of a motion sensor', () => {
    // Composed from the field names in rtl_433, src/devices/kerui.c.
    const line = { time: '2026-01-02T03:04:05.123456Z', model: 'Kerui-Security', id: 423021, cmd: 10, motion: 1 };
    const fields = { t: 'time', sensor: 'id', batteryOk: 'battery_ok' };
    const reading = { collar: 'unknown', atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 123), motion: true, sensor: '423021' };
    expect(one(line, { fields })).toEqual(reading);
    expect(one({ ...line, battery_ok: 1 }, { fields })).toEqual(reading);
    expect(one({ ...line, battery_ok: 0 }, { fields })).toEqual({ ...reading, batteryPercent: 5 });
    expect(one({ ...line, time: '2026-01-02 03:04:05' }, { fields })?.atMs).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
    expect(one({ ...line, time: '@1767323045' }, { fields })).toBeUndefined();
  });

  it('reads counted movements, and the voltage of a coin cell', () => {
    expect(one({ collar: 'A', edges: 3, moves: 300 })).toEqual({ collar: 'A', atMs: 0, edges: 3, moveCount: 45 });
    expect(one({ collar: 'A', moves: 255, rssi: -50 })).toEqual({ collar: 'A', atMs: 0, rssiDbm: -50 });
    const volts = [3.3, 3, 2.95, 2.9, 2.5, 2.44, 2.1, 1.6];
    expect(volts.map((volt) => one({ collar: 'A', volt })?.batteryPercent)).toEqual([100, 100, 71, 42, 8, 6, 0, 0]);
    expect(one({ collar: 'A', battery: 50, volt: 2, batteryOk: 1 })?.batteryPercent).toBe(50);
  });

  it('knows sensors and collars by the ids that they have', () => {
    const sensors = { '423021': { place: 'hall', collar: 'tom' }, 'CB:B8': { collar: 'kim' } };
    const options = { fields: { sensor: 'id' }, sensors, place: 'here' };
    expect(one({ id: 423021, motion: 1 }, options)).toMatchObject({ collar: 'tom', place: 'hall' });
    expect(one({ id: 7, motion: 1 }, options)).toMatchObject({ collar: 'unknown', place: 'here' });
    expect(one({ collar: 'cbb8', rssi: -50 }, options)).toMatchObject({ collar: 'kim', place: 'here' });
    expect(one({ collar: 'A', rssi: -50, place: 'attic' }, options)).toMatchObject({ collar: 'A', place: 'attic' });
  });

  it('gives a motion sensor the collar of its configuration, or unknown', () => {
    const line = { t: 1352679777000, motion: 1, sensor: 'Door/Living', place: 'Living' };
    expect(one(line)).toEqual({
      collar: 'unknown',
      atMs: 1352679777000,
      motion: true,
      sensor: 'Door/Living',
      place: 'Living',
    });
    expect(one(line, { collar: 'tom' })?.collar).toBe('tom');
  });

  it('fills in the place of the source where the line names none', () => {
    expect(one({ collar: 'A', rssi: -1 }, { place: 'hall' })?.place).toBe('hall');
    expect(one({ collar: 'A', rssi: -1, place: 'garden' }, { place: 'hall' })?.place).toBe('garden');
  });

  it('trims ids and takes null as absent', () => {
    expect(one({ collar: '  A ', rssi: null, battery: 5 })).toEqual({ collar: 'A', atMs: 0, batteryPercent: 5 });
  });

  it('reads a collar that is called bad', () => {
    expect(one({ collar: 'bad', battery: 5 })?.collar).toBe('bad');
  });

  it.each<[string, string]>([
    ['not-json', 'hello'],
    ['not-json', '"collar":"C0FFEE01","ax":0}'],
    ['not-json', '[1,2]'],
    ['not-json', '{"collar":"A","ax":NaN,"ay":0,"az":0}'],
    ['bad-value', '{"collar":"A","ax":"0","ay":0,"az":0}'],
    ['bad-value', '{"collar":"A","ax":0,"ay":0}'],
    ['bad-value', '{"collar":"A","ax":1e9,"ay":0,"az":0}'],
    ['bad-value', '{"collar":"A","ax":1e999,"ay":0,"az":0}'],
    ['bad-value', '{"collar":"A","motion":2}'],
    ['bad-value', '{"collar":"A","battery":101}'],
    ['bad-value', '{"collar":"A","rssi":[]}'],
    ['bad-value', '{"collar":"A","n":1.5}'],
    ['bad-value', '{"collar":"A","shake":-1}'],
    ['bad-value', '{"collar":"A","t":"now"}'],
    ['bad-value', '{"collar":"A","t":"2026-13-02T03:04:05Z"}'],
    ['bad-value', '{"collar":"A","volt":"3"}'],
    ['bad-value', '{"collar":"A","moves":-1}'],
    ['bad-value', '{"collar":"A","edges":1.5}'],
    ['bad-value', '{"collar":{},"rssi":-50}'],
    ['bad-value', '{"collar":"","rssi":-50}'],
    ['bad-value', `{"collar":"${'A'.repeat(65)}","rssi":-50}`],
    ['bad-value', '{"collar":"A\\u0007","rssi":-50}'],
    ['bad-value', '{"collar":"A","place":"\\u009b31m"}'],
    ['no-collar', '{"ax":0,"ay":0,"az":1}'],
    ['no-collar', '{}'],
    ['comment', '# a note'],
    ['comment', ''],
  ])('discards as %s: %s', (reason, line) => {
    const total = decodeAll(json(), text(`${line}\r\n{"collar":"B","rssi":-50}\n`));
    expect(reasons(total)).toEqual([reason]);
    expect(discardedBytes(total)).toBe(line.length + 2);
    expect(total.readings.map((reading) => reading.collar)).toEqual(['B']);
  });

  it('counts loss by n, and discards a line that comes twice from the same receiver', () => {
    const line = (n: number, place: string) => `{"collar":"A","n":${n},"rssi":-50,"place":"${place}"}\n`;
    const lines = [line(1, 'hall'), line(1, 'garden'), line(1, 'hall'), line(5, 'hall')];
    const total = decodeAll(json(), text(lines.join('')));
    expect(reasons(total)).toEqual(['duplicate']);
    expect(total.lostSamples).toBe(3);
  });

  it('gives the same wherever the bytes are cut', () => {
    const line = fc.oneof(
      fc.record({ collar: fc.constantFrom('A', 'B'), rssi: fc.integer({ min: -90, max: -30 }), n: fc.nat(9) }),
      fc.record({ collar: fc.string(), ax: fc.double(), ay: fc.double(), az: fc.double() }),
      fc.anything(),
    );
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat()), (lines, cuts) => {
        const bytes = text(lines.map((item) => `${JSON.stringify(item)}\n`).join(''));
        expect(decodeAll(json(), bytes, cuts)).toEqual(decodeAll(json(), bytes));
      }),
    );
  });

  it('accounts for every line of arbitrary bytes and never throws', () => {
    const field = fc.tuple(fc.constantFrom('collar', 'n', 'ax', 'motion', 'rssi', 't', '__proto__'), fc.jsonValue());
    const line = fc.oneof(
      fc.array(field).map((fields) => `{${fields.map(([key, value]) => `"${key}":${JSON.stringify(value)}`).join()}}`),
      fc.string().filter((any) => !any.includes('\n')),
    );
    fc.assert(fc.property(fc.array(line), (lines) => expectEachLineTold(json({ collar: 'A' }), lines)));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        const total = decodeAll(json({ collar: 'A' }), bytes);
        expect(total.readings.length === 0 ? discardedBytes(total) : bytes.length).toBe(bytes.length);
      }),
    );
  });
});
