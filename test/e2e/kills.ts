/** npm run kills -- [--kills 20] [--seed 1] [--collars 20] [--rate 50] */
import { parseArgs } from 'node:util';
import { runKills } from './kills-run.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    collars: { type: 'string', default: '20' },
    rate: { type: 'string', default: '50' },
  },
});
const result = await runKills({
  kills: Number(values.kills),
  seed: Number(values.seed),
  collars: Number(values.collars),
  rate: Number(values.rate),
  tell: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
process.exitCode = result.lost + result.doubled + result.unlike === 0 ? 0 : 1;
