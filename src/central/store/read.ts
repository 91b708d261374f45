/** What the API reads. Every query follows an index. */
import type { Kysely } from 'kysely';
import { type ChainPoint, chainNext, chainStart, parseChainHex } from '../../contract/chain.ts';
import type { CatModel, Wearings } from '../models/model.ts';
import { agentRows, unassignedCollars } from './agent-rows.ts';
import { readArrivals, readByPosition, shardHeads } from './by-position.ts';
import { readByTime } from './by-time.ts';
import { correctedEvents } from './corrected-events.ts';
import { counts, versions } from './counts.ts';
import { decodeTimePlace, encodeTimePlace } from './cursor.ts';
import { lastSegment } from './expired.ts';
import { readWearings } from './facts.ts';
import { readHorizon } from './horizon.ts';
import { liveTables } from './model-tables.ts';
import { catsAt } from './past.ts';
import { catHistory, catRow, readCats } from './read-models.ts';
import { type EpochNames, readEvent, storedEvent } from './rows.ts';
import { skippedTypes } from './skipped.ts';
import { stoppedAt, stoppedBy } from './stopped.ts';
import type { EventFilter, ReadStore } from './store.ts';
import type { SegmentTable, Tables } from './tables.ts';
import { openWhole } from './whole.ts';

type Newest = EventFilter & { readonly limit: number; readonly fused?: boolean };
type WhoWore = () => Promise<Wearings>;

const CHAIN_PAGE_ROWS = 2_000;

export function createReader(db: Kysely<Tables>, model: CatModel, names: EpochNames): ReadStore {
  const whoWore = () => readWearings(db, model, names);
  const wearingsFor = async ({ catId, fused }: EventFilter & { readonly fused?: boolean }, read: WhoWore = whoWore) =>
    catId === undefined && fused !== true ? null : await read();
  const byTime = async (query: Newest, order: 'asc' | 'desc', place?: string, read?: WhoWore) => {
    const beyond = place === undefined ? null : decodeTimePlace(place);
    const wearings = await wearingsFor(query, read);
    const { limit } = query;
    const { events, last } = await readByTime(db, names, model, query, wearings, { order, beyond, limit });
    return { events, next: last === null ? '' : encodeTimePlace(last) };
  };
  return {
    events: async (query) => readByPosition(db, names, model, query, await wearingsFor(query)),
    newest: ({ before, ...query }) => byTime(query, 'desc', before),
    oneLook() {
      let known: Promise<Wearings> | null = null;
      const once = () => {
        known ??= whoWore();
        return known;
      };
      return { newest: ({ before, ...query }) => byTime(query, 'desc', before, once) };
    },
    oldest: ({ after, ...query }) => byTime(query, 'asc', after),
    event: (epoch, seq) => readEvent(db, names, epoch, seq),
    whole: (dir, filter, from) => openWhole({ db, model, names }, dir, filter, from),
    horizon: () => readHorizon(db),
    arrivals: (after, limit) => readArrivals(db, names, after, limit),
    async arrivalHead() {
      return new Map((await shardHeads(db)).map((row) => [row.shard, row.next_arrival - 1]));
    },
    cats: async (now) => (await readCats(db, now)).map(catRow),
    catsAt: (at) => catsAt(db, model, names, at),
    catHistory: (catId, limit) => catHistory(db, catId, limit),
    async correctedEvents(catId, limit) {
      return correctedEvents(db, names, model, { catId }, await whoWore(), limit);
    },
    agents: () => agentRows(db),
    unassignedCollars: async () => unassignedCollars(db, await whoWore()),
    chainAt: (epoch, seq, since, onHashed) => chainAt(db, epoch, seq, since, onHashed),
    counts: () => counts(db),
    async foldStatus() {
      const { name } = await liveTables(db);
      const event = await stoppedAt(db, name, names);
      const stopped = event === null ? null : stoppedBy(model, event);
      return { skipped: await skippedTypes(db, name), stopped };
    },
    versions: () => versions(db),
  };
}

async function chainAt(
  db: Kysely<Tables>,
  epoch: string,
  seq: number,
  since: ChainPoint | undefined,
  onHashed: (seq: number) => void = () => undefined,
): Promise<Uint8Array | null> {
  const known = await db
    .selectFrom('epoch')
    .innerJoin('agent', 'agent.no', 'epoch.agent_no')
    .select(['epoch.no', 'epoch.mark', 'epoch.mark_chain', 'agent.name'])
    .where('epoch.epoch', '=', epoch)
    .executeTakeFirst();
  if (known === undefined) return null;
  // What is deleted need not be there: the chain at its end was kept.
  const kept = await lastSegment(db, known.no, seq);
  const isAhead = since !== undefined && since.seq <= seq && since.seq >= (kept?.to_seq ?? 0);
  const begin = isAhead ? since : { seq: kept?.to_seq ?? 0, chain: keptChain(kept, known.name, epoch) };
  let { chain } = begin;
  if (chain === null) return seq === known.mark ? parseChainHex(known.mark_chain) : null;
  for (let at = begin.seq; at < seq; ) {
    const rows = await db
      .selectFrom('event')
      .selectAll()
      .where('epoch_no', '=', known.no)
      .where('seq', '>', at)
      .where('seq', '<=', seq)
      .orderBy('seq')
      .limit(CHAIN_PAGE_ROWS)
      .execute();
    for (const row of rows) {
      // What is lost cannot be recomputed; at the mark itself the anchored chain is known.
      if (row.seq !== at + 1) return seq === known.mark ? parseChainHex(known.mark_chain) : null;
      chain = chainNext(chain, storedEvent(row, epoch));
      at = row.seq;
    }
    if (rows.length === 0) return null;
    onHashed(at);
  }
  return chain;
}

/** chain at the end of a segment; null where it cannot be computed. Without one, that of the beginning. */
function keptChain(kept: SegmentTable | null, agent: string, epoch: string): Uint8Array | null {
  return kept === null ? chainStart(agent, epoch) : parseChainHex(kept.chain);
}
