/** What the loops of one link share. */
import type { HealthMessage } from '../../contract/message.ts';
import type { SigningKey } from '../../contract/signature.ts';
import type { BackoffLimits } from '../../lib/wait.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Compare, Look } from './answer.ts';
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
  /** Both are shared by all links. */
  readonly epochGate: EpochGate;
  readonly lossGate: LossGate;
  readonly monoNow: () => number;
  readonly random: () => number;
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
  session.ring();
}

export function tellOnce(session: Session, key: string, text: string, level: 'warn' | 'error' = 'warn'): void {
  if (session.told.has(key) || session.told.size >= TOLD_LIMIT) return;
  session.told.add(key);
  session.logger[level]({}, text);
}
