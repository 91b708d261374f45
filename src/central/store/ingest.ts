/** What agents said, written, and what they are told then. */
import { setImmediate } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { BatchEcho } from '../../contract/message.ts';
import type { Holdings } from './fence.ts';
import { moveTimes } from './move-times.ts';
import type { IngestBatch, IngestResult, IngestStore, Outcome, Work } from './store.ts';
import type { EpochTable, Tables } from './tables.ts';
import { transact } from './transact.ts';
import { storedMessage } from './walk.ts';
import { type Written, writeWorks } from './write-works.ts';

/** What is said of an epoch once all is walked over. */
type Answer = Pick<IngestResult, 'stored' | 'chainOk'>;

/** `holdings`: see `heldShard`. */
export function createIngest(
  db: Kysely<Tables>,
  holdings: Holdings | null,
  incarnation: () => string,
): Pick<IngestStore, 'ingest' | 'sync' | 'ingestAll'> {
  const answerOf = async (epoch: EpochTable): Promise<Answer> => ({
    stored: await storedMessage(db, incarnation(), epoch),
    chainOk: epoch.chain_ok === 1,
  });
  const walked = (epochNo: number) =>
    db.selectFrom('epoch').selectAll().where('no', '=', epochNo).executeTakeFirstOrThrow();
  const ingestAll = async (works: readonly Work[], now: string): Promise<readonly Outcome[]> => {
    const written = await writeWorks(db, works, holdings, now);
    if (written.some((one) => one.type === 'batch' && one.appended.movesTimes)) await moveAll(db);
    const moved = new Set(written.flatMap((one) => ('walked' in one ? one.walked.moved : [])));
    const answers = new Map<number, Answer>();
    const outcomes: Outcome[] = [];
    // The last one of an epoch knows how it is now.
    for (const one of written.toReversed()) {
      if ('epoch' in one) {
        const { no } = one.epoch;
        const answer = answers.get(no) ?? (await answerOf(moved.has(no) ? await walked(no) : one.epoch));
        answers.set(no, answer);
        outcomes.unshift(outcomeOf(one, answer));
      } else outcomes.unshift(one);
    }
    return outcomes;
  };
  const alone = async <T extends Outcome['type']>(work: Work, now: string): Promise<Extract<Outcome, { type: T }>> => {
    const [outcome] = await ingestAll([work], now);
    if (outcome?.type === 'failed') throw outcome.error;
    return outcome as Extract<Outcome, { type: T }>;
  };
  return {
    ingestAll,
    async ingest(batch, now) {
      const { result } = await alone<'ingested'>({ type: 'batch', batch }, now);
      return result;
    },
    async sync(agent, message, now) {
      const { stored } = await alone<'answered'>({ type: 'sync', agent, message }, now);
      return stored;
    },
  };
}

function outcomeOf(one: Written, { stored, chainOk }: Answer): Outcome {
  if (one.type === 'sync') return { type: 'answered', stored: { ...stored, batch: null } };
  const { batch, appended } = one;
  const { walks: _, movesTimes: __, ...counted } = appended;
  return {
    type: 'ingested',
    result: { ...counted, stored: { ...stored, batch: echoOf(batch, counted.inserted) }, chainOk },
  };
}

/** What it does not come to, as when the process ends, the project loop does. */
async function moveAll(db: Kysely<Tables>): Promise<void> {
  do await setImmediate();
  while (await transact(db, moveTimes));
}

/** All of a batch that is new shows by the mark and by `need`. */
function echoOf({ events, chain }: IngestBatch, inserted: number): BatchEcho | null {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined || chain === null || inserted === events.length) return null;
  return { from: first.seq, to: last.seq, chain };
}
