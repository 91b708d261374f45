import { expect, test } from 'vitest';
import { answerRequest, MAX_ANSWER_EVENTS } from '../../../src/agent/publisher/answer.ts';
import { fittingEvents } from '../../../src/agent/publisher/batch.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import { type CompareAnswer, type CompareQuestion, decodeCompareAnswer } from '../../../src/contract/compare.ts';
import { encodeBatch, encodeEvent, MAX_BATCH_BYTES } from '../../../src/contract/envelope.ts';
import type { LiveTrace } from '../../../src/contract/live.ts';
import type { HealthMessage } from '../../../src/contract/message.ts';
import { ONE_MORE } from '../../contract/compared.ts';
import { event, levels, openLog, readAll, tempPath } from '../log/log-fixture.ts';

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
  ['events', { epoch: 'none', from: 1, to: 5 }],
  ['events', { from: 0, to: 5 }],
  ['events', { from: 5, to: 4 }],
  ['events', {}],
  ['live', {}],
  ['live', { collar: 'A' }],
  ['live', { collar: 'A', from: -1 }],
  ['compare', { hours: 1, shake: {} }],
  ['compare', { collar: 'A', hours: 25, shake: {} }],
  ['compare', { collar: 'A', hours: 1, shake: { forest: 1 } }],
  ['compare', { collar: 'A', hours: 1, shake: { quietMs: 0.5 } }],
  ['compare', { collar: 'A', hours: 1, shake: {} }],
  ['x'.repeat(1_000), { transaction: 'y'.repeat(10_000) }],
])('a request that makes no sense gets its reason: %s %j', async (verb, body) => {
  const log = await openLog(tempPath());
  const answer = await answerRequest({ agent: 'porch', log, health, maxBytes: 1_000 }, verb, body);
  expect([answer.status, typeof answer.reason]).toEqual(['error', 'string']);
  expect(JSON.stringify(answer).length).toBeLessThan(400);
  await log.close();
});

test('events that the log has not are none, and the log stays sound', async () => {
  const log = await openLog(tempPath());
  await log.append(levels(30));
  const parts = { agent: 'porch', log, health, maxBytes: 10_000 };
  expect(await answerRequest(parts, 'events', { from: 75, to: 91 })).toMatchObject({ status: 'ok', events: [] });
  expect(await answerRequest(parts, 'events', { from: 1, to: 2 })).toMatchObject({ events: [{ seq: 1 }, { seq: 2 }] });
  await log.close();
});

test('a batch of what fits is never larger than was allowed', async () => {
  const log = await openLog(tempPath());
  await log.append([...levels(40), event('sensor.failed', { source: 'ü'.repeat(300), reason: 'x' }), ...levels(40)]);
  const epoch = log.epochs()[0]?.epoch ?? '';
  const events = await log.read(epoch, 1, 81, 500, MAX_BATCH_BYTES);
  for (let limit = 200; limit < 30_000; limit += 97) {
    const fitting = events.slice(0, fittingEvents('porch', events, limit).length);
    if (fitting.length === 0) continue;
    const size = Buffer.byteLength(encodeBatch({ agent: 'porch', events: fitting, chain: new Uint8Array(32) }));
    expect(size).toBeLessThanOrEqual(limit);
  }
  await log.close();
});

test('the chain is that of the end where no seq is named, and null where the log no longer knows it', async () => {
  const log = await openLog(tempPath());
  await log.append(levels(3));
  const epoch = log.epochs()[0]?.epoch ?? '';
  const chain = chainHex((await log.chainAt(epoch, 3)) ?? new Uint8Array());
  const head = { transaction: null, status: 'ok', epoch, seq: 3, firstSeq: 1, lastSeq: 3 };
  const parts = { agent: 'porch', log, health, maxBytes: 1_000 };
  expect(await answerRequest(parts, 'chain', {})).toEqual({ ...head, chain });
  log.chainAt = async () => null;
  expect(await answerRequest(parts, 'chain', { seq: 3, transaction: 5 })).toEqual({ ...head, chain: null });
  await log.close();
});

