/** What central says, taken into the plan and the log. */
import { chainHex } from '../../contract/chain.ts';
import type { StoredMessage } from '../../contract/message.ts';
import { markOf } from './plan.ts';
import { apply, type Session, tellOnce } from './session-state.ts';

/** Central that has just connected may be another store, or the same one from a backup: it is asked about everything. */
export function heardCentral(session: Session, online: boolean, fresh: boolean): void {
  session.central = online ? 'online' : 'offline';
  if (online && fresh) apply(session, { type: 'recheck' });
}

export async function heardStored(session: Session, message: StoredMessage): Promise<void> {
  const { log, rules, status } = session;
  if (rules.confirm === 'broker') return;
  const { epoch, seq, need, incarnation } = message;
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
  if (seq > head.lastSeq) return disown(session, epoch, seq, epoch === heads.at(-1)?.epoch);
  const chain = await log.chainAt(epoch, seq);
  const conflicting = chain !== null && chainHex(chain) !== chainHex(message.chain);
  if (conflicting) {
    status.conflicting = true;
    log.holdTrimming();
    const text = `central holds another history of epoch ${epoch} up to ${seq}: nothing is trimmed, run collard verify`;
    tellOnce(session, `conflict ${epoch}`, text, 'error');
  }
  const isOther = session.incarnation !== null && session.incarnation !== incarnation;
  session.incarnation = incarnation;
  const before = head.storedSeq;
  apply(session, { type: 'stored', epoch, seq, need, other: isOther });
  const mark = markOf(session.plan, epoch);
  // The evidence stays: a mark over another history is kept for this link only.
  if (mark !== null && !conflicting && (mark !== before || isOther || log.incarnation === null)) {
    log.saveMark(epoch, mark, incarnation);
  }
  if (!conflicting && mark !== null && mark > before) status.confirmed();
  if (isOther) {
    session.logger.warn({ incarnation }, 'central is another store than before: it gets what it misses');
    apply(session, { type: 'recheck' });
  }
}

/** A mark above what we hold: this card was cloned, restored, or lied about a flush. Its numbers are used up. */
async function disown(session: Session, epoch: string, seq: number, current: boolean): Promise<void> {
  const { log, logger } = session;
  log.holdTrimming();
  if (current) {
    const next = await log.startEpoch('mark above the log');
    logger.error(
      { epoch, seq, next },
      'central holds events of this epoch that are not in this log: a new epoch begins',
    );
    apply(session, { type: 'log', epochs: log.epochs() });
  }
  apply(session, { type: 'disowned', epoch });
}
