/**
 * npm run bench:decode -- [--readings 1000000] [--rounds 5]
 * Bytes to decisions in memory, on one core: what decoder and detectors take without a port, a log or a broker. 20 collars at 50 Hz that lie
 * still, as they do most of the day; what a shake costs more is told by `npm run bench:shake`.
 */
import { parseArgs } from 'node:util';
import { agentSchema } from '../../src/agent/config.ts';
import { createDecoder } from '../../src/agent/decoder/decoder.ts';
import { createWatch, step } from '../../src/agent/detector/watch.ts';
import { framesOfRest, jsonOfRest, SAMPLES_A_FRAME } from './rest.ts';

const { values } = parseArgs({
  options: { readings: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '5' } },
});
const CHUNK_BYTES = 4_096;
const HZ = 50;
const { detect } = agentSchema.parse({
  agent: 'bench',
  sources: [{ serial: '/dev/ttyACM0' }],
  log: { path: 'events.db' },
  mqtt: { url: 'mqtt://localhost' },
});

for (const format of ['frame', 'json'] as const) {
  const perPiece = format === 'frame' ? SAMPLES_A_FRAME : 1;
  const bytes = format === 'frame' ? framesOfRest() : jsonOfRest();
  const rates = Array.from({ length: Number(values.rounds) }, () => measure(format, bytes, perPiece));
  rates.sort((a, b) => a - b);
  const [least = 0, middle = 0, most = 0] = [rates[0], rates[rates.length >> 1], rates.at(-1)];
  const told = [middle, least, most].map((rate) => Math.round(rate).toLocaleString('en').replaceAll(',', ' '));
  process.stdout.write(`${format}: ${told[0]} readings a second of the processor (${told[1]} to ${told[2]})\n`);
}

/** Readings for each second of the processor. */
function measure(format: 'frame' | 'json', bytes: Uint8Array, perPiece: number): number {
  const decoder = createDecoder({ format });
  let state = createWatch();
  let readings = 0;
  let detections = 0;
  const before = process.cpuUsage();
  for (let at = 0; readings < Number(values.readings); at = (at + CHUNK_BYTES) % bytes.length) {
    // 20 collars speak in turn.
    const atMs = (readings / perPiece / 20) * ((perPiece * 1_000) / HZ);
    for (const reading of decoder.push(bytes.subarray(at, at + CHUNK_BYTES), atMs).readings) {
      const next = step(state, { type: 'reading', reading }, detect);
      state = next.state;
      detections += next.detections.length;
      readings += 1;
    }
  }
  const { user, system } = process.cpuUsage(before);
  if (detections > 0) throw new Error(`${format}: ${detections} decisions of collars that lie still`);
  return readings / ((user + system) / 1e6);
}
