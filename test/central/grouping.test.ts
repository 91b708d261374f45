import { describe, expect, it } from 'vitest';
import { groupsOf } from '../../src/central/grouping.ts';
import type { Received } from '../../src/central/subscriber/message.ts';
import type { Admitted } from '../../src/central/trust.ts';
import { encodeBatch, MAX_BATCH_EVENTS } from '../../src/contract/envelope.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import type { Incoming } from '../../src/lib/mqtt-link.ts';
import { at, epochId, meowing, NOW } from './store/events.ts';

const base = 'collard/v1';

function said(agent: string, channel: 'events' | 'state' | 'health', what: string | object): Incoming {
  const payload = Buffer.from(typeof what === 'string' ? what : JSON.stringify(what));
  return { topic: agentTopic(base, agent, channel), payload, retained: false, done: () => undefined };
}

const health = (agent: string, queue: number, collars: readonly object[] = []) =>
  said(agent, 'health', { queue, collars });
const online = (agent: string) => said(agent, 'state', { state: 'online', session: 1, version: '1' });

/** What each group is of, and how many messages it has. */
async function shapeOf(...messages: readonly Incoming[]) {
  const groups = await groupsOf(base, undefined, messages);
  return groups.map(({ received, messages: own }) => [
    received.type === 'batch' ? received.batch.events.map(({ seq }) => seq) : received,
    own.length,
  ]);
}

