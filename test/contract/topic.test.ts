import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  AGENT_NAME,
  agentTopic,
  catTopic,
  centralStateTopic,
  meowTopic,
  parseAgentTopic,
  requestTopic,
  responseTopic,
  SHARDS,
  shardName,
  shardOf,
} from '../../src/contract/topic.ts';

const base = 'collard/v1';

/** Computed with Python's zlib.crc32. */
test.each([
  ['porch', 55],
  ['central', 35],
  ['a', 3],
  ['kitchen-2', 51],
])('%s belongs to shard %i', (agent, shard) => {
  expect(shardOf(agent)).toBe(shard);
});

test('shards are named s00 to s63', () => {
  expect([0, 7, 63].map(shardName)).toEqual(['s00', 's07', 's63']);
});

test('topics are those of the contract', () => {
  expect(agentTopic(base, 'porch', 'events')).toBe('collard/v1/s55/porch/events');
  expect(requestTopic(base, 'porch', 'verify')).toBe('collard/v1/s55/porch/request/verify');
  expect(responseTopic(base, 'porch', 'verify')).toBe('collard/v1/s55/porch/response/verify');
  expect(centralStateTopic(base)).toBe('collard/v1/central/state');
  expect(catTopic(base, 3)).toBe('collard/v1/cat/3');
  expect(meowTopic(base, 3)).toBe('collard/v1/cat/3/meow');
});

test('an agent topic comes apart as it was made, for every name', () => {
  fc.assert(
    fc.property(fc.stringMatching(AGENT_NAME), fc.constantFrom('events', 'sync', 'stored'), (agent, channel) => {
      expect(shardOf(agent)).toBeLessThan(SHARDS);
      expect(parseAgentTopic(base, agentTopic(base, agent, channel))).toEqual({
        shard: shardOf(agent),
        agent,
        channel,
      });
    }),
  );
});

test('a request names its verb', () => {
  expect(parseAgentTopic(base, requestTopic(base, 'porch', 'verify'))?.channel).toBe('request/verify');
});

test.each([
  'collard/v1/s54/porch/events',
  'collard/v2/s55/porch/events',
  'collard/v1/s55/porch',
  'collard/v1/s55/porch/request/a/b',
  'collard/v1/S55/porch/events',
  'collard/v1/central/state',
  'collard/v1x/s55/porch/events',
  '',
])('%j is no topic of an agent', (topic) => {
  expect(parseAgentTopic(base, topic)).toBeNull();
});

test('what comes from a broker never throws', () => {
  fc.assert(fc.property(fc.string(), (rest) => parseAgentTopic(base, `${base}/${rest}`) === null));
});

test.each(['', '-a', 'a b', 'a.b', 'a/b', 'ü', 'x'.repeat(65), '+', '#'])('%j is no name of an agent', (name) => {
  expect(AGENT_NAME.test(name)).toBe(false);
});
