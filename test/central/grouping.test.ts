import { describe, expect, it } from 'vitest';
import { groupsOf } from '../../src/central/grouping.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
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
  });

  it('keeps the order of what an agent says', async () => {
    expect(await shapeOf(health('porch', 1), online('porch'), health('porch', 2))).toMatchObject([
      [{ type: 'health' }, 1],
      [{ type: 'state' }, 1],
      [{ type: 'health', health: { queue: 2 } }, 1],
    ]);
  });
});
