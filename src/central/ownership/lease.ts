/**
 * A lease of etcd, kept alive. By this process's own clock it ends when etcd may have given it up: counted from before the question, by a
 * clock that only goes on. So whoever was asleep knows it on waking, without asking anybody.
 */
import type { Logger } from 'pino';
import type { Etcd } from '../../etcd/gateway.ts';
import { runAll } from '../../lib/run-all.ts';
import { childOf, delay } from '../../lib/wait.ts';

/** It is asked for again after so much of its time, with jitter. */
const RENEW_AFTER = 1 / 3;
const GOODBYE_MS = 2_000;

export interface LeaseParts {
  readonly etcd: Etcd;
  readonly seconds: number;
  readonly monoNow: () => number;
  readonly random: () => number;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

export interface Lease {
  readonly id: string;
  readonly held: () => boolean;
}

/**
 * Works under a lease; the signal that `work` gets aborts when the lease may have ended. Afterwards it is given back. Resolves once
 * `work` has; rejects as `work` does, or with code ETCD_AWAY where there is no lease to begin with.
 */
export async function underLease(
  parts: LeaseParts,
  work: (lease: Lease, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { etcd, seconds, monoNow } = parts;
  let asked = monoNow();
  const { lease: id, ttlSeconds } = await etcd.grant(seconds, signal);
  let endsAt = asked + ttlSeconds * 1_000;
  const life = childOf(signal);
  const held = () => !life.signal.aborted && monoNow() < endsAt;
  let isLost = false;
  const lose = () => {
    isLost = true;
    life.abort();
  };
  let timer: NodeJS.Timeout | undefined;
  const arm = () => {
    clearTimeout(timer);
    timer = setTimeout(lose, Math.max(0, endsAt - monoNow()));
  };
  const keep = async (stop: AbortSignal) => {
    let told = false;
    for (;;) {
      await delay(ttlSeconds * 1_000 * RENEW_AFTER * (0.8 + 0.4 * parts.random()), stop);
      if (stop.aborted) return;
      asked = monoNow();
      try {
        const renewed = await etcd.keepAlive(id, stop);
        // It is gone there, whatever our clock says.
        if (renewed === null) return lose();
        endsAt = asked + renewed.ttlSeconds * 1_000;
        arm();
        if (told) parts.logger.info('etcd answers again');
        told = false;
      } catch (error) {
        if (stop.aborted) return;
        const text = error instanceof Error ? error.message : String(error);
        const leftMs = Math.round(Math.max(0, endsAt - monoNow()));
        if (!told) parts.logger.warn(`${text}; what is held is held for ${leftMs} ms more`);
        told = true;
      }
    }
  };
  arm();
  try {
    const once = (stop: AbortSignal) => work({ id, held }, stop).finally(life.abort);
    await runAll([keep, once], life.signal);
  } finally {
    clearTimeout(timer);
    life.abort();
    life.release();
    if (isLost) parts.logger.warn('the lease has ended: what was held is given up');
    // Where nobody answers, it ends by itself.
    await etcd.revoke(id, AbortSignal.timeout(GOODBYE_MS)).catch(() => undefined);
  }
}
