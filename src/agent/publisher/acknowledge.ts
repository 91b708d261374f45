/** What the broker says of a batch, taken into the plan and the status. */
import type { EventBatch } from '../../contract/envelope.ts';
import type { Published } from '../../lib/mqtt-link.ts';
import { backoffMs } from '../../lib/wait.ts';
import { markOf } from './plan.ts';
import type { Flight } from './plan-state.ts';
import { apply, type Session, tellOnce } from './session-state.ts';

/** Between two lines about refused batches. */
const REFUSAL_LINE_MS = 60_000;
/** MQTT 5, 2.4. */
const PACKET_TOO_LARGE = 0x95;

export function acknowledged(session: Session, { id, epoch }: Flight): void {
  const { status } = session;
  status.acknowledged++;
  status.lastError = null;
  apply(session, { type: 'acked', flight: id });
  saveBrokerMark(session, epoch);
}

/** Where the broker's word is enough. */
export function saveBrokerMark(session: Session, epoch: string): void {
  const { log, rules, status } = session;
  const mark = markOf(session.plan, epoch);
  const head = log.epochs().find((one) => one.epoch === epoch);
  if (rules.confirm === 'store' || mark === null || head === undefined || mark <= head.storedSeq) return;
  log.saveMark(epoch, mark, log.incarnation ?? 'broker');
  status.confirmed();
}

export function refused(
  session: Session,
  flight: Flight,
  { reason, reasonCode }: Published & { readonly ok: false },
  { events, bytes }: { readonly events: EventBatch['events']; readonly bytes: number },
): void {
  const { plan, status, logger, retry, monoNow, random } = session;
  status.refusals++;
  if (reasonCode === PACKET_TOO_LARGE) {
    tooLarge(session, flight, events, bytes);
    return;
  }
  const now = monoNow();
  apply(session, { type: 'refused', flight: flight.id, pauseMs: backoffMs(plan.refusals, retry, random()) });
  status.lastError = `the broker does not pass our events on (${reason})`;
  if (session.refusalToldAt !== null && now - session.refusalToldAt < REFUSAL_LINE_MS) return;
  session.refusalToldAt = now;
  logger.warn({ reason }, `${status.lastError}: they stay in the log`);
}

/** It has announced no size: smaller batches follow, and an event alone is left out. */
function tooLarge(session: Session, { id, epoch }: Flight, events: EventBatch['events'], bytes: number): void {
  const [first] = events;
  apply(session, { type: 'too large', flight: id, bytes });
  if (first === undefined || events.length > 1) return;
  const name = `${epoch}/${first.seq}`;
  tellOversize(session, name, `event ${name} (${bytes} bytes) is larger than the broker takes: raise its limit`);
}

export function tellOversize(session: Session, name: string, text: string): void {
  session.status.oversize++;
  tellOnce(session, `oversize ${name}`, text);
}
