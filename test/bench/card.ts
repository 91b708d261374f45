/**
 * npm run bench:card -- [--rates 0.1,40,100] [--group 0,20,600] [--seconds 30] [--runs 1]
 * What the card is given for an event, and how late it is told, by how many come in a second and by `log.groupMs`: in turns, since the
 * disk changes from minute to minute. Events are evenly spaced. A slow rate goes on until there are six of them.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { wearOf, yearsText } from '../../src/central/api/page/wear.ts';
import { collard } from './contenders/collard.ts';
import { type BenchDisk, openBenchDisk } from './disk.ts';
import { pace } from './feeder.ts';
import { COLLARS, collarName } from './input.ts';
import { flushesASecond } from './machine.ts';
import { withHouse } from './measure.ts';

const { values } = parseArgs({
  options: {
    rates: { type: 'string', default: '0.1,2,40,100' },
    group: { type: 'string', default: '0,600' },
    seconds: { type: 'string', default: '30' },
    runs: { type: 'string', default: '1' },
  },
});
const LEAST_EVENTS = 6;
const SETTLE_MS = 5_000;
const DAY_MS = 86_400_000;
const CARD_BYTES = 32e9;
const numbers = (text: string) => text.split(',').map(Number);

const disk = openBenchDisk();
try {
  for (let run = 1; run <= Number(values.runs); run += 1) {
    for (const rate of numbers(values.rates)) {
      for (const groupMs of numbers(values.group)) {
        const flushes = flushesASecond(disk.folder);
        const line = await measure(disk, rate, groupMs);
        process.stdout.write(`${rate} events/s, groupMs ${groupMs}: ${line} (${flushes} flushes/s)\n`);
      }
    }
  }
} finally {
  disk.close();
}

async function measure(where: BenchDisk, perSecond: number, groupMs: number): Promise<string> {
  const events = Math.max(LEAST_EVENTS, Math.round(perSecond * Number(values.seconds)));
  return withHouse(collard('json', groupMs), where, process.env, async ({ pty, counter }) => {
    await pause(SETTLE_MS);
    const before = where.writtenBytes();
    const due = new Map<string, number[]>();
    await pace(
      pty,
      Array.from({ length: events }, (_, n) => oneEvent(n)),
      perSecond,
      (n, atMs) => {
        const collar = collarName(1 + (n % COLLARS));
        due.set(collar, [...(due.get(collar) ?? []), atMs]);
      },
    );
    const { unique } = await counter.settled(events);
    const after = where.writtenBytes();
    const delays = (await counter.arrivals()).map(([collar, atMs]) => atMs - (due.get(collar)?.shift() ?? Number.NaN));
    delays.sort((a, b) => a - b);
    const at = (share: number) => `${delays[Math.floor(delays.length * share)]?.toFixed(1)} ms`;
    const latency = `p50 ${at(0.5)}, p99 ${at(0.99)}`;
    if (before === null || after === null) return `${latency}; what is written cannot be told here`;
    const each = (after - before) / unique;
    const years = wearOf(each * perSecond * 86_400, DAY_MS, CARD_BYTES)?.years ?? Number.NaN;
    const daily = `${((each * perSecond * 86_400) / 1e6).toFixed(0)} MB a day, a card of 32 GB lasts ${yearsText(years)}`;
    return `${Math.round(each)} B an event, ${daily}; ${latency}`;
  });
}

/** A battery that is charged and low again at once. */
function oneEvent(n: number): Buffer {
  const collar = collarName(1 + (n % COLLARS));
  return Buffer.from(
    [95, 5]
      .map((battery, i) => `{"collar":"${collar}","n":${2 * Math.floor(n / COLLARS) + i},"battery":${battery}}\n`)
      .join(''),
  );
}
