import { describe, expect, onTestFinished, test } from 'vitest';
import { createEtcdFinder } from '../../src/broker/etcd.ts';
import { etcdPath } from '../clusters/paths.ts';
import { startEtcd } from '../etcd/servers.ts';
import { freePort, requireServer } from '../servers.ts';

const never = new AbortController().signal;

describe.skipIf(!requireServer('etcd', etcdPath, 'etcd-server'))('etcd', () => {
  async function etcd() {
    const server = await startEtcd();
    onTestFinished(() => server.stop());
    const address = (path: string) => `etcd+http://${server.host}${path}`;
    const { watch } = createEtcdFinder(address(''), {}, {});
    return { server, watch, find: (path = '') => createEtcdFinder(address(path), {}, {}).find(never) };
  }

  test('names the brokers below the prefix, in the order of their keys, and nothing beside it', async () => {
    const { server, find } = await etcd();
    await server.put('/collard/brokers/b', 'mqtts://b2:8883');
    await server.put('/collard/brokers/a', ' mqtts://b1:8883\n');
    await server.put('/collard/brokers', 'mqtts://no');
    await server.put('/collard/brokers0', 'mqtts://no');
    await server.put('/other/x', 'mqtts://x');
    const urls = async (path?: string) => (await find(path)).candidates.map(({ url }) => url);
    expect(await urls()).toEqual(['mqtts://b1:8883', 'mqtts://b2:8883']);
    expect(await urls('/other')).toEqual(['mqtts://x']);
    expect(await urls('/none/')).toEqual([]);
    for (let i = 0; i < 20; i++) await server.put(`/many/${i}`, 'mqtts://x');
    expect(await urls('/many/')).toHaveLength(16);
  });

  test('a watch misses nothing that came after the look, and ends at a change or at the end of a lease', async () => {
    const { server, watch, find } = await etcd();
    const { revision } = await find();
    await server.put('/elsewhere', 'x');
    await server.put('/collard/brokers/a', 'mqtts://a', await server.lease(1));
    await watch(revision, never);
    const held = await find();
    expect(held.candidates).toEqual([{ url: 'mqtts://a' }]);
    // Nobody keeps the lease alive.
    await watch(held.revision, never);
    expect((await find()).candidates).toEqual([]);
  });

  test('a watch waits while nothing changes, and ends with its signal or with etcd', async () => {
    const { server, watch, find } = await etcd();
    const { revision } = await find();
    const stop = new AbortController();
    const watching = watch(revision, stop.signal);
    let isOver = false;
    void watching
      .catch(() => undefined)
      .finally(() => {
        isOver = true;
      });
    await server.put('/elsewhere', 'x');
    expect(isOver).toBe(false);
    stop.abort();
    await expect(watching).rejects.toThrow();
    const other = watch(revision, never).catch((error: Error) => error.message);
    await server.put('/elsewhere', 'x');
    await server.kill();
    // As far as its answer had come.
    expect(await other).toMatch(/aborted|socket hang up/);
  });

  test('one that is away, and one that is none, are failures that name it', async () => {
    const port = await freePort();
    await expect(createEtcdFinder(`etcd+http://127.0.0.1:${port}`, {}, {}).find(never)).rejects.toThrow(
      `127.0.0.1:${port}`,
    );
    const { server, find } = await etcd();
    await server.kill();
    await expect(find()).rejects.toThrow('ECONNREFUSED');
  });
});
