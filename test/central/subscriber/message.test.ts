import { describe, expect, it } from 'vitest';
import { decodeIncoming } from '../../../src/central/subscriber/message.ts';
import { encodeBatch } from '../../../src/contract/envelope.ts';
import { encodeSync } from '../../../src/contract/message.ts';
import { agentTopic, shardName, shardOf } from '../../../src/contract/topic.ts';
import { epochId, meowing } from '../store/events.ts';

const base = 'collard/v1';
const porch = meowing('porch', epochId(1), 2);
const batch = encodeBatch(porch.batch(1, 2));
const said = (topic: string, payload: string | Uint8Array) =>
  decodeIncoming(base, { topic, payload: Buffer.from(payload) });
const of = (agent: string, channel: string, payload: string | Uint8Array) =>
  said(`${base}/${shardName(shardOf(agent))}/${agent}/${channel}`, payload);

describe('a message', () => {
  it('is what its channel says', () => {
    const state = { state: 'online', session: 1, version: '1' } as const;
    const message = { epoch: porch.epoch, firstSeq: 1, lastSeq: 2, chain: porch.chain(2) };
    expect(agentTopic(base, 'porch', 'events')).toBe(`${base}/${shardName(shardOf('porch'))}/porch/events`);
    for (const channel of ['events', 'backlog']) {
      expect(of('porch', channel, batch)).toMatchObject({ type: 'batch', batch: { agent: 'porch', bad: [] } });
    }
    expect(of('porch', 'sync', encodeSync(message))).toMatchObject({ type: 'sync', agent: 'porch', message });
    expect(of('porch', 'state', JSON.stringify(state))).toEqual({ type: 'state', agent: 'porch', message: state });
    expect(of('porch', 'health', '{"queue":7}')).toEqual({ type: 'health', agent: 'porch', health: { queue: 7 } });
  });

  it.each(['events', 'sync', 'state', 'health', 'attic'])(
    'without a payload on %s clears what the broker kept',
    (channel) => {
      expect(of('porch', channel, '')).toEqual({ type: 'empty' });
    },
  );

  it.each(['sync', 'state', 'health'])('on %s that is none says so', (channel) => {
    expect(of('porch', channel, '"words"')).toEqual({ type: 'unreadable', reason: `no ${channel} message` });
  });

  it('of events that is no list of them says what is wrong', () => {
    for (const channel of ['events', 'backlog']) {
      expect(of('porch', channel, '"words"')).toEqual({ type: 'unreadable', reason: expect.stringMatching(/\w/) });
    }
  });

  it('is read by nobody where its topic says nothing or is not the own one', () => {
    const nowhere = 'topic names no agent and shard that belong together';
    const other = shardName((shardOf('porch') + 1) % 16);
    expect(said(`${base}/${other}/porch/events`, batch)).toEqual({ type: 'unreadable', reason: nowhere });
    expect(said('elsewhere', batch)).toEqual({ type: 'unreadable', reason: nowhere });
    expect(of('porch', 'stored', '{}')).toEqual({ type: 'unreadable', reason: "channel stored is not central's" });
    expect(of('porch', `${'x'.repeat(80)}`, '{}')).toEqual({
      type: 'unreadable',
      reason: `channel ${'x'.repeat(64)} is not central's`,
    });
    expect(of('shed', 'events', batch)).toEqual({ type: 'unreadable', reason: 'source is porch, topic is of shed' });
    expect(of('central', 'state', '')).toEqual({ type: 'unreadable', reason: 'central is no name for an agent' });
  });

  it('on health is bounded', () => {
    const long = (bytes: number) => `{"w":"${'w'.repeat(bytes - 8)}"}`;
    expect(of('porch', 'health', long(256 * 1024))).toMatchObject({ type: 'health' });
    expect(of('porch', 'health', long(256 * 1024 + 1))).toEqual({ type: 'unreadable', reason: 'no health message' });
  });
});
