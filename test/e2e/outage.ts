/** npm run outage -- [--minutes 10] [--collars 20] [--rate 50] [--seed 1] */
import { parseArgs } from 'node:util';
import { runOutage } from './outage-run.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    collars: { type: 'string', default: '20' },
    rate: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  },
});
const result = await runOutage({
  seconds: Number(values.minutes) * 60,
  collars: Number(values.collars),
  rate: Number(values.rate),
  seed: Number(values.seed),
  tell: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
process.exitCode = result.verdict.status === 'agree' ? 0 : 1;
