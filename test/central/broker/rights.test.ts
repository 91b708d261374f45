import { describe, expect, test } from 'vitest';
import { type MemberRole, matches, rightsOf } from '../../../src/central/broker/rights.ts';
import { agentTopic, requestTopic, responseTopic } from '../../../src/contract/topic.ts';

const BASE = 'collard/v1';
const topics = { base: BASE, prefix: 'homeassistant', birth: 'homeassistant/status' };
const of = (may: MemberRole, name = 'porch') => rightsOf({ name, may }, topics);

describe('what may be written and read', () => {
  const events = agentTopic(BASE, 'porch', 'events');
  const stored = agentTopic(BASE, 'porch', 'stored');
  const foreign = agentTopic(BASE, 'shed', 'events');
  const wrongShard = `${BASE}/s63/porch/events`;
  test.each([
    ['agent', events, true, false],
    ['agent', foreign, false, false],
    ['agent', wrongShard, false, false],
    ['agent', stored, false, true],
    ['agent', agentTopic(BASE, 'shed', 'stored'), false, false],
    ['agent', requestTopic(BASE, 'porch', 'verify'), false, true],
    ['agent', responseTopic(BASE, 'porch', 'verify'), true, false],
    ['agent', `${BASE}/central/state`, false, true],
    ['agent', `${BASE}/cat/1`, false, false],
    ['agent', 'homeassistant/device/x/config', false, false],
    ['watch', `${BASE}/cat/1/meow`, false, true],
    ['watch', events, false, false],
    ['watch', agentTopic(BASE, 'porch', 'health'), false, true],
    ['watch', 'homeassistant/status', true, true],
    ['watch', 'homeassistant/device/x/config', false, true],
    ['home', stored, false, true],
    ['home', 'zigbee2mqtt/lamp/set', true, true],
    ['home', 'homeassistant/status', true, true],
    ['home', BASE, false, true],
    ['home', '$SYS/x', false, false],
    ['all', stored, true, true],
  ] as const)('%s and %s: write %s, read %s', (may, topic, write, read) => {
    const rights = of(may);
    expect([rights.mayWrite(topic), rights.mayRead(topic)]).toEqual([write, read]);
  });

  test('a topic of another is refused, a wildcard is taken and shows only what may be read', () => {
    const agent = of('agent');
    expect(agent.maySubscribe(stored)).toBe(true);
    expect(agent.maySubscribe(agentTopic(BASE, 'shed', 'stored'))).toBe(false);
    expect(agent.maySubscribe('#')).toBe(true);
    expect(agent.mayRead(foreign)).toBe(false);
  });

  test.each([
    ['a/+/c', 'a/b/c', true],
    ['a/+', 'a/b/c', false],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/b', 'a', false],
    ['a', 'a/b', false],
    ['+', '', true],
    ['#', '$SYS/a', false],
    ['$SYS/#', '$SYS/a', true],
  ])('%s and %s: %s', (filter, topic, is) => {
    expect(matches(filter, topic)).toBe(is);
  });
});
