/** npm run fuzz -- [--target NAME …] [--runs 100000] [--minutes M] [--seed 1] [--findings FOLDER] [--blind] [--save-corpus] [--json]. Ends early, with what it has, where it is told to stop. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { asTable, type Outcome, runFuzz } from './run-fuzz.ts';
import { BORDERS, TARGETS } from './target.ts';

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    runs: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string', default: '1' },
    findings: { type: 'string', default: join(tmpdir(), 'collard-findings') },
    blind: { type: 'boolean', default: false },
    'save-corpus': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const names = values.target ?? TARGETS;
const unknown = names.filter((name) => BORDERS[name] === undefined);
if (unknown.length > 0) {
  process.stderr.write(`no target ${unknown.join(', ')}: there are ${TARGETS.join(', ')}\n`);
  process.exit(64);
}
const runs =
  values.runs === undefined ? (values.minutes === undefined ? 100_000 : Number.POSITIVE_INFINITY) : Number(values.runs);
const over = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => over.abort());
const outcomes: Outcome[] = [];
for (const name of names) {
  if (over.signal.aborted) break;
  const outcome = await runFuzz(name, {
    seed: Number(values.seed),
    runs,
    seconds: values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes) * 60,
    guided: !values.blind,
    save: values['save-corpus'],
    maxFindings: 10,
    hangMs: 20_000,
    findings: values.findings,
    signal: over.signal,
  });
  outcomes.push(outcome);
  if (!values.json) process.stderr.write(asTable([outcome]).split('\n').slice(2).join('\n'));
}
process.stdout.write(values.json ? `${JSON.stringify(outcomes)}\n` : asTable(outcomes));
if (outcomes.some(({ findings }) => findings.length > 0)) process.stderr.write(`inputs are in ${values.findings}\n`);
process.exitCode = outcomes.some(({ findings }) => findings.length > 0) ? 1 : 0;