describe('what came', () => {
  it('is one batch where batches of an agent follow each other, whoever else speaks in between', async () => {
    const [porch, shed] = [meowing('porch', epochId(1), 6), meowing('shed', epochId(2), 2)];
    const events = (writer: typeof porch, from: number, to: number) =>
      said(writer.agent, 'events', encodeBatch(writer.batch(from, to)).toString());
    expect(
      await shapeOf(events(porch, 1, 2), events(shed, 1, 2), events(porch, 3, 4), online('porch'), events(porch, 5, 6)),
    ).toMatchObject([
      [[1, 2, 3, 4], 2],
      [[1, 2], 1],
      [{ type: 'state' }, 1],
      [[5, 6], 1],
    ]);
  });

  it('of several words on health of one agent is the newest', async () => {
    expect(await shapeOf(health('porch', 1), health('shed', 2), health('porch', 3), health('porch', 4))).toMatchObject([
      [{ type: 'health', agent: 'porch', health: { queue: 4 } }, 3],
      [{ type: 'health', agent: 'shed', health: { queue: 2 } }, 1],
    ]);
  });

  it('is all words on health where an older one knows more of a collar', async () => {
    const [early, late] = [
      [{ collar: 'C1', lastHeard: NOW }],
      [
        { collar: 'C1', lastHeard: at(9) },
        { collar: 'C2', lastHeard: NOW },
      ],
    ];
    expect(await shapeOf(health('porch', 1, early), health('porch', 2, late))).toHaveLength(1);
    expect(await shapeOf(health('porch', 1, late), health('porch', 2, early))).toHaveLength(2);
    const others = [{ collar: 'C3', lastHeard: at(99) }];
    expect(await shapeOf(health('porch', 1, early), health('porch', 2, others))).toHaveLength(2);
  });

  it('is two batches where they are of two epochs, or do not follow each other', async () => {
    const [porch, anew] = [meowing('porch', epochId(1), 9), meowing('porch', epochId(2), 9)];
    const pairs = [
      [porch.batch(1, 2), anew.batch(3, 4)],
      [porch.batch(1, 2), porch.batch(4, 5)],
      [porch.batch(4, 5), porch.batch(1, 2)],
      [porch.batch(1, 2), porch.batch(2, 3)],
    ];
    for (const pair of pairs) {
      const shape = await shapeOf(...pair.map((batch) => said('porch', 'events', encodeBatch(batch).toString())));
      expect(shape).toEqual(pair.map(({ events }) => [events.map(({ seq }) => seq), 1]));
    }
  });

  it('is no longer than a batch may be', async () => {
    const porch = meowing('porch', epochId(1), MAX_BATCH_EVENTS + 1);
    const events = (from: number, to: number) => said('porch', 'events', encodeBatch(porch.batch(from, to)).toString());
    const [half, whole] = [MAX_BATCH_EVENTS / 2, MAX_BATCH_EVENTS];
    const shape = await shapeOf(events(1, half), events(half + 1, whole), events(whole + 1, whole + 1));
    expect(shape.map(([seqs, messages]) => [(seqs as number[]).length, messages])).toEqual([
      [whole, 2],
      [1, 1],
    ]);
  });

  it('is no one batch with another of which an event is bad', async () => {
    const porch = meowing('porch', epochId(1), 6);
    const batch = (from: number, to: number) => encodeBatch(porch.batch(from, to)).toString();
    const whole = (from: number, to: number) => said('porch', 'events', batch(from, to));
    const bad = (from: number, to: number) => {
      const items = JSON.parse(batch(from, to)) as Record<string, unknown>[];
      return said(
        'porch',
        'events',
        items.map((item, i) => (i === 0 ? { ...item, time: 'noon' } : item)),
      );
    };
    expect(await shapeOf(whole(1, 2), bad(3, 4))).toMatchObject([
      [[1, 2], 1],
      [[4], 1],
    ]);
    expect(await shapeOf(bad(1, 2), whole(3, 4))).toMatchObject([
      [[2], 1],
      [[3, 4], 1],
    ]);
  });

  it('is of the batch that came last, and of no signature: each had its own', async () => {
    const porch = meowing('porch', epochId(1), 4);
    const events = (from: number, to: number) => said('porch', 'events', encodeBatch(porch.batch(from, to)).toString());
    const [group] = await groupsOf(base, undefined, [events(1, 2), events(3, 4)]);
    expect(group?.received).toEqual({
      type: 'batch',
      batch: { agent: 'porch', events: porch.events, bad: [], chain: Buffer.from(porch.chain(4)), chained: null },
    });
  });

  it('is asked for by trust before it is joined, and what is doubted stays by itself', async () => {
    const porch = meowing('porch', epochId(1), 6);
    const events = (from: number, to: number) => said('porch', 'events', encodeBatch(porch.batch(from, to)).toString());
    const trust = {
      admit: async (received: Received): Promise<Admitted> => {
        const isThird = received.type === 'batch' && received.batch.events[0]?.seq === 3;
        return isThird ? { type: 'doubted', what: 'batch', reason: 'forged' } : received;
      },
    };
    const groups = await groupsOf(base, trust, [events(1, 2), events(3, 4), events(5, 6)]);
    expect(groups.map(({ received }) => received.type)).toEqual(['batch', 'doubted', 'batch']);
  });

  it('is not looked at further where the store cannot tell whom to believe', async () => {
    const failing = (code: string) => ({ admit: () => Promise.reject(Object.assign(new Error('disk'), { code })) });
    await expect(groupsOf(base, failing('SQLITE_IOERR'), [online('porch')])).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    await expect(groupsOf(base, failing('STORE_AWAY'), [online('porch')])).rejects.toMatchObject({
      code: 'STORE_AWAY',
    });
  });

  it('of nobody that can be named stays two', async () => {
    const stray = (topic: string): Incoming => ({ ...online('porch'), topic });
    expect(await shapeOf(stray('elsewhere'), stray('elsewhere'))).toMatchObject([
      [{ type: 'unreadable' }, 1],
      [{ type: 'unreadable' }, 1],
    ]);
  });

  it('keeps the order of what an agent says', async () => {
    expect(await shapeOf(health('porch', 1), online('porch'), health('porch', 2))).toMatchObject([
      [{ type: 'health' }, 1],
      [{ type: 'state' }, 1],
      [{ type: 'health', health: { queue: 2 } }, 1],
    ]);
  });
});
