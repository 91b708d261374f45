import { expect, test } from 'vitest';
import { answerRequest, MAX_ANSWER_EVENTS } from '../../../src/agent/publisher/answer.ts';
import { fittingEvents } from '../../../src/agent/publisher/batch.ts';
import { encodeBatch, MAX_BATCH_BYTES } from '../../../src/contract/envelope.ts';
import type { HealthMessage } from '../../../src/contract/message.ts';
import { event, levels, openLog, tempPath } from '../log/log-fixture.ts';

const health = () => ({ queue: 1 }) as HealthMessage;

test('an answer holds at most so many events, and at most so many bytes', async () => {
  const log = await openLog(tempPath());
  await log.append(levels(MAX_ANSWER_EVENTS + 100));
  const ask = async (maxBytes: number) => {
    const parts = { agent: 'porch', log, health, maxBytes };
    const answer = await answerRequest(parts, 'events', { transaction: 't', from: 1, to: 600 });
    return [(answer.events as unknown[]).length, JSON.stringify(answer).length] as const;
  };
  expect((await ask(MAX_BATCH_BYTES))[0]).toBe(MAX_ANSWER_EVENTS);
  const [few, bytes] = await ask(10_000);
  expect(few).toBeGreaterThan(10);
  expect(bytes).toBeLessThanOrEqual(10_000);
  await log.close();
});

test.each([
  ['chain', { epoch: 'none' }],
  ['chain', { seq: -1 }],
  ['chain', { seq: '1' }],
  ['events', { from: 0, to: 5 }],
  ['events', { from: 5, to: 4 }],
  ['events', {}],
  ['x'.repeat(1_000), { transaction: 'y'.repeat(10_000) }],
])('a request that makes no sense gets its reason: %s %j', async (verb, body) => {
  const log = await openLog(tempPath());
  const answer = await answerRequest({ agent: 'porch', log, health, maxBytes: 1_000 }, verb, body);
  expect([answer.status, typeof answer.reason]).toEqual(['error', 'string']);
  expect(JSON.stringify(answer).length).toBeLessThan(400);
  await log.close();
});

test('a batch of what fits is never larger than was allowed', async () => {
  const log = await openLog(tempPath());
  await log.append([...levels(40), event('sensor.failed', { source: 'ü'.repeat(300), reason: 'x' }), ...levels(40)]);
  const epoch = log.epochs()[0]?.epoch ?? '';
  const events = await log.read(epoch, 1, 81, 500, MAX_BATCH_BYTES);
  for (let limit = 200; limit < 30_000; limit += 97) {
    const fitting = events.slice(0, fittingEvents('porch', events, limit));
    if (fitting.length === 0) continue;
    const size = Buffer.byteLength(encodeBatch({ agent: 'porch', events: fitting, chain: new Uint8Array(32) }));
    expect(size).toBeLessThanOrEqual(limit);
  }
  await log.close();
});
