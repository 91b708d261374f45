/**
 * npm run faults -- [--minutes 10] [--seed 1] [--only NAME …] [--count N] [--full] [--keep] [--json]
 * Without `--only`: all that need no cluster of servers.
 * `--full`: as often as the published table asks for, however long it takes; `--only` splits it over several runs.
 */
import { parseArgs } from 'node:util';
import { whyBad } from './frame.ts';
import { runFaults, SCENARIOS } from './run-faults.ts';
import { asTable } from './table.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    full: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    count: { type: 'string' },
    only: { type: 'string', multiple: true },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const unknown = (values.only ?? []).filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown.length > 0) {
  process.stderr.write(`no scenario ${unknown.join(', ')}: there are ${SCENARIOS.map((s) => s.name).join(', ')}\n`);
  process.exit(64);
}
// The programs and disks of a scenario are ended with us: only an exit of our own tells them.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const outcomes = await runFaults({
  minutes: values.minutes === undefined ? (values.full ? Number.POSITIVE_INFINITY : 10) : Number(values.minutes),
  seed: Number(values.seed),
  count: values.count === undefined ? (values.full ? 'full' : Number.POSITIVE_INFINITY) : Number(values.count),
  only: values.only ?? SCENARIOS.filter(({ alone }) => alone !== true).map(({ name }) => name),
  keep: values.keep,
  tell: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(values.json ? `${JSON.stringify(outcomes, null, 2)}\n` : asTable(outcomes));
const inCi = process.env.CI !== undefined && process.env.CI !== '';
const bad = outcomes.some(
  ({ skipped, failed, rows }) =>
    failed !== null || rows.some((row) => whyBad(row) !== null) || (inCi && skipped !== null),
);
process.exitCode = bad ? 1 : 0;
