/** Agents with full logs come to one broker: how fast does central store what all of them bring? */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { openStore } from '../../src/central/open-store.ts';
import { openDialect } from '../../src/central/store/open-dialect.ts';
import type { Tables } from '../../src/central/store/tables.ts';
import { createPart, type Part } from '../e2e/stack.ts';
import { startMosquitto, until } from '../servers.ts';
import { createCentrals, startCentrals } from './centrals.ts';
import { COLLARS, collarOf, eventAt } from './events.ts';
import { cpuSeconds } from './machine.ts';

export interface EndToEndOptions {
  readonly agents: number;
  /** Of each agent. */
  readonly events: number;
  readonly batch: number;
  /** The store of central. */
  readonly url: string;
  /** Processes of central, which share the shards. */
  readonly workers: number;
}

export interface EndToEndResult {
  readonly events: number;
  /** From the first stored event to the last. */
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** Of processor time meanwhile. */
  readonly cpuSeconds: { readonly agents: number; readonly central: number };
}

const GROUP = 500;

export async function runEndToEnd({ agents, events, batch, url, workers }: EndToEndOptions): Promise<EndToEndResult> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-end-to-end-'));
  const broker = await startMosquitto(['max_queued_messages 0', 'max_inflight_messages 500']);
  const mqtt = `mqtt: { url: "${broker.url}", retryFirstMs: 100, retryMaxMs: 1000 }`;
  writeFileSync(join(folder, 'empty.ndjson'), '');
  await addCats(url);
  const centrals = await createCentrals(folder, { url, mqtt, workers });
  const parts: Part[] = [];
  for (let n = 0; n < agents; n += 1) {
    const own = join(folder, `agent${n}`);
    mkdirSync(own);
    await fillLog(join(own, 'events.db'), `agent${n}`, events, { first: n, step: agents });
    const source = `sources: [{ file: "${join(folder, 'empty.ndjson')}" }]`;
    const log = `log: { path: "${join(own, 'events.db')}" }`;
    const lines = [`agent: agent${n}`, source, log, mqtt, `forward: { batchEvents: ${batch} }`];
    writeFileSync(join(own, 'agent.yaml'), `${lines.join('\n')}\n`);
    parts.push(createPart(`agent${n}`, own, ['agent', '--config', join(own, 'agent.yaml')]));
  }
  try {
    await startCentrals(centrals);
    const watch = await watchMarks(url);
    const used = () => ({ agents: cpu(parts), central: cpu(centrals.map(({ part }) => part)) });
    for (const part of parts) part.start();
    await until('the first events are stored', async () => (await watch.stored()) > 0, 60_000);
    const [began, first, before] = [performance.now(), await watch.stored(), used()];
    await until('all events are stored', async () => (await watch.stored()) >= agents * events, 600_000);
    const seconds = (performance.now() - began) / 1_000;
    const after = used();
    await watch.close();
    return {
      events: agents * events,
      seconds: round(seconds),
      eventsPerSecond: Math.round((agents * events - first) / seconds),
      cpuSeconds: { agents: round(after.agents - before.agents), central: round(after.central - before.central) },
    };
  } finally {
    await Promise.all([...centrals.map(({ part }) => part), ...parts].map((part) => part.stop()));
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An agent's log after a long time without a broker: it has heard the same cats at the same time as the others. */
async function fillLog(
  path: string,
  agent: string,
  count: number,
  { first, step }: { readonly first: number; readonly step: number },
): Promise<void> {
  const fromMs = Date.now() - 86_400_000;
  const when = () => ({ time: new Date(fromMs).toISOString(), clock: 'synced', boot: null, monoMs: null }) as const;
  const log = await openEventLog({ path, agent, keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 }, { when });
  for (let done = 0; done < count; done += GROUP) {
    const size = Math.min(GROUP, count - done);
    await log.append(Array.from({ length: size }, (_, i) => eventAt(first + (done + i) * step, fromMs)));
  }
  await log.close();
}

/** Looks at the marks beside central. */
async function watchMarks(url: string) {
  const { kysely } = await openDialect(url, undefined);
  const db = new Kysely<Tables>({ dialect: kysely });
  return {
    async stored() {
      const epochs = db.selectFrom('epoch').innerJoin('agent', 'agent.no', 'epoch.agent_no').select('epoch.mark');
      const rows = await epochs.where('agent.name', 'like', 'agent%').execute();
      return rows.reduce((sum, { mark }) => sum + mark, 0);
    },
    close: () => db.destroy(),
  };
}

function cpu(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + cpuSeconds(part.pid()), 0);
}

/** Each collar has a cat, so that the models have their work. */
async function addCats(url: string): Promise<void> {
  const store = await openStore({ url });
  const cats = openCatService(store, () => new Date());
  for (let n = 0; n < COLLARS; n += 1) await cats.addCat(`Cat ${n}`, collarOf(n));
  await store.close();
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
