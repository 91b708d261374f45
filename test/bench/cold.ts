/**
 * npm run bench:cold -- [--runs 5]
 * From the start of the process to its first event: until the port is open, and until a subscriber has what was written then. Log, broker
 * and port are there.
 */
import { parseArgs } from 'node:util';
import { collard } from './contenders/collard.ts';
import { openBenchDisk } from './disk.ts';
import { pour } from './feeder.ts';
import { collarName } from './input.ts';
import { withHouse } from './measure.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const disk = openBenchDisk();
try {
  for (let run = 1; run <= Number(values.runs); run += 1) {
    const began = performance.timeOrigin + performance.now();
    let startedMs = 0;
    const timed = {
      ...collard('json'),
      async start(place: Parameters<ReturnType<typeof collard>['start']>[0]) {
        startedMs = performance.timeOrigin + performance.now();
        return collard('json').start(place);
      },
    };
    const line = await withHouse(timed, disk, process.env, async ({ pty, counter }) => {
      const openMs = performance.timeOrigin + performance.now() - startedMs;
      await pour(pty, Buffer.from(`{"collar":"${collarName(1)}","n":1,"battery":5}\n`), 10_000);
      const { lastAtMs } = await counter.settled(1);
      return `port open after ${openMs.toFixed(0)} ms, first event at the subscriber after ${(lastAtMs - startedMs).toFixed(0)} ms`;
    });
    process.stdout.write(
      `run ${run}: ${line} (${((performance.timeOrigin + performance.now() - began) / 1_000).toFixed(0)} s)\n`,
    );
  }
} finally {
  disk.close();
}
