/** What is old leaves the store for sealed segments, once a day beside the project loop. */
import type { Logger } from 'pino';
import { aborted, delay } from '../lib/wait.ts';
import type { CentralConfig } from './config.ts';
import { isLost } from './outage.ts';
import type { Expired, ExpireOptions, RetentionStore } from './store/retention-store.ts';

const DAY_MS = 86_400_000;
/** After a start others come first: agents send what they have kept. */
const FIRST_MS = 60_000;

export interface RetainParts {
  readonly store: RetentionStore;
  /** Absent: all is kept for ever. */
  readonly retention: CentralConfig['retention'];
  readonly clock: () => Date;
  readonly logger: Logger;
  readonly firstMs?: number;
}

/**
 * Resolves after the signal aborted. A run that fails deletes nothing more; it is told, and tried again the next day. Rejects with code
 * STORE_FAILED where the store is lost.
 */
export async function runRetain(parts: RetainParts, signal: AbortSignal): Promise<void> {
  const { store, retention, clock, logger, firstMs = FIRST_MS } = parts;
  if (retention === undefined) return aborted(signal);
  await delay(firstMs, signal);
  while (!signal.aborted) {
    try {
      const { segments, events, waiting } = await retain(store, retention, clock(), { signal });
      if (segments > 0) logger.info({ segments, events }, 'old events are in sealed segments now');
      if (waiting !== null) logger.info({ waiting }, 'retention waits until tomorrow');
    } catch (error) {
      if (isLost(error)) throw error;
      logger.error({ err: error }, 'old events could not be moved into segments, and stay');
    }
    await delay(DAY_MS, signal);
  }
}

/** One run. */
export function retain(
  store: RetentionStore,
  { keepDays, segments: dir }: NonNullable<CentralConfig['retention']>,
  now: Date,
  options: Pick<ExpireOptions, 'signal' | 'told'>,
): Promise<Expired> {
  return store.expire({ dir, before: new Date(now.getTime() - keepDays * DAY_MS).toISOString(), ...options });
}