test.each([
  ['chain', { epoch: 'none' }, 'epoch is unknown here'],
  ['chain', { seq: 4 }, 'seq must be a whole number from 0 to 3'],
  ['chain', { seq: 0.5 }, 'seq must be a whole number from 0 to 3'],
  ['events', { epoch: 'none', from: 1, to: 2 }, 'epoch is unknown here'],
  ['events', { from: 1 }, 'from and to must be whole numbers, from 1 up'],
  [
    'x'.repeat(50),
    {},
    `unknown request "${'x'.repeat(32)}": health, epochs, chain, events, live, compare are answered`,
  ],
])('a request that cannot be answered says why: %s %j', async (verb, body, reason) => {
  const log = await openLog(tempPath());
  await log.append(levels(3));
  const answer = await answerRequest({ agent: 'porch', log, health, maxBytes: 1_000 }, verb, body);
  expect(answer).toEqual({ transaction: null, status: 'error', reason });
  await log.close();
});

test('a transaction comes back, up to its longest', async () => {
  const log = await openLog(tempPath());
  const parts = { agent: 'porch', log, health, maxBytes: 1_000 };
  expect(await answerRequest(parts, 'health', { transaction: 'y'.repeat(129) })).toEqual({
    transaction: 'y'.repeat(128),
    status: 'ok',
    health: { queue: 1 },
  });
  expect(await answerRequest(parts, 'epochs', { transaction: 't' })).toEqual({
    transaction: 't',
    status: 'ok',
    epochs: log.epochs(),
  });
  await log.close();
});

test('one event can be asked for, and the events come as they go out', async () => {
  const log = await openLog(tempPath());
  await log.append(levels(3));
  const [, second] = await readAll(log);
  const parts = { agent: 'porch', log, health, maxBytes: 10_000 };
  const answer = await answerRequest(parts, 'events', { from: 2, to: 2 });
  expect(answer).toMatchObject({ firstSeq: 1, lastSeq: 3 });
  expect(answer.events).toEqual(second && [JSON.parse(encodeEvent('porch', second))]);
  await log.close();
});

test('who looks on gets columns from where they ask, or why not', async () => {
  const log = await openLog(tempPath());
  const trace = { collar: 'A', nowMs: 1, measure: null, columns: [{ no: 7, level: 1, odds: null, shaking: true }] };
  const look = (collar: string, from: number) =>
    collar === 'A' ? ({ ...trace, bursts: [], from } as unknown as LiveTrace) : 'no more';
  const parts = { agent: 'porch', log, health, look, maxBytes: 1_000 };
  expect(await answerRequest(parts, 'live', { transaction: 't', collar: 'A', from: 7 })).toMatchObject({
    transaction: 't',
    status: 'ok',
    columns: [[7, 1, null, 1]],
    from: 7,
  });
  expect(await answerRequest(parts, 'live', { collar: 'B' })).toMatchObject({ status: 'error', reason: 'no more' });
  await log.close();
});

test('who asks what settings would change is told to ask again, and then all of it', async () => {
  const log = await openLog(tempPath());
  const answers: (CompareAnswer | string)[] = [{ working: true }, { working: false, compared: ONE_MORE }, 'no more'];
  const asked: unknown[] = [];
  const compare = (question: CompareQuestion) => {
    asked.push(question);
    return answers.shift() ?? 'no more';
  };
  const parts = { agent: 'porch', log, health, compare, maxBytes: 1_000 };
  const question = { collar: 'C0FFEE01', hours: 3, shake: { sensitivity: 1.4 } };
  const ask = () => answerRequest(parts, 'compare', { transaction: 't', ...question, more: 1 });
  expect(await ask()).toEqual({ transaction: 't', status: 'ok', working: true });
  const told = await ask();
  expect(told).toMatchObject({ transaction: 't', status: 'ok' });
  expect(decodeCompareAnswer(JSON.parse(JSON.stringify(told)))).toEqual({ working: false, compared: ONE_MORE });
  expect(await ask()).toEqual({ transaction: 't', status: 'error', reason: 'no more' });
  expect(asked).toEqual([question, question, question]);
  await log.close();
});
