/**
 * What central does while its database is away: it lives on, takes nothing in, answers no `stored`, says that it is not ready, and
 * asks again and again. Agents keep what is not stored, and the broker keeps its session.
 */
import type { Logger } from 'pino';
import { type BackoffLimits, backoffMs, delay } from '../lib/wait.ts';
import type { RecoverableStore } from './store/recoverable.ts';

export interface OutageParts {
  readonly store: Pick<RecoverableStore, 'recover'>;
  readonly retry: BackoffLimits;
  readonly random: () => number;
  readonly logger: Pick<Logger, 'warn' | 'info'>;
}

export interface Outage {
  /** Why nothing can be stored now, or null. */
  reason(): string | null;
  /**
   * Resolves once the database is there again, or when the signal aborts. Rejects with `error` itself where that is no outage, and
   * with what the database has become where it cannot be worked with.
   */
  over(error: unknown, signal: AbortSignal): Promise<void>;
}

export function createOutage({ store, retry, random, logger }: OutageParts): Outage {
  let away: string | null = null;
  let recovering: Promise<void> | null = null;
  // Several loops wait for the same: it is asked once at a time.
  const recover = () => {
    recovering ??= store.recover().finally(() => {
      recovering = null;
    });
    return recovering;
  };
  return {
    reason: () => away,
    async over(error, signal) {
      for (let attempt = 0, reason = error; ; attempt += 1) {
        if (!isAway(reason)) throw reason;
        if (away === null) logger.warn({ code: reason.code }, `nothing can be stored: ${reason.message}`);
        away = reason.message;
        await delay(backoffMs(attempt, retry, random()), signal);
        if (signal.aborted) return;
        try {
          await recover();
          if (away !== null) logger.info('the database is there again');
          away = null;
          return;
        } catch (again) {
          reason = again;
        }
      }
    },
  };
}

export function isAway(error: unknown): error is Error & { readonly code: 'STORE_AWAY' } {
  return error instanceof Error && 'code' in error && error.code === 'STORE_AWAY';
}

/** A database that is away is waited for; what else a store says ends the loop. */
export function storeFailed(cause: unknown): Error {
  if (isAway(cause)) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return Object.assign(new Error(`the store failed: ${text}`, { cause }), { code: 'STORE_FAILED' });
}

/** Asks again once the database is there again. Rejects with the signal's reason, or as `work` does. */
export async function lasting<T>(outage: Outage, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isAway(error)) throw error;
      await outage.over(error, signal);
    }
  }
}
