/** Central's own events: decided, appended and folded in one transaction, so that a command sees all commands before it. */
import type { Kysely, Transaction } from 'kysely';
import { chainOver, parseChainHex } from '../../contract/chain.ts';
import { fullType, type StoredEvent } from '../../contract/event.ts';
import { CENTRAL_AGENT, shardOf } from '../../contract/topic.ts';
import { claimEpoch } from './agents.ts';
import { appendBatch } from './append.ts';
import type { Deriver } from './derive.ts';
import type { Stopped } from './fold-status.ts';
import { ownEpoch } from './identity.ts';
import { addNotices } from './notices.ts';
import { catRow, readCats } from './read-models.ts';
import { type EpochNames, readEvent, selectEvents } from './rows.ts';
import { openShard } from './shard.ts';
import type { CentralEvent, CommandStore, CommandView, Projected } from './store.ts';
import type { Tables } from './tables.ts';
import { takeLock, transact } from './transact.ts';
import { noteUntold } from './untold.ts';

const SLICE_EVENTS = 2_000;
const HALVES = (['meow.started', 'meow.ended'] as const).map(fullType);
/** What a person does where the models stand still. */
export const GO_ON = 'upgrade collard, take the event back (collard events revoke), or set fold: quarantine';

export interface CommandParts {
  readonly db: Kysely<Tables>;
  readonly names: EpochNames;
  readonly deriver: Deriver;
  readonly now: () => Date;
}

export function createCommands(parts: CommandParts): CommandStore {
  const { db, deriver } = parts;
  return {
    async command(now, decide, kind = 'cats') {
      const folded: Projected[] = [];
      const fold = async (trx: Transaction<Tables>) => {
        while (kind !== 'note') {
          const slice = await deriver.slice(trx, SLICE_EVENTS);
          if (slice.movingTimes === true) continue;
          const { stopped = null } = slice;
          if (stopped !== null && kind === 'cats') throw modelStopped(stopped);
          if (slice.events === 0) return;
          folded.push(slice);
        }
      };
      try {
        return await transact(db, async (trx) => {
          folded.length = 0;
          await takeLock(trx, 'models');
          await fold(trx);
          const decision = await decide(viewOf(trx, parts));
          if (decision.events.length > 0) {
            const row = await openShard(trx, shardOf(CENTRAL_AGENT));
            const own = await ownEpoch(trx);
            const epoch = await claimEpoch(trx, CENTRAL_AGENT, own);
            const shard = { shard: row.shard, nextArrival: row.next_arrival, nextPosition: row.next_position };
            const events = decision.events.map(
              (event, i): StoredEvent => ({ epoch: own, seq: epoch.mark + 1 + i, ...event }),
            );
            const start = parseChainHex(epoch.mark_chain);
            if (start === null) throw new Error(`the chain of ${own} is no hash`);
            const batch = { agent: CENTRAL_AGENT, events, chain: chainOver(start, events) };
            await appendBatch(trx, epoch, shard, batch, now);
            await addNotices(trx, epoch.no, events, decision.notify ?? [], now);
            await fold(trx);
          }
          await noteUntold(trx, folded);
          return decision.result;
        });
      } catch (error) {
        deriver.forget();
        throw error;
      }
    },
  };
}

function modelStopped({ id, agent, reason }: Stopped): Error {
  const words = `the models stand still before ${id} of ${agent}: ${reason}`;
  return Object.assign(new Error(`${words}; ${GO_ON}`), { code: 'MODEL_STOPPED' });
}

function viewOf(trx: Transaction<Tables>, parts: CommandParts): CommandView {
  const one = async (where: { readonly id?: number; readonly name?: string }) => {
    const row = (await readCats(trx, parts.now(), where))[0];
    return row === undefined ? null : catRow(row);
  };
  return {
    cats: async () => (await readCats(trx, parts.now())).map(catRow),
    catByName: (name) => one({ name }),
    cat: (id) => one({ id }),
    async nextCatId() {
      const { highest } = await trx
        .selectFrom('event')
        .select((eb) => eb.fn.max('cat_id').as('highest'))
        .where('type', '=', fullType('cat.named'))
        .executeTakeFirstOrThrow();
      return (highest ?? 0) + 1;
    },
    event: (epoch, seq) => readEvent(trx, parts.names, epoch, seq),
    async newestOf(catId, types, limit) {
      const named = selectEvents(trx).where('cat_id', '=', catId).where('type', 'in', types);
      const newest = named.orderBy('time', 'desc').orderBy('epoch_no', 'desc').orderBy('seq', 'desc');
      return parts.names.events(trx, await newest.limit(limit).execute());
    },
    otherHalf: (event) => otherHalf(trx, parts.names, event),
  };
}

/** The nearest start or end of a shake of the same collar, in the same log; none where it is of the same kind. */
async function otherHalf(
  trx: Transaction<Tables>,
  names: EpochNames,
  event: CentralEvent,
): Promise<CentralEvent | null> {
  const { type, subject, epoch, seq, time } = event;
  if (!HALVES.includes(type) || subject === null) return null;
  const isStart = type === HALVES[0];
  const { no } = await trx.selectFrom('epoch').select('no').where('epoch', '=', epoch).executeTakeFirstOrThrow();
  const mine = selectEvents(trx).where('subject', '=', subject).where('epoch_no', '=', no).where('type', 'in', HALVES);
  const order = isStart ? 'asc' : 'desc';
  const rows = await mine
    .where('time', isStart ? '>=' : '<=', time)
    .where('seq', isStart ? '>' : '<', seq)
    .orderBy('time', order)
    .orderBy('epoch_no', order)
    .orderBy('seq', order)
    .limit(1)
    .execute();
  const [found = null] = await names.events(trx, rows);
  return found?.type === type ? null : found;
}
