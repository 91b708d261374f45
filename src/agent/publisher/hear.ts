/** What central says, taken into the plan and the log. */
import { chainHex } from '../../contract/chain.ts';
import type { EventData } from '../../contract/event.ts';
import type { StoredMessage } from '../../contract/message.ts';
import type { EpochHead } from '../log/event-log.ts';
import { markOf, untoldOf } from './plan.ts';
import { apply, type Session, tellOnce } from './session-state.ts';

/** Central that has just connected may be another store, or the same one from a backup: it is asked about everything. */
export function heardCentral(session: Session, online: boolean, fresh: boolean): void {
  session.central = online ? 'online' : 'offline';
  if (online && fresh) recheckFrom(session, session.recheckedAt + session.rules.syncAnswerMs);
}

/** Another store than before may speak so often; in between it is not heard, and then all is asked anew. */
export const OTHER_EVERY_MS = 60_000;

export async function heardStored(session: Session, message: StoredMessage): Promise<void> {
  const { log, rules, status } = session;
  if (rules.confirm === 'broker') return;
  const { epoch, seq, incarnation } = message;
  const heads = log.epochs();
  const head = heads.find((one) => one.epoch === epoch);
  if (head === undefined) {
    return tellOnce(
      session,
      `foreign ${epoch}`,
      `central confirms epoch ${epoch}, which this log does not have: ignored`,
    );
  }
  session.central = 'online';
  // Also where nothing waits: what we asked has got through.
  status.lastError = null;
  const store = storeOf(session, incarnation);
  if (store === 'too soon') return;
  const chain = seq > head.lastSeq ? null : await log.chainAt(epoch, seq);
  const heard: Heard = { ...message, head, other: store === 'other' };
  await heardOfBatch(session, heard);
  if (seq > head.lastSeq) await above(session, heard);
  else if (chain !== null && chainHex(chain) !== chainHex(message.chain)) await conflicting(session, heard);
  else believe(session, heard);
  await tellGone(session, epoch);
  if (store === 'same') return;
  // From now on this store is the one that is known. What another one has confirmed of ended epochs is nothing to it: also on the next
  // link, where nobody would ask, its marks must not stand.
  for (const { epoch: ended, storedSeq } of heads.slice(0, -1))
    if (ended !== epoch && storedSeq > 0) log.saveMark(ended, 0, incarnation);
  session.logger.warn({ incarnation }, 'central is another store than before: it gets what it misses');
  apply(session, { type: 'recheck', other: true });
}

interface Heard extends StoredMessage {
  readonly head: EpochHead;
  /** From another store than the message before. */
  readonly other: boolean;
}

/** A batch of ours came to central; one of another history under the same numbers has another chain. */
async function heardOfBatch(session: Session, { head, epoch, batch }: Heard): Promise<void> {
  if (!batch || batch.to > head.lastSeq) return;
  const chain = await session.log.chainAt(epoch, batch.to);
  if (chain === null || chainHex(chain) !== chainHex(batch.chain)) return;
  apply(session, { type: 'came', epoch, from: batch.from, to: batch.to });
}

function storeOf(session: Session, incarnation: string): 'same' | 'other' | 'too soon' {
  const before = session.incarnation;
  if (before !== null && before !== incarnation) {
    if (session.monoNow() - session.otherAt < OTHER_EVERY_MS) {
      recheckFrom(session, session.otherAt + OTHER_EVERY_MS);
      tellOnce(session, 'incarnations', 'several stores speak as central: one at a time is heard');
      return 'too soon';
    }
    session.otherAt = session.monoNow();
  }
  session.incarnation = incarnation;
  if (before !== null) return before === incarnation ? 'same' : 'other';
  // Marks of no store that is known, as after a damaged log was saved: central may have been put back since.
  return session.log.epochs().some(({ storedSeq }) => storedSeq > 0) ? 'other' : 'same';
}

