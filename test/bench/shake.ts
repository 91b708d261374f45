/** What the detector of shakes costs a reading, in µs of CPU and beside JSON.parse of the line that the reading came in. */
import type { Reading } from '../../src/agent/decoder/reading.ts';
import type { Detection } from '../../src/agent/detector/detection.ts';
import { createShake, shakeReading } from '../../src/agent/detector/shake.ts';
import { accelerated } from '../agent/detector/motion.ts';

const MINUTES = 10;
const ROUNDS = 5;
const settings = { sensitivity: 1 };

/** `motionG` 0: a cat asleep. Else one that trots all the time, stronger than any walk: each look asks the forest. */
function readingsOf(rateHz: number, motionG: number): Reading[] {
  const forMs = MINUTES * 60_000;
  return accelerated([{ fromMs: 0, forMs, hz: 2.5, amplitudeG: motionG }], forMs, rateHz);
}

function cpuUs(work: () => void): number {
  const before = process.cpuUsage().user;
  work();
  return process.cpuUsage().user - before;
}

for (const rateHz of [25, 50, 100, 200]) {
  for (const motionG of [0, 0.8]) {
    const readings = readingsOf(rateHz, motionG);
    const lines = readings.map((reading) => JSON.stringify(reading));
    const best = { detect: Number.POSITIVE_INFINITY, parse: Number.POSITIVE_INFINITY };
    for (let round = 0; round < ROUNDS; round += 1) {
      const state = createShake('C0FFEE01');
      const out: Detection[] = [];
      const detect = cpuUs(() => {
        for (const reading of readings) shakeReading(state, reading, settings, null, out);
      });
      const parse = cpuUs(() => {
        for (const line of lines) JSON.parse(line);
      });
      best.detect = Math.min(best.detect, detect / readings.length);
      best.parse = Math.min(best.parse, parse / readings.length);
    }
    const ratio = (best.detect / best.parse).toFixed(2);
    const words = `${rateHz} Hz, ${motionG === 0 ? 'asleep' : 'moving'}: ${best.detect.toFixed(2)} µs a reading`;
    process.stdout.write(`${words}, ${ratio} of parsing its line\n`);
  }
}
