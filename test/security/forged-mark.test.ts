/** What SECURITY.md says of whoever may write `stored`: its marks are believed, and central sees afterwards what it never got. */
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/central/open-store.ts';
import { createTrust } from '../../src/central/trust.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { decodeStored, encodeStored, encodeSync } from '../../src/contract/message.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import { levels, T0 } from '../agent/log/log-fixture.ts';
import { startSession } from '../agent/publisher/session-rig.ts';
import { NOW } from '../central/store/events.ts';
import { newKey } from '../contract/signing.ts';
import { startReceiving } from './receiving.ts';

const DAY = 86_400_000;
const KEEP_DAYS = 7;
const HELD = 5;

test('a forged mark with the chain of the own sync is believed, and central sees the gap as soon as it hears the agent', async () => {
  const key = newKey();
  const { log, epoch, syncs, sent, hear, settled } = await startSession({ events: HELD, key });
  await settled();
  // The forger has no key and no event: it reads what the agent asks, and answers in central's place.
  const asked = syncs[0] ?? never();
  expect(asked).toMatchObject({ epoch, lastSeq: HELD });
  expect(asked.proof).toBeDefined();
  const forged = { incarnation: 'forger', epoch, seq: HELD, chain: asked.chain, need: [] };
  hear({ type: 'stored', message: decodeStored(Buffer.from(encodeStored(forged))) ?? never() });
  await settled();
  expect(log.epochs()[0]?.storedSeq).toBe(HELD);
  // Nothing goes before its time, and what goes then was never stored.
  expect(await log.trim(T0 + (KEEP_DAYS - 1) * DAY)).toMatchObject({ deleted: 0 });
  expect(await log.trim(T0 + (KEEP_DAYS + 1) * DAY)).toMatchObject({ deleted: HELD, lost: 0 });

  const store = await openStore({ url: 'sqlite::memory:' });
  await store.enrollKey('porch', key.publicKey, 'enrolled', NOW);
  const quiet = { logger: pino({ level: 'silent' }), clock: () => new Date(NOW) };
  const receiving = startReceiving(store, { trust: createTrust({ store, policy: 'optional', ...quiet }) });
  onTestFinished(async () => {
    await receiving.stop();
    await store.close();
  });
  await log.append(levels(1, (KEEP_DAYS + 1) * DAY));
  hear({ type: 'central', online: true, fresh: true });
  await settled();
  const [sync, last] = [syncs.at(-1) ?? never(), sent.at(-1) ?? never()];
  expect(last.name).toBe(`events ${HELD + 1}-${HELD + 1}`);
  await receiving.say([
    { topic: agentTopic('collard/v1', 'porch', 'sync'), payload: encodeSync(sync) },
    { topic: agentTopic('collard/v1', 'porch', 'events'), payload: encodeBatch(last.batch) },
  ]);
  expect(await store.agentGaps('porch')).toMatchObject([{ epoch, fromSeq: 1, toSeq: HELD }]);
  const [row] = await store.agents();
  expect(row).toMatchObject({ signed: 'verified', gaps: 1, epochs: [{ mark: HELD + 1 }] });
});

function never(): never {
  throw new Error('nothing came');
}
