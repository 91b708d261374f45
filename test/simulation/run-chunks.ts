/** A process that simulates the seeds it is sent. It takes over the machine's clock, so it does nothing else. */
import { mkdtempSync, rmSync } from 'node:fs';
import { takeOverMachine } from './machine.ts';
import type { Chunk, ChunkDone } from './seeds.ts';
import { simulate } from './simulate.ts';
import { addOutcome, emptyTally } from './tally.ts';
import { makeTemplate, memoryFolder } from './template.ts';

const folder = mkdtempSync(memoryFolder());
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
takeOverMachine();
const template = makeTemplate(folder);

process.on('message', async ({ from, count, control, often }: Chunk) => {
  const tally = emptyTally();
  const before = process.cpuUsage();
  for (let seed = from; seed < from + count; seed += 1) {
    const own = control === undefined ? {} : { control };
    addOutcome(tally, await simulate(seed, { folder, template: await template, often, ...own }));
  }
  const { user, system } = process.cpuUsage(before);
  const answer: ChunkDone = { tally, cpuSeconds: (user + system) / 1e6 };
  // Where nobody listens any more, the end comes by itself.
  process.send?.(answer, undefined, {}, () => undefined);
});
