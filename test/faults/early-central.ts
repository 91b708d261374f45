/**
 * Central's receive loop over its real store. Its argument is an `EarlyPlan` in JSON. With `early` it is what must lose: it
 * answers `stored` first and commits a moment later.
 */
import pino from 'pino';
import { openStore } from '../../src/central/open-store.ts';
import { runReceive } from '../../src/central/receive.ts';
import type { IngestBatch, IngestResult, Outcome, Store } from '../../src/central/store/store.ts';
import { createOutbox } from '../../src/central/subscriber/outbox.ts';
import { DEFAULT_BASE_TOPIC } from '../../src/contract/topic.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';

export interface EarlyPlan {
  readonly url: string;
  readonly storePath: string;
  readonly early: boolean;
}

const COMMIT_AFTER_MS = 1_000;

const plan = JSON.parse(process.argv[2] ?? '') as EarlyPlan;
const store = await openStore({ url: `sqlite:${plan.storePath}` });
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await runReceive(
  {
    store: plan.early ? answeringEarly(store) : store,
    openLink: openMqttLink,
    subscriber: {
      base: DEFAULT_BASE_TOPIC,
      group: 'central',
      sessionExpirySeconds: 3_600,
      link: { url: plan.url, keepaliveSeconds: 5, connectTimeoutMs: 5_000 },
    },
    outbox: createOutbox(),
    retry: { firstMs: 100, maxMs: 1_000 },
    logger: pino(),
    clock: () => new Date(),
    random: Math.random,
    ingested: () => undefined,
    changed: () => undefined,
    onConnection: () => undefined,
  },
  stop.signal,
);
await store.close();

/** Says what will be true in a moment. */
function answeringEarly(real: Store): Store {
  const ends = new Map<string, number>();
  const early = async (batch: IngestBatch, now: string): Promise<IngestResult> => {
    const [first, last] = [batch.events[0], batch.events.at(-1)];
    if (first === undefined || last === undefined || batch.chain === null) return real.ingest(batch, now);
    const { epoch } = last;
    if (first.seq !== (ends.get(epoch) ?? 0) + 1) {
      const result = await real.ingest(batch, now);
      ends.set(epoch, Math.max(ends.get(epoch) ?? 0, result.stored.seq));
      return result;
    }
    ends.set(epoch, last.seq);
    setTimeout(() => void real.ingest(batch, now), COMMIT_AFTER_MS);
    const stored = { incarnation: real.incarnation, epoch, seq: last.seq, chain: batch.chain, need: [] };
    const none = { inserted: 0, duplicates: 0, conflicts: 0, unkept: 0, rejected: 0, waiting: 0 };
    return { ...none, stored, chainOk: true };
  };
  return {
    ...real,
    async ingestAll(works, now) {
      const outcomes: Outcome[] = [];
      for (const work of works) {
        if (work.type === 'batch') outcomes.push({ type: 'ingested', result: await early(work.batch, now) });
        else outcomes.push(...(await real.ingestAll([work], now)));
      }
      return outcomes;
    },
  };
}
