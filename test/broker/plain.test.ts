import { expect, test } from 'vitest';
import { explainPlain } from '../../src/broker/plain.ts';

const plainTo = (host: string) =>
  `passwords and events go to ${host} in plain text: use mqtts:// in mqtt.url, see SECURITY.md`;

test.each([
  ['mqtt://192.0.2.9', ['192.0.2.9']],
  ['mqtt://porch:pw@broker.lan:1884', ['broker.lan:1884']],
  ['ws://[2001:db8::1]:81', ['[2001:db8::1]:81']],
  ['mqtt://a mqtts://b mqtt://c', ['a', 'c']],
  ['mqtt://localhost mqtt://127.0.0.1:1883 mqtt://127.9.9.9 ws://[::1]/mqtt', []],
  ['mqtts://b wss://b srv://example.org mdns://local etcd://e', []],
])('a broker on another machine without TLS is a warning: %s', (url, hosts) => {
  expect(explainPlain({ mqtt: { url } })).toEqual(hosts.map(plainTo));
});

test.each([
  [{ host: '0.0.0.0' }, '0.0.0.0:1883'],
  [{ host: '::' }, '[::]:1883'],
  [{ host: '192.0.2.1' }, '192.0.2.1:1883'],
  [{ host: '127.0.0.1' }, null],
  [{ host: 'localhost' }, null],
  [{ host: '0.0.0.0', tls: { port: 8883 } }, null],
  [{ host: '0.0.0.0', enabled: false }, null],
])('a broker of central that others reach without TLS is a warning: %j', (own, at) => {
  const told = explainPlain({ mqtt: { url: 'mqtt://127.0.0.1' }, broker: { enabled: true, port: 1883, ...own } });
  const text = `passwords and events come to ${at} in plain text: set broker.tls, see SECURITY.md`;
  expect(told).toEqual(at === null ? [] : [text]);
});
