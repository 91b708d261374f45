/**
 * What central does while its database is away: it lives on, takes nothing in, answers no `stored`, says that it is not ready, and
 * asks again and again. Agents keep what is not stored, and the broker keeps its session. A database that is lost ends it.
 */
import type { Logger } from 'pino';
import { aborted, type BackoffLimits, backoffMs, delay, orAborted } from '../lib/wait.ts';
import type { RecoverableStore } from './store/recoverable.ts';

export interface OutageParts {
  readonly store: Pick<RecoverableStore, 'recover' | 'lost'>;
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
    reason: () => (store.lost.aborted ? (store.lost.reason as Error).message : away),
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

/** The store is lost for this process: see `RecoverableStore.lost`. */
export function isLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STORE_FAILED';
}

/** Ends all at once, also where whoever met it has only told a stranger, and nobody else asks. Rejects with code STORE_FAILED. */
export async function runUntilLost({ lost }: Pick<RecoverableStore, 'lost'>, signal: AbortSignal): Promise<void> {
  await orAborted(aborted(lost), signal);
  lost.throwIfAborted();
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
