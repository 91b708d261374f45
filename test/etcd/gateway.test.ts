import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEtcd, type Etcd } from '../../src/etcd/gateway.ts';
import { watchFrames } from '../../src/etcd/watch-frames.ts';
import { etcdPath } from '../clusters/paths.ts';
import { freePort, requireServer, until } from '../servers.ts';
import { type EtcdServer, startEtcd } from './servers.ts';

const { signal } = new AbortController();

describe.skipIf(!requireServer('etcd', etcdPath, 'etcd-server'))('etcd by its gateway', () => {
  let server: EtcdServer;
  let etcd: Etcd;
  beforeAll(async () => {
    server = await startEtcd();
    // Nobody is at the first address.
    const endpoints = [`http://127.0.0.1:${await freePort()}`, server.url];
    etcd = createEtcd({ endpoints, timeoutMs: 5_000, settings: { address: 'workers.etcd', user: 'workers.username' } });
  });
  afterAll(() => server.stop());

  it('lets one of two claim a key, and tells its revision', async () => {
    const claim = (value: string) => etcd.commit([{ key: 'a/1', createRevision: 0 }], [{ put: 'a/1', value }], signal);
    const first = await claim('größer');
    expect(first.succeeded).toBe(true);
    expect((await claim('second')).succeeded).toBe(false);
    const { entries, revision } = await etcd.range('a/', signal);
    expect(entries).toEqual([
      { key: 'a/1', value: 'größer', createRevision: first.revision, modRevision: first.revision, lease: '0' },
    ]);
    expect(revision).toBeGreaterThanOrEqual(first.revision);
    const changed = [{ key: 'a/1', modRevision: first.revision + 1 }];
    expect((await etcd.commit(changed, [{ delete: 'a/1' }], signal)).succeeded).toBe(false);
    const still = [{ key: 'a/1', modRevision: first.revision }];
    expect((await etcd.commit(still, [{ delete: 'a/1' }], signal)).succeeded).toBe(true);
    expect((await etcd.range('a/', signal)).entries).toEqual([]);
  });

  it('lets keys go with their lease, which is not renewed once it is gone', async () => {
    const { lease, ttlSeconds } = await etcd.grant(60, signal);
    expect(ttlSeconds).toBe(60);
    await etcd.commit([], [{ put: 'b/1', value: '', lease }], signal);
    expect((await etcd.range('b/', signal)).entries[0]?.lease).toBe(lease);
    expect(await etcd.keepAlive(lease, signal)).toEqual({ ttlSeconds: 60 });
    await etcd.revoke(lease, signal);
    expect((await etcd.range('b/', signal)).entries).toEqual([]);
    expect(await etcd.keepAlive(lease, signal)).toBeNull();
  });

  it('tells of changes from a revision on, until nobody wants to know', async () => {
    const { revision } = await etcd.range('c/', signal);
    await etcd.commit([], [{ put: 'c/1', value: 'x' }], signal);
    await etcd.commit([], [{ put: 'other', value: 'x' }], signal);
    await etcd.commit([], [{ delete: 'c/1' }], signal);
    const stop = new AbortController();
    const told: string[] = [];
    for await (const changes of etcd.watch('c/', revision + 1, stop.signal)) {
      for (const { type, entry } of changes) told.push(`${type} ${entry.key}`);
      if (told.length === 2) stop.abort();
    }
    expect(told).toEqual(['put c/1', 'delete c/1']);
  });

  it('ends a watch of what is compacted', async () => {
    for (let n = 0; n < 3; n += 1) await etcd.commit([], [{ put: 'd/1', value: String(n) }], signal);
    const { revision } = await etcd.range('d/', signal);
    await fetch(`${server.url}/v3/kv/compaction`, {
      method: 'POST',
      body: JSON.stringify({ revision: `${revision}` }),
    });
    const told: unknown[] = [];
    for await (const changes of etcd.watch('d/', revision - 2, signal)) told.push(changes);
    expect(told).toEqual([]);
  });

  it('says where nobody answers, and what to do', async () => {
    await server.kill();
    const asked = etcd.range('a/', signal);
    await expect(asked).rejects.toMatchObject({ code: 'ETCD_AWAY' });
    await expect(asked).rejects.toThrow(/correct workers\.etcd/);
    await server.restart();
    await until('it answers again', () =>
      etcd.range('a/', signal).then(
        () => true,
        () => false,
      ),
    );
  });

  it('waits no longer than its signal', async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(etcd.range('a/', stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('an answer to a watch', () => {
  const key = Buffer.from('a').toString('base64');
  const frames = [
    JSON.stringify({ result: { created: true } }),
    JSON.stringify({ result: { events: [{ kv: { key, mod_revision: '3' } }, { type: 'DELETE', kv: { key } }] } }),
    JSON.stringify({ result: { canceled: true, compact_revision: '9' } }),
    JSON.stringify({ result: { events: [{ kv: { key } }] } }),
  ].join('\n');

  it('may be cut anywhere', async () => {
    const bytes = new TextEncoder().encode(frames);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(bytes.slice(0, cut));
          controller.enqueue(bytes.slice(cut));
          controller.close();
        },
      });
      const told = [];
      for await (const changes of watchFrames(body)) told.push(changes.map(({ type, entry }) => [type, entry.key]));
      // What stands behind a cancellation is of no watch any more.
      expect(told).toEqual([
        [
          ['put', 'a'],
          ['delete', 'a'],
        ],
      ]);
    }
  });
});
