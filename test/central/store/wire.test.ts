/** Whatever the wire does to batches, the store ends as if it had done nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/central/store/store.ts';
import { decodeIncoming } from '../../../src/central/subscriber/message.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import { encodeBatch } from '../../../src/contract/envelope.ts';
import { agentTopic } from '../../../src/contract/topic.ts';
import { freshStore, runs } from '../engines/fresh.ts';
import { createWriter, epochId, meowing, NOW, type Writer } from './events.ts';

const BASE = 'collard/v1';
const LAST = 24;
/** An answer to `sync` names the ranges that are missing: more rounds than one mean that it named too few. */
const MAX_ROUNDS = 5;

function writers(): Writer[] {
  const hall = createWriter('hall', epochId(3));
  hall.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, 0);
  for (let i = 1; i < LAST; i++) {
    if (i % 5 === 0) hall.add('collar.assigned', 'cat/1', { catId: 1, collar: i % 2 === 0 ? 'A' : 'B' }, i);
    else if (i % 7 === 0) hall.add('event.revoked', null, { epoch: epochId(3), seq: i, reason: 'wrong' }, i);
    else hall.add('cat.moved', 'cat/1', { from: null, to: i % 2 === 0 ? 'kitchen' : 'garden', catId: 1 }, 40 - i);
  }
  // Two epochs of one agent, as after a restored card.
  return [meowing('porch', epochId(1), LAST, 'A'), meowing('porch', epochId(2), LAST, 'B'), hall];
}

/** Over the wire: as bytes, through the border. */
async function send(store: Store, writer: Writer, from: number, to: number): Promise<void> {
  const payload = Buffer.from(encodeBatch(writer.batch(from, to)));
  const received = decodeIncoming(BASE, { topic: agentTopic(BASE, writer.agent, 'events'), payload });
  if (received.type !== 'batch') throw new Error(`it came as ${received.type}`);
  await store.ingest(received.batch, NOW);
}

/** As an agent does: asks what is missing, and sends that, until nothing is. */
async function settle(store: Store, writer: Writer): Promise<void> {
  const { agent, epoch } = writer;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const sync = { epoch, firstSeq: 1, lastSeq: LAST, chain: writer.chain(LAST) };
    const { seq, need, chain } = await store.sync(agent, sync, NOW);
    expect(chainHex(chain)).toBe(chainHex(writer.chain(seq)));
    if (seq === LAST) return;
    for (const [from, to] of need) await send(store, writer, from, to);
  }
  throw new Error(`${agent} ${epoch} is not whole after ${MAX_ROUNDS} answers`);
}

async function contents(store: Store) {
  const { events } = await store.arrivals(new Map(), 10_000);
  const keyed = events.map(({ arrival: _, position: __, ...event }) => event);
  const positions = new Map<number, number[]>();
  for (const { shard, position } of events) positions.set(shard, [...(positions.get(shard) ?? []), position ?? 0]);
  const agents = await store.agents();
  return {
    events: keyed.sort((a, b) => a.epoch.localeCompare(b.epoch) || a.seq - b.seq),
    positions: [...positions].map(([shard, list]) => [shard, list.sort((a, b) => a - b)]).sort(),
    agents: agents.map(({ agent, epochs, conflicts, gaps }) => ({ agent, epochs, conflicts, gaps })),
    cats: await store.cats(new Date(NOW)),
    history: await store.catHistory(1, 1_000),
  };
}

/** A batch as it arrives: which one, and whether it comes twice. What no message brings was lost. */
const message = fc.record({
  writer: fc.nat(2),
  from: fc.integer({ min: 1, max: LAST }),
  events: fc.integer({ min: 1, max: 12 }),
  twice: fc.boolean(),
});

describe('a store behind any wire', () => {
  it('is the same after loss, repetition and reordering as after none', async () => {
    const sides = writers();
    const orderly = await freshStore();
    for (const writer of sides) await send(orderly, writer, 1, LAST);
    while ((await orderly.project(1_000)).events > 0);
    const expected = await contents(orderly);
    await orderly.close();
    expect(expected.events).toHaveLength(3 * LAST);
    const slices = fc.integer({ min: 1, max: 40 });
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 30, size: 'max' }), slices, async (arrivals, slice) => {
        const store = await freshStore();
        for (const { writer: n, from, events, twice } of arrivals) {
          const writer = sides[n] as Writer;
          const to = Math.min(LAST, from + events - 1);
          await send(store, writer, from, to);
          if (twice) await send(store, writer, from, to);
          if (events % 3 === 0) await store.project(slice);
        }
        for (const writer of sides) await settle(store, writer);
        while ((await store.project(slice)).events > 0);
        expect(await contents(store)).toEqual(expected);
        await store.close();
      }),
      { numRuns: runs(60) },
    );
  }, 120_000);
});
