/** Several workers in one process over a real etcd. The store is a map of tokens. */
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { etcdOf } from '../../../src/central/ownership/etcd-of.ts';
import { type EtcdOwnerParts, runByEtcd } from '../../../src/central/ownership/etcd-owner.ts';
import type { Duty } from '../../../src/central/ownership/ownership.ts';
import { takeByClaim } from '../../../src/central/ownership/take-by-claim.ts';
import { type Keys, keysOf } from '../../../src/central/ownership/view.ts';
import type { Etcd } from '../../../src/etcd/gateway.ts';
import { aborted } from '../../../src/lib/wait.ts';
import { etcdPath } from '../../clusters/paths.ts';
import { type EtcdServer, startEtcd } from '../../etcd/servers.ts';
import { requireServer, until } from '../../servers.ts';

const SHARDS = [0, 1, 2, 3, 4, 5, 6, 7];
const { signal } = new AbortController();
const fenced = () => Object.assign(new Error('it belongs to somebody else now'), { code: 'FENCED' });

describe.skipIf(!requireServer('etcd', etcdPath, 'etcd-server'))('duties by etcd', () => {
  let server: EtcdServer;
  let etcd: Etcd;
  let groups = 0;
  beforeAll(async () => {
    server = await startEtcd();
    etcd = etcdOf({}, [server.url], 5_000);
  });
  afterAll(() => server.stop());

  const newKeys = () => {
    groups += 1;
    return keysOf(`group${groups}`);
  };

  /** As the store does it: a lower token than the highest is refused. */
  const createTokens = (highest = 0) => {
    const tokens = new Map<Duty, number>();
    return {
      tokens,
      highest: () => Math.max(highest, ...tokens.values()),
      async take(duty: Duty, token: number | null) {
        const taken = token ?? 0;
        if (taken < Math.max(highest, tokens.get(duty) ?? 0)) throw fenced();
        tokens.set(duty, taken);
        return taken;
      },
    };
  };

  const start = (
    keys: Keys,
    store: ReturnType<typeof createTokens>,
    name: string,
    more: Partial<EtcdOwnerParts> = {},
  ) => {
    const stop = new AbortController();
    const has = new Map<Duty, number>();
    const log: string[] = [];
    const parts: EtcdOwnerParts = {
      etcd,
      keys,
      seconds: 2,
      shards: SHARDS,
      registration: { id: name, host: 'box', pid: 1, http: '', version: '1' },
      monoNow: () => performance.now(),
      random: () => 0.5,
      logger: pino({}, { write: (line: string) => log.push((JSON.parse(line) as { msg: string }).msg) }),
      highestToken: async () => store.highest(),
      ready: async () => undefined,
      unfitSince: () => null,
      take: store.take,
      async hold(duty, { token }, end) {
        has.set(duty, token);
        await aborted(end);
        has.delete(duty);
      },
      ...more,
    };
    const running = runByEtcd(parts, stop.signal);
    onTestFinished(async () => {
      stop.abort();
      await running.catch(() => undefined);
    });
    return {
      has,
      log,
      running,
      stop: async () => {
        stop.abort();
        await running;
      },
    };
  };

  it('are shared with who comes and taken over from who goes, each held by one at a time', async () => {
    const [keys, store] = [newKeys(), createTokens()];
    const one = start(keys, store, 'one');
    await until('one has all', () => one.has.size === 9);
    const two = start(keys, store, 'two');
    const three = start(keys, store, 'three');
    const sizes = () => [one, two, three].map(({ has }) => [...has.keys()].filter((duty) => duty !== 'lead').length);
    await until('they share', () => Math.max(...sizes()) === 3 && sizes().reduce((sum, n) => sum + n, 0) === 8);
    const duties = [...one.has.keys(), ...two.has.keys(), ...three.has.keys()];
    expect(new Set(duties).size).toBe(9);
    expect(one.has.has('lead')).toBe(true);
    await one.stop();
    await until('the others have its shards', () => two.has.size + three.has.size === 9);
    expect(one.has.size).toBe(0);
    expect((await etcd.range(keys.worker(''), signal)).entries).toHaveLength(2);
  });

  it('have tokens above those of a store that was worked on without it', async () => {
    const [keys, store] = [newKeys(), createTokens(1_000_000)];
    const one = start(keys, store, 'one');
    await until('it has all', () => one.has.size === 9);
    expect(Math.min(...one.has.values())).toBeGreaterThan(1_000_000);
  });

  it('that the store refuses are left alone for a while, and others are done', async () => {
    const [keys, store] = [newKeys(), createTokens()];
    let refused = 0;
    const one = start(keys, store, 'one', {
      async hold(duty, _held, end) {
        if (duty === 3 && refused < 1) {
          refused += 1;
          throw Object.assign(new Error('the store failed', { cause: fenced() }), { code: 'STORE_FAILED' });
        }
        if (duty === 3) one.has.set(duty, 1);
        await aborted(end);
      },
    });
    await until('it is done again', () => one.has.has(3));
    expect(one.log.filter((line) => line.includes('dropped here'))).toHaveLength(1);
  });

  it('are left to others by who cannot do them, and its fault ends a worker', async () => {
    const [keys, store] = [newKeys(), createTokens()];
    let unfit: number | null = null;
    let ready = 0;
    const one = start(keys, store, 'one', {
      unfitSince: () => unfit,
      ready: async () => {
        ready += 1;
        unfit = null;
      },
    });
    await until('it has all', () => one.has.size === 9);
    unfit = performance.now() - 10_000;
    await until('it has let go, and asks for a lease only once it can', () => ready === 2);
    await until('it has all again', () => one.has.size === 9);
    const two = start(keys, store, 'two', { hold: () => Promise.reject(new Error('a fault')) });
    await expect(two.running).rejects.toThrow('a fault');
  });

  it('of a claim that is gone are not taken, though the store would let them', async () => {
    const [keys, store] = [newKeys(), createTokens()];
    const parts = { etcd, keys, take: store.take, highestToken: async () => store.highest() };
    const claim = async () => {
      const key = keys.duty(1);
      const { revision } = await etcd.commit([{ key, createRevision: 0 }], [{ put: key, value: 'x' }], signal);
      return revision;
    };
    const first = await claim();
    await etcd.commit([], [{ delete: keys.duty(1) }], signal);
    const second = await claim();
    const token = await takeByClaim(parts, 1, second, signal);
    expect(token).toBeGreaterThan(first);
    // It was asleep since before the second claim.
    await expect(takeByClaim(parts, 1, first, signal)).rejects.toMatchObject({ code: 'FENCED' });
    expect(store.tokens.get(1)).toBe(token);
    // A central without etcd was there: who holds the claim comes after it.
    await store.take(1, token + 500);
    expect(await takeByClaim(parts, 1, second, signal)).toBeGreaterThan(token + 500);
  });
});
