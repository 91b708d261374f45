/**
 * npm run bench:memory -- [--readings 10000000] [--samples 50] [--warm-up 0.2] [--format json|frame] [--offline] [--json]
 * Does the agent's memory grow with what it has read? Readings of 20 collars, two of five an event, as fast as the agent takes them
 * from a pseudo-terminal, with a broker that takes the events; `--offline`: with none, and all of them wait in the log. Prints the
 * slopes over what comes after the warm-up, in bytes for 1 000 000 readings with their interval of 95 %; no figure makes it fail.
 */
import { loadavg, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { flushesASecond } from './machine.ts';
import { runMemory } from './memory-run.ts';

const USAGE = 64;
const { values } = parseArgs({
  options: {
    readings: { type: 'string', default: '10000000' },
    samples: { type: 'string', default: '50' },
    'warm-up': { type: 'string', default: '0.2' },
    format: { type: 'string', default: 'frame' },
    offline: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [readings, samples, warmUp] = [Number(values.readings), Number(values.samples), Number(values['warm-up'])];
const format = (['json', 'frame'] as const).find((name) => name === values.format);
const areWhole = [readings, samples].every((n) => Number.isInteger(n) && n >= 1) && readings >= samples;
if (!areWhole || !(warmUp >= 0 && warmUp < 1) || format === undefined) {
  process.stderr.write(
    '--readings and --samples are whole numbers, --warm-up from 0 to below 1, --format json or frame\n',
  );
  process.exit(USAGE);
}

const tell = (line: string) => void process.stderr.write(`${line}\n`);
tell(`${flushesASecond(tmpdir())} flushes/s, load ${loadavg()[0]?.toFixed(1)}`);
const result = await runMemory({ readings, samples, warmUp, format, offline: values.offline, tell });
if (values.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
else {
  const seconds = result.seconds.toFixed(0);
  process.stdout.write(`${result.readings} readings in ${seconds} s, ${result.events} events came\n`);
  const names = { heapBytes: 'heap after gc', externalBytes: 'external', rssBytes: 'RSS' } as const;
  for (const [name, text] of Object.entries(names) as [keyof typeof names, string][]) {
    const { perUnit, plusMinus, points } = result.slopes[name];
    const interval = `${Math.round(perUnit)} ± ${Math.round(plusMinus)} bytes for 1 000 000 readings`;
    const last = ((result.samples.at(-1)?.[name] ?? Number.NaN) / 1e6).toFixed(2);
    process.stdout.write(`${text.padEnd(16)}${interval}, ${last} MB at the end (${points} samples)\n`);
  }
}
