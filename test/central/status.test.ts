import { describe, expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../src/central/open-store.ts';
import { etcdOf } from '../../src/central/ownership/etcd-of.ts';
import { keysOf } from '../../src/central/ownership/view.ts';
import { concernsOf, statusOf } from '../../src/central/status.ts';
import type { Store } from '../../src/central/store/store.ts';
import { shardName, shardOf } from '../../src/contract/topic.ts';
import { etcdPath } from '../clusters/paths.ts';
import { startEtcd } from '../etcd/servers.ts';
import { freePort, requireServer } from '../servers.ts';
import { at, epochId, meowing, NOW } from './store/events.ts';

const shard = shardOf('porch');
const { signal } = new AbortController();
const now = new Date(NOW);

async function openShared(): Promise<Store> {
  const store = await openStore({ url: 'sqlite::memory:', shared: true });
  onTestFinished(() => store.close());
  return store;
}

const worker = (id: string, heardAt: string) => ({
  ...{ id, host: 'box', pid: 7, http: 'http://box:8321/', version: '1' },
  ...{ startedAt: NOW, heardAt },
});

/** `one` has the shard of porch, and of its 10 events 4 are folded; 2 more are known, 1 of them is stored. */
async function fill(store: Store): Promise<void> {
  await store.saveWorker(worker('one', NOW));
  await store.saveWorker(worker('other', at(-60)));
  const porch = meowing('porch', epochId(1), 12);
  const own = { token: await store.takeShard(shard, { token: null, owner: 'one' }), owner: 'one' };
  await store.ofShard(shard, own).ingest(porch.batch(1, 4), NOW);
  await store.project(100);
  await store.ofShard(shard, own).ingest(porch.batch(5, 10), NOW);
  await store.ofShard(shard, own).ingest(porch.batch(12, 12), NOW);
}

describe('the status of several centrals', () => {
  it('is known without etcd', async () => {
    const store = await openShared();
    await fill(store);
    await store.takeLead({ token: null, owner: 'other' });
    const status = await statusOf(
      store,
      { group: 'central', workers: { shards: '0-63', leaseSeconds: 10 } },
      now,
      signal,
    );
    expect(status.workers).toMatchObject([
      { id: 'one', isThere: true, leads: false, shards: 1 },
      { id: 'other', isThere: false, leads: false, shards: 0 },
    ]);
    expect(status.shards).toEqual([
      {
        ...{ shard: shardName(shard), owner: 'one', worker: 'one', token: 1 },
        ...{ arrived: 11, positioned: 10, projected: 4, waiting: 7, awaited: 2, oldestWaiting: at(4) },
        epochs: [{ agent: 'porch', epoch: epochId(1), mark: 10, highestSeq: 12 }],
      },
    ]);
    expect(concernsOf(status)).toEqual([
      '63 of 64 shards have no worker: what their agents send waits',
      expect.stringContaining('nobody leads'),
    ]);
  });

  it('of a central alone is nobody’s concern', async () => {
    const store = await openStore({ url: 'sqlite::memory:' });
    onTestFinished(() => store.close());
    await store.ingest(meowing('porch', epochId(1), 2).batch(1, 2), NOW);
    const status = await statusOf(store, { group: 'central', workers: undefined }, now, signal);
    expect(status).toMatchObject({ workers: [], lead: null, shards: [{ owner: null, worker: null, waiting: 2 }] });
    expect(concernsOf(status)).toEqual([]);
    const shared = await statusOf(
      store,
      { group: 'central', workers: { shards: '0-63', leaseSeconds: 10 } },
      now,
      signal,
    );
    expect(concernsOf(shared)).toEqual(['no worker runs: start collard central --worker']);
  });

  it('is what the store knows where etcd does not answer, and says so', async () => {
    const store = await openShared();
    await fill(store);
    const etcd = [`http://127.0.0.1:${await freePort()}`];
    const status = await statusOf(store, { group: 'central', workers: { etcd, leaseSeconds: 10 } }, now, signal);
    expect(status.shards[0]).toMatchObject({ worker: 'one' });
    expect(concernsOf(status)[0]).toMatch(/does not answer.*What is shown is what the store knows$/);
  });

  it.skipIf(!requireServer('etcd', etcdPath, 'etcd-server'))('is who holds leases where it does', async () => {
    const server = await startEtcd();
    onTestFinished(() => server.stop());
    const store = await openShared();
    await fill(store);
    const etcd = etcdOf({}, [server.url], 5_000);
    const keys = keysOf('central');
    const { lease } = await etcd.grant(60, signal);
    const registration = { id: 'other', host: 'box', pid: 7, http: 'http://box:8321/', version: '1' };
    await etcd.commit(
      [],
      [
        { put: keys.worker(lease), value: JSON.stringify(registration), lease },
        { put: keys.duty('lead'), value: 'other', lease },
        { put: keys.duty(shard), value: 'other', lease },
      ],
      signal,
    );
    const config = { group: 'central', workers: { etcd: [server.url], leaseSeconds: 10 } };
    const status = await statusOf(store, config, now, signal);
    expect(status).toMatchObject({ lead: 'other', etcd: null, shards: [{ owner: 'one', worker: 'other' }] });
    expect(status.workers).toMatchObject([
      { id: 'one', isThere: false, shards: 0 },
      { id: 'other', isThere: true, leads: true, shards: 1 },
    ]);
  });
});
