import { describe, expect, it } from 'vitest';
import { centralSchema, shardsOf } from '../../src/central/config.ts';

const workersOf = (workers: unknown) =>
  centralSchema.safeParse({ store: { url: 'sqlite:/x' }, mqtt: { url: 'mqtt://b' }, workers });

describe('the workers of the configuration', () => {
  it.each([
    [{ shards: '0-31' }, { shards: '0-31', leaseSeconds: 10 }],
    [{ etcd: 'http://a:2379, http://b:2379' }, { etcd: ['http://a:2379', 'http://b:2379'], leaseSeconds: 10 }],
    [
      { etcd: ['https://a:2379'], leaseSeconds: 5 },
      { etcd: ['https://a:2379'], leaseSeconds: 5 },
    ],
  ])('%j are taken', (workers, taken) => {
    expect(workersOf(workers).data?.workers).toEqual(taken);
  });

  it.each([
    [{}],
    [{ leaseSeconds: 10 }],
    [{ shards: '0-64' }],
    [{ shards: '31-0' }],
    [{ shards: 'all' }],
    [{ etcd: [] }],
    [{ etcd: 'a:2379' }],
    [{ etcd: ['ftp://a'] }],
    [{ etcd: ['http://me:pw@a:2379'] }],
    [{ etcd: ['http://a:2379'], leaseSeconds: 1 }],
  ])('%j are refused', (workers) => {
    expect(workersOf(workers).success).toBe(false);
  });

  it('name each shard once', () => {
    expect(shardsOf('0-3,2,9')).toEqual([0, 1, 2, 3, 9]);
  });
});

const httpOf = (http: unknown) =>
  centralSchema.safeParse({ store: { url: 'sqlite:/x' }, mqtt: { url: 'mqtt://b' }, http });

describe('who may use page and API, in the configuration', () => {
  it('is decided by where central listens, unless it says more', () => {
    expect(httpOf({}).data?.http).toMatchObject({ login: 'auto', names: [], trustProxy: [] });
    // As from the environment.
    expect(httpOf({ names: 'a.example, b.example', trustProxy: '127.0.0.1 fd00::/8' }).data?.http).toMatchObject({
      names: ['a.example', 'b.example'],
      trustProxy: ['127.0.0.1', 'fd00::/8'],
    });
  });

  it.each([
    [{ login: 'none' }],
    [{ trustProxy: ['true'] }],
    [{ trustProxy: ['proxy.example'] }],
    [{ trustProxy: ['10.0.0.0/0'] }],
    [{ trustProxy: ['10.0.0.0/33'] }],
    [{ trustProxy: ['::/0'] }],
    [{ trustProxy: ['10.0.0.0/8/8'] }],
    [{ names: ['*'] }],
    [{ names: ['http://a.example'] }],
    [{ names: [''] }],
  ])('%j is refused', (http) => {
    expect(httpOf(http).success).toBe(false);
  });
});

describe('the broker that central brings along, in the configuration', () => {
  const of = (broker: unknown, more: object = {}) =>
    centralSchema.safeParse({ store: { url: 'sqlite:/x' }, mqtt: { url: 'mqtt://b' }, broker, ...more });
  const account = { name: 'porch', password: '$scrypt$ln=15,r=8,p=3$c2FsdA$aGFzaA' };

  it('is off, and listens on this machine only', () => {
    expect(of({}).data?.broker).toMatchObject({ enabled: false, host: '127.0.0.1', port: 1883, local: 'open' });
    expect(of({ enabled: true }).success).toBe(true);
    expect(of({ enabled: true, host: '0.0.0.0', accounts: [account] }).data?.broker.accounts[0]?.may).toBe('agent');
  });

  it('needs accounts beyond this machine, each name once, and hashes for passwords', () => {
    expect(of({ enabled: true, host: '0.0.0.0' }).error?.message).toContain('collard central account NAME');
    expect(of({ accounts: [account, account] }).error?.message).toContain('each name once');
    expect(of({ accounts: [{ ...account, password: 'Kanarienvogel' }] }).error?.message).toContain('a hash');
    expect(of({ accounts: [{ ...account, name: 'a b' }] }).success).toBe(false);
  });

  it('is none of workers, of which each would have one', () => {
    expect(of({ enabled: true }, { workers: { shards: '0-31' } }).error?.message).toContain('not beside workers');
  });
});
