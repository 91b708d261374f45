import { describe, expect, test } from 'vitest';
import { brokerAddresses, brokerUrl, hasSeveralBrokers, MAX_BROKERS } from '../../src/broker/address.ts';

const many = (count: number) => Array.from({ length: count }, (_, i) => `mqtt://b${i}`);

describe('the address of the broker', () => {
  test.each([
    ['mqtt://b', 'mqtt://b'],
    ['mqtts://b:8883 wss://c/mqtt', 'mqtts://b:8883 wss://c/mqtt'],
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
    [many(MAX_BROKERS + 1), [[[], `at most ${MAX_BROKERS}`]]],
  ])('%j is refused, each part at its place', (given, faults) => {
    const issues = brokerUrl.safeParse(given).error?.issues ?? [];
    expect(issues.map(({ path, message }) => [path, message])).toEqual(
      faults.map(([path, text]) => [path, expect.stringContaining(String(text))]),
    );
  });

  test('the same one twice is one', () => {
    expect(brokerAddresses('mqtt://b mqtt://c mqtt://b')).toEqual(['mqtt://b', 'mqtt://c']);
    expect([hasSeveralBrokers('mqtt://b mqtt://b'), hasSeveralBrokers('mqtt://b mqtt://c')]).toEqual([false, true]);
  });
});
