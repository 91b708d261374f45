/** What the loops of one link share. */
import type { HealthMessage } from '../../contract/message.ts';
import type { SigningKey } from '../../contract/signature.ts';
import type { BackoffLimits } from '../../lib/wait.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Compare, Look } from './answer.ts';
import type { BatchLimit } from './batch-limit.ts';
import type { EpochGate } from './epoch-gate.ts';
import type { LossGate } from './loss-gate.ts';
import { step } from './plan.ts';
import type { Plan, PlanInput, PlanRules } from './plan-state.ts';
import type { Publisher } from './publisher.ts';
import type { ForwardStatus } from './status.ts';

/** Different lines that are remembered as told on one link. */
const TOLD_LIMIT = 100;

export interface Logger {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface SessionParts {
  readonly publisher: Publisher;
  readonly log: EventLog;
  /** Signs what goes out; null where there is none. */
  readonly key: SigningKey | null;
  readonly rules: PlanRules;
  readonly retry: BackoffLimits;
  /** There are other brokers, and central may be at one of them. */
  readonly elsewhere: boolean;
  readonly healthEveryMs: number;
  readonly health: () => HealthMessage | Promise<HealthMessage>;
  readonly look?: Look | undefined;
  readonly compare?: Compare | undefined;
  readonly status: ForwardStatus;
  readonly logger: Logger;
  /** All three are shared by all links. */
  readonly epochGate: EpochGate;
  readonly lossGate: LossGate;
  readonly sizes: Sizes;
  readonly monoNow: () => number;
  readonly random: () => number;
}

/** What is known of the size up to which a broker takes messages. */
export interface Sizes {
  /** Of the last link; null: there was none. */
  limit: BatchLimit | null;
  isTold: boolean;
}

export interface Session extends SessionParts {
  plan: Plan;
  /** Of the last mark: another one is told and asked about once. */
  incarnation: string | null;
  /** When that was last another one than before; when to ask about everything, or null; and when that last was. */
  otherAt: number;
  recheckAt: number | null;
  recheckedAt: number;
  central: 'unknown' | 'online' | 'offline';
  /** What has been told once on this link. */
  readonly told: Set<string>;
  /** Epochs whose `sync` is on its way to the broker. */
  readonly asking: Set<string>;
  refusalToldAt: number | null;
  /** Wakes the sender. */
  readonly ring: () => void;
}

export function apply(session: Session, input: PlanInput): void {
  session.plan = step(session.plan, input, session.monoNow(), session.rules);
  tellSize(session);
  session.ring();
}

/** Once, until a batch of that size has come through. */
function tellSize(session: Session): void {
  const { sizes, status, logger } = session;
  const { stuck, isSize, missedBytes } = session.plan.limit;
  if (stuck !== null) tellOnce(session, `stuck ${stuck.epoch}/${stuck.seq}`, stuckText(stuck));
  if (missedBytes === null) sizes.isTold = false;
  if (!isSize || missedBytes === null || sizes.isTold) return;
  sizes.isTold = true;
  status.lastError = sizeText(missedBytes);
  logger.warn({ bytes: missedBytes }, status.lastError);
}

/** Why nothing gets through, where it is the size; otherwise null. */
export function sizeTrouble({ stuck, missedBytes }: BatchLimit): string | null {
  if (stuck !== null) return stuckText(stuck);
  return missedBytes === null ? null : sizeText(missedBytes);
}

function sizeText(bytes: number): string {
  return `the broker seems to drop messages above ${bytes} bytes: raise its message_size_limit (mosquitto) or set forward.batchEvents lower`;
}

function stuckText({ epoch, seq, bytes }: NonNullable<BatchLimit['stuck']>): string {
  return `the broker seems to drop event ${epoch}/${seq} alone (${bytes} bytes): raise its message_size_limit (mosquitto)`;
}

export function tellOnce(session: Session, key: string, text: string, level: 'warn' | 'error' = 'warn'): void {
  if (session.told.has(key) || session.told.size >= TOLD_LIMIT) return;
  session.told.add(key);
  session.logger[level]({}, text);
}
