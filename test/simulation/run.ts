/**
 * npm run simulation -- [--seeds 1000] [--from 1] [--processes 2] [--minutes 60] [--often NAME,NAME] [--json]: `often` are kinds of faults
 * npm run simulation -- --replay SEED [--control puback|early] [--often NAME,NAME]: one seed, with all that happened on stdout.
 * npm run simulation -- --deaths SEED [--stride 1]: one seed without faults, once for each step of agent and central: there they die.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { dieEverywhere } from './deaths.ts';
import { KINDS } from './faults.ts';
import { takeOverMachine } from './machine.ts';
import { asText, whyBad } from './report.ts';
import { runSeeds, type SeedsOptions } from './seeds.ts';
import { CONTROLS, simulate } from './simulate.ts';
import { makeTemplate, memoryFolder } from './template.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    processes: { type: 'string', default: '2' },
    minutes: { type: 'string', default: '600' },
    json: { type: 'boolean', default: false },
    replay: { type: 'string' },
    deaths: { type: 'string' },
    stride: { type: 'string', default: '1' },
    control: { type: 'string' },
    often: { type: 'string', default: '' },
  },
});
const tell = (line: string) => process.stderr.write(`${line}\n`);
const often = values.often.split(',').filter((name) => name !== '');
const unknown = often.filter((name) => !KINDS.some((kind) => kind.name === name));
if (unknown.length > 0) {
  tell(`no kind of fault "${unknown.join('", "')}": there are ${KINDS.map(({ name }) => name).join(', ')}`);
  process.exit(64);
}

if (values.replay !== undefined) await replay(Number(values.replay));
else if (values.deaths !== undefined) await die(Number(values.deaths), Number(values.stride));
else await runAll();

async function runAll(): Promise<void> {
  const [from, seeds] = [Number(values.from), Number(values.seeds)];
  const common: SeedsOptions = {
    from,
    seeds,
    often,
    processes: Number(values.processes),
    minutes: Number(values.minutes),
    tell,
  };
  const real = await runSeeds(common);
  const controls = [];
  for (const control of CONTROLS) {
    const few = Math.min(seeds, Math.max(50, Math.round(real.tally.seeds / 100)));
    // What they break is no news.
    controls.push({ control, ...(await runSeeds({ ...common, seeds: few, control, tell: () => undefined })) });
  }
  process.stdout.write(values.json ? `${JSON.stringify({ real, controls }, null, 2)}\n` : asText(real, controls));
  process.exitCode = whyBad(real, controls).length === 0 ? 0 : 1;
}

/** Prints what happened, line by line; the last line is the hash over all of it. */
async function replay(seed: number): Promise<void> {
  takeOverMachine();
  const folder = mkdtempSync(memoryFolder());
  try {
    const control = CONTROLS.find((name) => name === values.control);
    const own = control === undefined ? {} : { control };
    const outcome = await simulate(seed, {
      folder,
      template: await makeTemplate(folder),
      keepsNotes: true,
      often,
      ...own,
    });
    process.stdout.write(`${outcome.notes.join('')}${outcome.hash}\n`);
    for (const breach of outcome.breaches) tell(breach);
    tell(`seed ${seed}: ${outcome.events} events, well after ${outcome.healedMs} ms`);
    process.exitCode = outcome.breaches.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function die(seed: number, stride: number): Promise<void> {
  takeOverMachine();
  const folder = mkdtempSync(memoryFolder());
  try {
    const template = await makeTemplate(folder);
    for (const who of ['agent', 'central'] as const) {
      const found = await dieEverywhere(seed, who, { folder, template, stride });
      for (const breach of found.breaches) tell(breach);
      process.stdout.write(
        `${who}: died at ${found.died} steps, ${found.events} events, ${found.breaches.length} broken\n`,
      );
      if (found.breaches.length > 0) process.exitCode = 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
