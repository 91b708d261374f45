/** An etcd that asks who one is. */
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createEtcdFinder } from '../../src/broker/etcd.ts';
import { etcdOf } from '../../src/central/ownership/etcd-of.ts';
import { etcdPath } from '../clusters/paths.ts';
import { requireServer } from '../servers.ts';
import { type EtcdServer, startEtcd } from './servers.ts';

const { signal } = new AbortController();
const base64 = (text: string) => Buffer.from(text).toString('base64');
const TIMEOUT_MS = 20_000;

describe.skipIf(!requireServer('etcd', etcdPath, 'etcd-server'))('an etcd with users', () => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await startEtcd();
    await server.put('/collard/brokers/a', 'mqtts://a');
    for (const [name, password] of [
      ['root', 'r'],
      ['cats', 'größer'],
    ]) {
      await server.call('/v3/auth/user/add', { name, password });
      await server.call('/v3/auth/role/add', { name });
      await server.call('/v3/auth/user/grant', { user: name, role: name });
    }
    const perm = { permType: 'READWRITE', key: base64('/collard/'), range_end: base64('/collard0') };
    await server.call('/v3/auth/role/grant', { name: 'cats', perm });
    await server.call('/v3/auth/enable', {});
    return () => server.stop();
  });
  const access = { username: 'cats', password: 'größer' };
  const open = (who: typeof access | object) => etcdOf(who, [server.url], TIMEOUT_MS);

  it('lets in who knows its password, for all that a worker asks', async () => {
    const etcd = open(access);
    const { lease } = await etcd.grant(60, signal);
    const key = '/collard/x/1';
    expect((await etcd.commit([{ key, createRevision: 0 }], [{ put: key, value: 'v', lease }], signal)).succeeded).toBe(
      true,
    );
    expect(await etcd.keepAlive(lease, signal)).toEqual({ ttlSeconds: 60 });
    const { entries, revision } = await etcd.range('/collard/x/', signal);
    expect(entries.map(({ value }) => value)).toEqual(['v']);
    const watching = etcd.watch('/collard/x/', revision + 1, signal)[Symbol.asyncIterator]();
    const told = watching.next();
    await etcd.revoke(lease, signal);
    expect((await told).value?.[0]).toMatchObject({ type: 'delete', entry: { key } });
    await watching.return?.();
  });

  it.each([
    ['nobody', {}, /user name is empty\): correct workers\.username and workers\.password$/],
    ['a wrong password', { username: 'cats', password: 'x' }, /authentication failed.*correct workers\.username/],
    ['a stranger', { username: 'dogs', password: 'x' }, /authentication failed.*correct workers\.username/],
  ])('does not let in %s, and says so', async (_who, who, message) => {
    const asked = open(who).range('/collard/', signal);
    await expect(asked).rejects.toMatchObject({ code: 'ETCD_AWAY', message: expect.stringMatching(message) });
  });

  it('keeps from a user what is not its own', async () => {
    await expect(open(access).range('/other/', signal)).rejects.toThrow(
      /permission denied\): correct workers\.username/,
    );
  });

  it('is told who we are again when it has forgotten', async () => {
    const etcd = open(access);
    const { revision } = await etcd.range('/collard/', signal);
    // It keeps its tokens in its memory.
    await server.kill();
    await server.restart();
    const put = { put: '/collard/y', value: 'again' };
    const all = await Promise.all(Array.from({ length: 4 }, () => etcd.commit([], [put], signal)));
    expect(all.every(({ succeeded }) => succeeded)).toBe(true);
    await server.kill();
    await server.restart();
    const told: string[] = [];
    const look = async () => {
      for await (const changes of etcd.watch('/collard/y', revision + 1, signal)) {
        told.push(...changes.map(({ entry }) => entry.value));
        if (told.length === all.length) return;
      }
    };
    await look();
    // Some versions end a watch under a token that they do not know: whoever watches takes a range before the next one.
    if (told.length === 0) {
      await etcd.range('/collard/y', signal);
      await look();
    }
    expect(new Set(told)).toEqual(new Set(['again']));
  });

  it('tells agents of brokers, where mqtt.discover says who asks', async () => {
    const address = `etcd+http://${server.host}`;
    expect((await createEtcdFinder(address, {}, access).find(signal)).candidates).toEqual([{ url: 'mqtts://a' }]);
    await expect(createEtcdFinder(address, {}, {}).find(signal)).rejects.toThrow(/correct mqtt\.discover\.username/);
  });
});

it.skipIf(!requireServer('etcd', etcdPath, 'etcd-server'))(
  'a user is no hindrance at an etcd that knows none',
  async () => {
    const server = await startEtcd();
    onTestFinished(() => server.stop());
    const etcd = etcdOf({ username: 'cats', password: 'x' }, [server.url], TIMEOUT_MS);
    expect((await etcd.range('/collard/', signal)).entries).toEqual([]);
  },
);