/** Asks about everything, now or when the time has come: who says "online" over and over must not be asked each time. */
function recheckFrom(session: Session, at: number): void {
  session.recheckAt = Math.min(session.recheckAt ?? at, at);
  recheckLate(session);
}

export function recheckLate(session: Session): void {
  if (session.recheckAt === null || session.monoNow() < session.recheckAt) return;
  session.recheckAt = null;
  session.recheckedAt = session.monoNow();
  apply(session, { type: 'recheck' });
}

/** Our history up to the mark. */
function believe(session: Session, { head, epoch, seq, need, incarnation, other, batch }: Heard): void {
  const { log, status } = session;
  apply(session, { type: 'stored', epoch, seq, need, other, names: batch !== undefined });
  const mark = markOf(session.plan, epoch);
  if (mark === null) return;
  if (mark !== head.storedSeq || other || log.incarnation === null) log.saveMark(epoch, mark, incarnation);
  if (mark > head.storedSeq) status.confirmed();
}

/** Once for each loss: the log knows what is told, and `history.lost` goes to central before all else. */
async function tellGone(session: Session, epoch: string): Promise<void> {
  const { plan, log, lossGate, logger } = session;
  const untold = untoldOf(plan, epoch);
  if (untold.length === 0 || !lossGate.pass(epoch)) return;
  const lost = await log.tellMissing(epoch, untold);
  if (lost === 0) return;
  logger.error(
    { epoch, lost },
    `central lacks ${lost} events of epoch ${epoch} that are not in this log: lost, and told`,
  );
}

/** A mark above what we hold: this card was cloned, restored, or lied about a flush. Its numbers are used up. */
async function above(session: Session, heard: Heard): Promise<void> {
  const { head, epoch, seq } = heard;
  // Where all of ours was confirmed before, nothing is at stake.
  if (head.storedSeq < head.lastSeq) {
    session.log.holdTrimming();
    const text = `central holds events of epoch ${epoch} up to ${seq}, this log ends at ${head.lastSeq}: what is missing here is there`;
    tellOnce(session, `above ${epoch}`, text, 'error');
  }
  if (await leave(session, epoch, 'mark above the log')) disown(session, heard);
}

/** Another history up to the mark: what follows must not go on under its numbers. What differs goes to central as conflicts. */
async function conflicting(session: Session, heard: Heard): Promise<void> {
  const { log, status } = session;
  const { epoch, seq } = heard;
  status.conflicting = true;
  log.holdTrimming();
  const text = `central holds another history of epoch ${epoch} up to ${seq}: nothing is trimmed, run collard verify`;
  tellOnce(session, `conflict ${epoch}`, text, 'error');
  const reason = 'chains differ';
  if (await leave(session, epoch, reason, { epoch, seq, reason })) disown(session, heard);
}

/** False: it is the current epoch, and for now it must stay so. */
async function leave(
  session: Session,
  epoch: string,
  reason: string,
  conflict?: EventData['history.conflict'],
): Promise<boolean> {
  const { log, logger, epochGate } = session;
  if (log.epochs().at(-1)?.epoch !== epoch) return true;
  if (!epochGate.pass()) {
    const text = `a new epoch began not long ago: what central says of ${epoch} (${reason}) is left aside for a while`;
    tellOnce(session, `gate ${epoch}`, text);
    return false;
  }
  const next = await log.startEpoch(reason, conflict);
  logger.error({ epoch, next, reason }, `a new epoch begins: ${reason}`);
  apply(session, { type: 'log', epochs: log.epochs() });
  return true;
}

/** Sent once; when central has answered after that, nothing of it waits any more, also not after the next start. */
function disown(session: Session, { head, epoch, seq, need, incarnation, other, batch }: Heard): void {
  session.log.disown(epoch);
  apply(session, { type: 'disowned', epoch, seq, other });
  apply(session, { type: 'stored', epoch, seq, need, names: batch !== undefined });
  const mark = markOf(session.plan, epoch);
  if (mark !== null && mark !== head.storedSeq) session.log.saveMark(epoch, mark, incarnation);
}
