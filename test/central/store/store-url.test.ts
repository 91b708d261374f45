import { expect, it } from 'vitest';
import { parseStoreUrl } from '../../../src/central/store/store-url.ts';

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
