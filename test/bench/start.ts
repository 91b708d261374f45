/**
 * npm run bench:start -- [--events 1000000] [--runs 5]
 * An agent starts with a log full of events that central has not confirmed: how long until the first new one is on the card?
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { type NewEvent, newEvent } from '../../src/contract/event.ts';

const { values } = parseArgs({
  options: { events: { type: 'string', default: '1000000' }, runs: { type: 'string', default: '5' } },
});
const GROUP = 5_000;
const T0 = Date.parse('2026-11-23T06:00:00.000Z');
const folder = mkdtempSync(join(tmpdir(), 'collard-start-'));
const options = { path: join(folder, 'events.db'), agent: 'porch', keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 };
const when = (ms = 0) =>
  ({ time: new Date(T0 + ms).toISOString(), clock: 'synced', boot: null, monoMs: null }) as const;

function meow(n: number): NewEvent {
  const data = { durationMs: 430, peakG: 1.84, readings: n % 100, place: 'kitchen' };
  return newEvent('meow.ended', `collar/C0FFEE0${n % 8}`, data, when(n * 137));
}

try {
  const log = await openEventLog(options, { when });
  for (let n = 0; n < Number(values.events); n += GROUP)
    await log.append(Array.from({ length: Math.min(GROUP, Number(values.events) - n) }, (_, i) => meow(n + i)));
  await log.close();
  const times: number[] = [];
  for (let run = 0; run < Number(values.runs); run += 1) {
    const began = performance.now();
    const again = await openEventLog(options, { when });
    await again.append([meow(run)]);
    times.push(performance.now() - began);
    await again.close();
  }
  times.sort((a, b) => a - b);
  const [median = 0, most = 0] = [times[times.length >> 1], times.at(-1)].map((ms) => Math.round(ms ?? 0));
  process.stdout.write(
    `${values.events} unconfirmed events: open and first append in ${median} ms, at worst ${most} ms\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
