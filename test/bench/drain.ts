/**
 * npm run bench:drain -- [--events 100000] [--runs 3] [--collars 20] [--rate 50] [--forward 'forward: { unconfirmedEvents: 20000 }']
 * An agent comes back to its broker with a full log while its collars go on: how fast does central store the backlog, and how long
 * do live events wait meanwhile?
 */
import { parseArgs } from 'node:util';
import { type DrainResult, latencyOf, runDrain } from './drain-run.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '100000' },
    runs: { type: 'string', default: '3' },
    collars: { type: 'string', default: '20' },
    rate: { type: 'string', default: '50' },
    forward: { type: 'string' },
  },
});
const results: DrainResult[] = [];
for (let run = 1; run <= Number(values.runs); run += 1) {
  const load = { collars: Number(values.collars), rate: Number(values.rate), seed: run };
  const result = await runDrain(Number(values.events), load, values.forward);
  results.push(result);
  const { live: _, ...told } = result;
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
const rates = results.map(({ eventsPerSecond }) => eventsPerSecond).sort((a, b) => b - a);
// A run has some twenty of them: of how they are spread all runs tell together.
const live = latencyOf(results.flatMap((result) => result.live));
process.stdout.write(
  `best ${rates[0]} events/s, median ${rates[rates.length >> 1]}, live ${JSON.stringify(live)} in all runs\n`,
);
