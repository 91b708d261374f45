import { describe, expect, test } from 'vitest';
import {
  brokerAddresses,
  brokerUrl,
  discoverSchema,
  explainBrokers,
  hasSeveralBrokers,
  MAX_BROKERS,
} from '../../src/broker/address.ts';

const many = (count: number) => Array.from({ length: count }, (_, i) => `mqtt://b${i}`);

describe('the address of the broker', () => {
  test.each([
    ['mqtt://b', 'mqtt://b'],
    ['mqtts://b:8883 wss://c/mqtt', 'mqtts://b:8883 wss://c/mqtt'],
    ['srv://example.org mdns://local', 'srv://example.org mdns://local'],
    ['etcd://e1:2379/brokers etcd+http://127.0.0.1', 'etcd://e1:2379/brokers etcd+http://127.0.0.1'],
    ['etcd+http://[::1]:2379 etcd+http://localhost', 'etcd+http://[::1]:2379 etcd+http://localhost'],
    ['mqtt://b:1, mqtt://c:2,mqtt://d', 'mqtt://b:1 mqtt://c:2 mqtt://d'],
    [['mqtt://b', 'ws://[::1]:80/x'], 'mqtt://b ws://[::1]:80/x'],
    [many(MAX_BROKERS), many(MAX_BROKERS).join(' ')],
  ])('%j is %s', (given, text) => {
    expect(brokerUrl.parse(given)).toBe(text);
  });

  test.each([
    ['', [[[], 'a URL']]],
    [[], [[[], 'a URL']]],
    ['b:1883', [[[], 'a URL']]],
    ['mqtt://b http://c', [[[], 'a URL']]],
    ['mqtt://', [[[], 'a URL']]],
    [
      ['mqtt://b', 'c', 'mqtt://d mqtt://e'],
      [
        [[1], 'a URL'],
        [[2], 'a URL'],
      ],
    ],
    ['srv://', [[[], 'a URL']]],
    ['srv://example.org:8883', [[[], 'srv:// and the domain']]],
    ['srv://example.org/x', [[[], 'srv:// and the domain']]],
    ['mdns://kitchen', [[[], 'mdns://local']]],
    ['etcd+http://10.0.0.1', [[[], 'etcd+http:// is for an etcd on this machine only']]],
    ['etcd://me:secret@e1', [[[], 'without user name']]],
    [many(MAX_BROKERS + 1), [[[], `at most ${MAX_BROKERS}`]]],
  ])('%j is refused, each part at its place', (given, faults) => {
    const issues = brokerUrl.safeParse(given).error?.issues ?? [];
    expect(issues.map(({ path, message }) => [path, message])).toEqual(
      faults.map(([path, text]) => [path, expect.stringContaining(String(text))]),
    );
  });

  test('the same one twice is one', () => {
    expect(brokerAddresses('mqtt://b mqtt://c mqtt://b')).toEqual(['mqtt://b', 'mqtt://c']);
    const several = ['mqtt://b mqtt://b', 'mqtt://b mqtt://c', 'srv://example.org'].map(hasSeveralBrokers);
    expect(several).toEqual([false, true, true]);
  });

  test('what is looked for, and what is demanded of it, is told in words', () => {
    const text = 'mqtt://b srv://example.org mdns://local etcd+http://localhost:2379';
    expect(explainBrokers(text, discoverSchema.parse({}))).toEqual([
      'srv://example.org: the SRV records of _secure-mqtt._tcp.example.org, over TLS with a certificate of the target below example.org, or else of example.org',
      'mdns://local: what answers to _secure-mqtt._tcp.local on this network, over TLS with a certificate of its own name',
      'etcd+http://localhost:2379: the URLs below /collard/brokers/ in etcd at localhost:2379, over TLS with a certificate of its own name',
    ]);
    const plain = { plain: true, plainPassword: true, name: 'mine' };
    expect(explainBrokers('etcd://e/b', discoverSchema.parse(plain))).toEqual([
      'etcd://e/b: the URLs below /b/ in etcd at e, over TLS with a certificate of mine; also plain text, with user name and password',
    ]);
    expect(explainBrokers('srv://e', discoverSchema.parse({ plain: true }))[0]).toMatch(
      /; also plain text, without user name and password$/,
    );
  });
});
