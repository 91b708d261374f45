import { describe, expect, it } from 'vitest';
import { isPlainAcrossNetwork, parseStoreUrl, storeName } from '../../../src/central/store/store-url.ts';

it.each([
  ['mysql://c@10.0.0.7/collard', 'TLS is the default beyond this machine'],
  ['mysql://c@[fd00::7]/collard?ssl=verify', 'an address of IPv6'],
  ['mysql://c@127.0.0.1/collard?sslca=/etc/ca.pem', 'an authority is named'],
])('a certificate of MySQL that would be asked for another name is refused: %s (%s)', (url) => {
  expect(parseStoreUrl(url)).toContain('the name of the server');
});

it.each([
  'mysql://c@db.example/collard',
  'mysql://c@10.0.0.7/collard?ssl=off',
  'mysql://c@127.0.0.1/collard',
  'postgres://c@10.0.0.7/collard',
])('%s can be checked, or asks for no TLS', (url) => {
  expect(parseStoreUrl(url)).toMatchObject({ database: 'collard' });
});

const address = (url: string) => {
  const parsed = parseStoreUrl(url);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
};

describe('a URL of a store', () => {
  it('may name several hosts of one cluster, each with a port or the usual one', () => {
    const cluster = address('mysql://cats:p%40ss@db1:3307,db2,db3:3308/collard?sslca=/ca.pem');
    expect(cluster).toEqual({
      kind: 'mysql',
      hosts: [
        { host: 'db1', port: 3307 },
        { host: 'db2', port: 3306 },
        { host: 'db3', port: 3308 },
      ],
      socket: null,
      user: 'cats',
      password: 'p@ss',
      database: 'collard',
      tls: { ca: '/ca.pem', cert: null, key: null },
    });
    expect(storeName(cluster)).toBe('mysql://db1:3307,db2:3306,db3:3308/collard');
  });

  it('needs TLS where one of its hosts is another machine', () => {
    expect(address('mysql://cats@127.0.0.1,127.0.0.2/collard')).toMatchObject({ tls: null });
    expect(address('mysql://cats@localhost,db2/collard')).toMatchObject({ tls: {} });
    expect(isPlainAcrossNetwork(address('mysql://cats@127.0.0.1,db2/collard?ssl=off'))).toBe(true);
    expect(isPlainAcrossNetwork(address('mysql://cats@127.0.0.1,localhost/collard'))).toBe(false);
  });

  it.each([
    ['mysql://cats@db1,10.0.0.2/collard', /the name of the server/],
    ['postgres://cats@db1,db2/collard', /one host: only mysql/],
    ['mysql://cats@db1,db2/collard?socket=/run/sock', /one host/],
    ['mysql://cats@db1,,db2/collard', /with a host/],
    ['mysql://cats@db1,db2:port/collard', /mysql:\/\//],
    ['mysql://cats@db1,db2', /ends in \/DATABASE/],
    ['mysql://db1,db2/collard', /with a user/],
  ])('is refused with a reason: %s', (url, reason) => {
    expect(parseStoreUrl(url)).toMatch(reason);
  });
});
