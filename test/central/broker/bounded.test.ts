import { Aedes } from 'aedes';
import { expect, onTestFinished, test } from 'vitest';
import {
  boundMemory,
  MAX_QUEUED,
  MAX_QUEUED_BYTES,
  MAX_RETAINED,
  MAX_RETAINED_BYTES,
  MAX_SESSIONS,
  type Memory,
  SESSION_MS,
} from '../../../src/central/broker/bounded.ts';

/** The memory of the library itself. */
async function memory() {
  const broker = await Aedes.createBroker();
  onTestFinished(() => new Promise<void>((resolve) => broker.close(() => resolve())));
  const kept = Reflect.get(broker, 'persistence') as Memory & {
    addSubscriptions(client: { id: string }, subs: readonly object[]): Promise<void>;
  };
  const dropped: number[] = [];
  return { kept, dropped, bounded: boundMemory(kept, 'own/', (messages) => void dropped.push(messages)) };
}
const packet = (payload: string | Buffer = 'x', topic = 'a') => ({ cmd: 'publish', qos: 1, topic, payload }) as never;
const queued = async (kept: Memory, id: string) => {
  let count = 0;
  for await (const _ of kept.outgoingStream({ id })) count += 1;
  return count;
};

test('for a client that is away so many messages are kept, and so many bytes; for central itself all', async () => {
  const { kept, dropped } = await memory();
  for (let i = 0; i < MAX_QUEUED + 5; i += 1) {
    await kept.outgoingEnqueueCombi([{ clientId: 'a' }, { clientId: 'own/central' }], packet());
  }
  expect([await queued(kept, 'a'), await queued(kept, 'own/central')]).toEqual([MAX_QUEUED, MAX_QUEUED + 5]);
  expect(dropped).toEqual([1, 1, 1, 1, 1]);
  const half = Buffer.alloc(MAX_QUEUED_BYTES / 2);
  for (let i = 0; i < 3; i += 1) await kept.outgoingEnqueueCombi([{ clientId: 'b' }], packet(half));
  expect(await queued(kept, 'b')).toBe(2);
});

test('what was taken makes room again', async () => {
  const { kept } = await memory();
  const all = Buffer.alloc(MAX_QUEUED_BYTES);
  for (let i = 0; i < 3; i += 1) {
    await kept.outgoingEnqueueCombi([{ clientId: 'a' }], packet(all));
    expect(await queued(kept, 'a')).toBe(1);
    for await (const one of kept.outgoingStream({ id: 'a' })) await kept.outgoingClearMessageId({ id: 'a' }, one);
    expect(await queued(kept, 'a')).toBe(0);
  }
});

test('a session that was away too long is forgotten with its queue; beyond the limit no new one comes', async () => {
  const { kept, bounded } = await memory();
  await kept.addSubscriptions({ id: 'old' }, [{ topic: 'a', qos: 1 }]);
  await kept.outgoingEnqueueCombi([{ clientId: 'old' }], packet());
  bounded.note('old', 1_000);
  for (let i = 1; i < MAX_SESSIONS; i += 1) bounded.note(`s${i}`, null);
  expect(await bounded.admit('new', 1_000 + SESSION_MS - 1)).toBe(false);
  expect(await bounded.admit('old', 1_000 + SESSION_MS - 1)).toBe(true);
  expect(await bounded.admit('new', 1_000 + SESSION_MS)).toBe(true);
  expect(await kept.subscriptionsByClient({ id: 'old' })).toEqual([]);
  expect(await queued(kept, 'old')).toBe(0);
});

test('retained messages have a limit in number and size; one that is replaced or cleared makes room', async () => {
  const { kept, bounded } = await memory();
  for (let i = 0; i < MAX_RETAINED; i += 1) await kept.storeRetained(packet('x', `t${i}`));
  expect([bounded.mayRetain('one more', 'x'), bounded.mayRetain('t1', 'y'), bounded.mayRetain('t1', '')]).toEqual([
    false,
    true,
    true,
  ]);
  await kept.storeRetained(packet('', 't1'));
  expect(bounded.mayRetain('one more', 'x')).toBe(true);
  expect(bounded.mayRetain('one more', Buffer.alloc(MAX_RETAINED_BYTES))).toBe(false);
});
