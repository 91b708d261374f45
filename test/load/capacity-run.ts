/**
 * npm run capacity -- [--agents 1000000] [--per-minute 1] [--measured FILE] [--flushes N] [--core-factor 1] [--headroom 0.5] [--json]
 * What so many agents ask for: of broker, stores, disks and processors. `--measured`: what `npm run load:fleet -- --json` has printed
 * on your machine; without it, what is kept here. `--flushes`: of the disk under a store, as measured if not given. `--core-factor`: how
 * fast one core of the target is beside the measured one.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MAX_AGENTS } from '../../src/central/store/agents.ts';
import { capacityOf, capacityTable, type MeasuredLoad } from './capacity.ts';

const USAGE = 64;
const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '1000000' },
    'per-minute': { type: 'string', default: '1' },
    measured: { type: 'string', default: fileURLToPath(new URL('./measured.json', import.meta.url)) },
    flushes: { type: 'string' },
    'core-factor': { type: 'string', default: '1' },
    headroom: { type: 'string', default: '0.5' },
    json: { type: 'boolean', default: false },
  },
});
const measured = JSON.parse(readFileSync(values.measured, 'utf8')) as MeasuredLoad;
const question = {
  agents: Number(values.agents),
  perMinute: Number(values['per-minute']),
  agentsPerStore: MAX_AGENTS,
  headroom: Number(values.headroom),
  coreFactor: Number(values['core-factor']),
  flushesPerSecond: Number(values.flushes ?? measured.machine.flushesPerSecond),
};
if (!Object.values(question).every((value) => value > 0) || question.headroom > 1) {
  process.stderr.write('every figure is a number above 0, and --headroom at most 1\n');
  process.exit(USAGE);
}
process.stdout.write(
  values.json ? `${JSON.stringify(capacityOf(measured, question), null, 2)}\n` : capacityTable(measured, question),
);
