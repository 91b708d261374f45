import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { type LeaseParts, underLease } from '../../../src/central/ownership/lease.ts';
import type { Etcd } from '../../../src/etcd/gateway.ts';
import { aborted } from '../../../src/lib/wait.ts';

const away = () => Object.assign(new Error('etcd does not answer'), { code: 'ETCD_AWAY' });

/** An etcd that answers to each renewal with the next of these, and with the last one for ever. */
function scripted(seconds: number, ...renewals: ('renewed' | 'gone' | 'away')[]) {
  const log: string[] = [];
  let asked = 0;
  const etcd: Pick<Etcd, 'grant' | 'keepAlive' | 'revoke'> = {
    grant: async () => ({ lease: '7', ttlSeconds: seconds }),
    async keepAlive() {
      const answer = renewals[Math.min(asked, renewals.length - 1)];
      asked += 1;
      if (answer === 'away') throw away();
      return answer === 'gone' ? null : { ttlSeconds: seconds };
    },
    async revoke(lease) {
      log.push(`revoked ${lease}`);
    },
  };
  let nowMs: number | null = null;
  const parts: LeaseParts = {
    etcd: etcd as Etcd,
    seconds,
    monoNow: () => nowMs ?? performance.now(),
    random: () => 0.5,
    logger: pino({}, { write: (line: string) => log.push((JSON.parse(line) as { msg: string }).msg) }),
  };
  return {
    parts,
    log,
    get asked() {
      return asked;
    },
    setNow(ms: number) {
      nowMs = ms;
    },
  };
}

describe('a lease', () => {
  it('that is gone at etcd ends the work, though its time is not over here', async () => {
    const script = scripted(0.3, 'renewed', 'gone');
    let heldAtEnd = true;
    await underLease(
      script.parts,
      async ({ held }, signal) => {
        await aborted(signal);
        heldAtEnd = held();
      },
      new AbortController().signal,
    );
    expect(heldAtEnd).toBe(false);
    expect(script.asked).toBe(2);
    expect(script.log).toEqual(['the lease has ended: what was held is given up', 'revoked 7']);
  });

  it('is held while etcd is away, until it would have ended, and no longer', async () => {
    const script = scripted(0.3, 'away');
    const beganAt = performance.now();
    await underLease(script.parts, (_lease, signal) => aborted(signal), new AbortController().signal);
    // From before it was asked for: it is over here no later than there.
    expect(performance.now() - beganAt).toBeGreaterThan(250);
    expect(script.asked).toBeGreaterThan(1);
    expect(script.log[0]).toMatch(/^etcd does not answer; what is held is held for \d+ ms more$/);
    expect(script.log.slice(1)).toEqual(['the lease has ended: what was held is given up', 'revoked 7']);
  });

  it('goes on when etcd answers again', async () => {
    const script = scripted(0.3, 'away', 'renewed');
    const stop = new AbortController();
    await underLease(
      script.parts,
      async ({ held }, signal) => {
        while (script.asked < 4 && !signal.aborted) await new Promise(setImmediate);
        expect(held()).toBe(true);
        stop.abort();
      },
      stop.signal,
    );
    expect(script.log).toContain('etcd answers again');
    expect(script.log.at(-1)).toBe('revoked 7');
  });

  it('is not held by who was asleep, before any timer has run', async () => {
    const script = scripted(60, 'renewed');
    await underLease(
      script.parts,
      async ({ held }) => {
        expect(held()).toBe(true);
        script.setNow(performance.now() + 61_000);
        expect(held()).toBe(false);
      },
      new AbortController().signal,
    );
  });

  it('is given back when the work ends or fails', async () => {
    const { signal } = new AbortController();
    const done = scripted(60, 'renewed');
    await underLease(done.parts, async () => undefined, signal);
    expect(done.log).toEqual(['revoked 7']);
    const failed = scripted(60, 'renewed');
    await expect(underLease(failed.parts, () => Promise.reject(new Error('broken')), signal)).rejects.toThrow('broken');
    expect(failed.log).toEqual(['revoked 7']);
  });
});
