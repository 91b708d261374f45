/**
 * npm run load:fleet -- [--agents 2000] [--minutes 10] [--rate 1] [--database sqlite|postgres|mariadb] [--workers 1] [--cats 20]
 *   [--seed 1] [--every 10] [--ramp SECONDS] [--json]
 * So many agents in one process, each with an MQTT session, a history and a chain of its own, against a real mosquitto and a real central.
 * `--rate`: events of each agent a minute. `--cats`: collars that a cat wears. Exit code 1 where an event is not stored once, or a chain differs.
 */

import { loadavg, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { flushesASecond } from '../bench/machine.ts';
import { DATABASES } from '../bench/stores.ts';
import { type FleetResult, runFleet } from './run-fleet.ts';
import { ROLES } from './watch.ts';

/** So many sessions a second come up, if nothing else is said. */
const SESSIONS_PER_SECOND = 100;
const USAGE = 64;

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '2000' },
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '1' },
    database: { type: 'string', default: 'sqlite' },
    workers: { type: 'string', default: '1' },
    cats: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    every: { type: 'string', default: '10' },
    ramp: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const database = DATABASES.find((name) => name === values.database);
const agents = Number(values.agents);
const [workers, cats, seed] = [Number(values.workers), Number(values.cats), Number(values.seed)];
const [minutes, rate, everyS] = [Number(values.minutes), Number(values.rate), Number(values.every)];
const rampS = values.ramp === undefined ? agents / SESSIONS_PER_SECOND : Number(values.ramp);
const areWhole =
  [agents, workers].every((n) => Number.isInteger(n) && n >= 1) &&
  workers <= 64 &&
  [cats, seed].every((n) => Number.isInteger(n) && n >= 0);
const arePositive = [minutes, rate, everyS].every((n) => n > 0) && rampS >= 0 && cats <= agents;
if (database === undefined || !areWhole || !arePositive) {
  process.stderr.write(
    `options are numbers above 0, at most 64 workers and a cat for each agent, and --database one of ${DATABASES.join(', ')}\n`,
  );
  process.exit(USAGE);
}

const tell = (line: string) => void process.stderr.write(`${line}\n`);
const machine = { flushesPerSecond: flushesASecond(tmpdir()), load: Number(loadavg()[0]?.toFixed(1)) };
tell(`${machine.flushesPerSecond} flushes/s, load ${machine.load}`);
const load = { agents, minutes, rate, database, workers, cats, seed, everyMs: everyS * 1_000, rampMs: rampS * 1_000 };
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error('stopped')));
const result = await runFleet({ ...load, tell }, stop.signal).catch((error: Error) => {
  tell(error.message);
  process.exit(1);
});
process.stdout.write(values.json ? `${JSON.stringify({ machine, ...result }, null, 2)}\n` : tableOf(result));
process.exitCode = result.proof.faults === 0 && result.stored === result.sent ? 0 : 1;

function tableOf(one: FleetResult): string {
  const { lagMs, perEvent, agentsLoopMs, proof } = one;
  const rows: [string, string][] = [
    ['sessions', `${one.sessions} of ${one.agents} up at the end, ${one.reconnects} reconnects`],
    ['events', `${one.sent} sent, ${one.stored} confirmed, ${one.eventsPerSecond} a second`],
    ['sent to stored', `p50 ${lagMs.p50} ms, p99 ${lagMs.p99} ms, max ${lagMs.max} ms`],
    ['loop of the agents', `late p99 ${agentsLoopMs.p99} ms, max ${agentsLoopMs.max} ms`],
  ];
  for (const role of ROLES) {
    const { cpuPercent, rssMb, rssMbPerMinute, plusMinus } = one.uses[role];
    const sure = Number.isFinite(plusMinus) ? ` ± ${plusMinus}` : '';
    const slope = `${rssMbPerMinute}${sure} MB a minute`;
    if (rssMb > 0)
      rows.push([role, `${cpuPercent} % of a core, ${rssMb} MB at the end (${slope} in the later two thirds)`]);
  }
  const { received, sent, packets, bytes, healths } = perEvent;
  const written = Object.entries(one.writtenBytesPerEvent).filter(([, n]) => n > 0);
  rows.push([
    'broker, per event',
    `${received} PUBLISH in, ${sent} out, ${packets} packets, ${bytes} bytes; ${healths} words on health are in it`,
  ]);
  rows.push(['store, per event', `${one.storedBytesPerEvent} bytes on the disk with the models`]);
  rows.push(['given to the disk', written.map(([who, n]) => `${who} ${Math.round(n)} bytes an event`).join(', ')]);
  rows.push(['proof', `${proof.rows} rows of ${proof.agents} agents, ${proof.faults} faults`]);
  for (const text of proof.told) rows.push(['', text]);
  for (const [text, times] of Object.entries(one.lines)) rows.push(['agents warned', `${times} times: ${text}`]);
  return rows.map(([name, text]) => `${name.padEnd(22)}${text}\n`).join('');
}
