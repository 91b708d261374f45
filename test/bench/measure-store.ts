/** How fast a store takes batches, and how fast it proves what it holds. */
import { randomUUID } from 'node:crypto';
import { openStore } from '../../src/central/open-store.ts';
import { type ChainHash, chainNext, chainStart } from '../../src/contract/chain.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { eventAt } from './events.ts';

export interface Rate {
  readonly events: number;
  readonly perSecond: number;
  /** Of the processor in this process: that of a server is not in it. */
  readonly perCpuSecond: number;
}

export interface IngestOptions {
  readonly url: string;
  readonly batch: number;
  /** By the clock, at least. */
  readonly seconds: number;
  /** When the first of the events happens: the newest in the store. */
  readonly fromMs: number;
}

/** Batches that are made at once, beside the clock. */
const MADE_EVENTS = 5_000;

/** One agent's batches in their order, one after the other. */
export async function measureIngest({ url, batch, seconds, fromMs }: IngestOptions): Promise<Rate> {
  const store = await openStore({ url });
  const [agent, epoch] = [`agent${batch}`, randomUUID()];
  let [chain, made]: [ChainHash, number] = [chainStart(agent, epoch), 0];
  const next = () => {
    const events = Array.from({ length: batch }, (_, i): StoredEvent => {
      return { epoch, seq: made + i + 1, ...eventAt(made + i, fromMs) };
    });
    made += batch;
    for (const event of events) chain = chainNext(chain, event);
    return { agent, events, chain };
  };
  const now = new Date().toISOString();
  // The first ones prepare statements and open pages.
  for (let n = 0; n < 20; n += 1) await store.ingest(next(), now);
  const clock = stopwatch();
  let events = 0;
  while (clock.read().seconds < seconds) {
    const batches = Array.from({ length: Math.ceil(MADE_EVENTS / batch) }, next);
    clock.start();
    for (const one of batches) events += (await store.ingest(one, now)).inserted;
    clock.stop();
  }
  await store.close();
  return rate(events, clock.read());
}

/** The chain over all that is stored of the agent that a measurement before has written. */
export async function measureVerify(url: string, batch: number): Promise<Rate> {
  const store = await openStore({ url });
  const epoch = (await store.agents()).find(({ agent }) => agent === `agent${batch}`)?.epochs[0];
  if (epoch === undefined) throw new Error(`nothing of agent${batch} is stored`);
  const clock = stopwatch();
  clock.start();
  // Below the mark, whose chain is noted.
  const chain = await store.chainAt(epoch.epoch, epoch.mark - 1);
  clock.stop();
  await store.close();
  if (chain === null) throw new Error('the chain cannot be computed');
  return rate(epoch.mark - 1, clock.read());
}

function rate(
  events: number,
  { seconds, cpuSeconds }: { readonly seconds: number; readonly cpuSeconds: number },
): Rate {
  return { events, perSecond: Math.round(events / seconds), perCpuSecond: Math.round(events / cpuSeconds) };
}

/** Time between start and stop, added up. */
function stopwatch() {
  const sum = { seconds: 0, cpuSeconds: 0 };
  let [began, cpu] = [0, process.cpuUsage()];
  return {
    start() {
      [began, cpu] = [performance.now(), process.cpuUsage()];
    },
    stop() {
      const { user, system } = process.cpuUsage(cpu);
      sum.seconds += (performance.now() - began) / 1_000;
      sum.cpuSeconds += (user + system) / 1e6;
    },
    read: () => sum,
  };
}
