/**
 * npm run bench:ingest -- [--databases sqlite,mariadb,postgres] [--batches 1,100,500] [--seconds 5] [--agents 3] [--events 40000]
 *   [--workers 1] [--stored 100000,1000000] [--filled sqlite=PATH,postgres=URL] [--only ingest,end-to-end,verify,growth]
 * Side by side in one run, with the flushes of the disk and the load before each: what a store takes alone, what comes through from
 * agents over a broker, how fast stored history is proven, and what is left of it when much is stored. A table, then one line of JSON.
 * `--filled`: stores that are grown already. With other work on the machine only what stands side by side can be compared.
 */
import { loadavg, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { runEndToEnd } from './end-to-end.ts';
import { EVENT_MS, fill, T0 } from './fill.ts';
import { flushesASecond } from './machine.ts';
import { measureIngest, measureVerify } from './measure-store.ts';
import { type BenchDatabase, DATABASES, type Database, openDatabase } from './stores.ts';

const { values } = parseArgs({
  options: {
    databases: { type: 'string', default: DATABASES.join(',') },
    batches: { type: 'string', default: '1,100,500' },
    seconds: { type: 'string', default: '5' },
    agents: { type: 'string', default: '3' },
    events: { type: 'string', default: '40000' },
    workers: { type: 'string', default: '1' },
    stored: { type: 'string', default: '100000,1000000' },
    filled: { type: 'string', default: '' },
    only: { type: 'string', default: 'ingest,end-to-end,verify,growth' },
  },
});
const databases = DATABASES.filter((name) => values.databases.split(',').includes(name));
const batches = values.batches.split(',').map(Number);
const largest = Math.max(...batches);
const seconds = Number(values.seconds);
const parts = values.only.split(',');
const results: Record<string, unknown>[] = [];

/** One row of the table. */
function tell(part: string, database: string, what: string, figures: Readonly<Record<string, number>>): void {
  const [load = 0] = loadavg();
  const beside = { flushesPerSecond: flushesASecond(tmpdir()), load: Math.round(load * 10) / 10 };
  results.push({ part, database, what, ...figures, ...beside });
  const cells = Object.entries({ ...figures, ...beside }).map(([name, value]) => `${name} ${value}`);
  process.stdout.write(`${part.padEnd(12)}${database.padEnd(10)}${what.padEnd(22)}${cells.join('  ')}\n`);
}

/** What the store takes alone, by the size of the batches. */
async function ingest(name: Database, database: BenchDatabase): Promise<void> {
  for (const batch of batches) {
    const url = await database.newUrl();
    const { perSecond, perCpuSecond } = await measureIngest({ url, batch, seconds, fromMs: T0 });
    tell('ingest', name, `batches of ${batch}`, { perSecond, perCpuSecond });
    if (batch !== largest || !parts.includes('verify')) continue;
    const verified = await measureVerify(url, batch);
    tell('verify', name, `${verified.events} events`, {
      perSecond: verified.perSecond,
      perCpuSecond: verified.perCpuSecond,
    });
  }
}

/** Between two measurements of the store alone, since nothing else stays the same meanwhile. */
async function endToEnd(name: Database, database: BenchDatabase): Promise<void> {
  const alone = async () => measureIngest({ url: await database.newUrl(), batch: largest, seconds, fromMs: T0 });
  const before = await alone();
  const url = await database.newUrl();
  const [agents, events, workers] = [values.agents, values.events, values.workers].map(Number);
  const through = await runEndToEnd({
    agents: agents ?? 1,
    events: events ?? 1,
    batch: largest,
    url,
    workers: workers ?? 1,
  });
  const after = await alone();
  const storeAlone = Math.round((before.perSecond + after.perSecond) / 2);
  tell('end to end', name, `${agents} agents, ${workers} central`, {
    perSecond: through.eventsPerSecond,
    storeAlone,
    percent: Math.round((100 * through.eventsPerSecond) / storeAlone),
    agentCpuSeconds: through.cpuSeconds.agents,
    centralCpuSeconds: through.cpuSeconds.central,
  });
}

/** The same batches into stores that hold so much already, in turns. */
async function growth(name: Database, database: BenchDatabase): Promise<void> {
  const grown: { readonly url: string; readonly stored: number }[] = [];
  for (const stored of values.stored.split(',').map(Number)) {
    const filled = values.filled.split(',').find((one) => one.startsWith(`${name}=`));
    const isLargest = stored === Math.max(...values.stored.split(',').map(Number));
    const url = filled !== undefined && isLargest ? filled.slice(name.length + 1) : await database.newUrl();
    if (filled === undefined || !isLargest) await fill(url, '01a20867-068a-70da-b9ee-759f41bde6a8', stored);
    grown.push({ url, stored });
  }
  for (let round = 0; round < 3; round += 1) {
    for (const { url, stored } of grown) {
      const fromMs = T0 + stored * EVENT_MS + round * 86_400_000;
      const { perSecond, perCpuSecond } = await measureIngest({ url, batch: largest, seconds, fromMs });
      tell('growth', name, `${stored} stored`, { perSecond, perCpuSecond });
    }
  }
}

for (const name of databases) {
  const database = await openDatabase(name);
  try {
    if (parts.includes('ingest')) await ingest(name, database);
    if (parts.includes('end-to-end')) await endToEnd(name, database);
    if (parts.includes('growth')) await growth(name, database);
  } finally {
    await database.stop();
  }
}
process.stdout.write(`${JSON.stringify(results)}\n`);
