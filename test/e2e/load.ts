/** npm run load -- [--broker mosquitto|aedes] [--collars 20] [--rate 50] [--seconds 60] [--seed 1] */
import { parseArgs } from 'node:util';
import { runLoad } from './load-run.ts';

const { values } = parseArgs({
  options: {
    broker: { type: 'string', default: 'mosquitto' },
    collars: { type: 'string', default: '20' },
    rate: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});
const result = await runLoad(values.broker === 'aedes' ? 'aedes' : 'mosquitto', {
  collars: Number(values.collars),
  rate: Number(values.rate),
  seconds: Number(values.seconds),
  seed: Number(values.seed),
});
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
process.exitCode = result.logged === result.stored && result.verdict.status === 'agree' ? 0 : 1;
