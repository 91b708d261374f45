import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeBatch } from '../../../src/contract/envelope.ts';
import { agentTopic } from '../../../src/contract/topic.ts';
import { epochId, meowing, NOW } from '../store/events.ts';
import { quarantine } from '../store/said.ts';
import { type Serving, startServing } from './serving.ts';

const BASE = 'collard/v1';
let central: Serving;

beforeEach(async () => {
  central = await startServing();
});
afterEach(() => central.stop());

const porch = meowing('porch', epochId(1), 4);
const put = (payload: string, agent = 'porch', channel: 'events' | 'state' = 'events') => {
  const topic = agentTopic(BASE, agent, channel);
  const message = { agent, topic, payload: Buffer.from(payload), kind: 'unreadable', reason: 'is no JSON' } as const;
  return quarantine(central.store, message, NOW);
};

describe('/api/v1/quarantine', () => {
  test('lists, shows and drops', async () => {
    await put('{');
    await put('[');
    const { body } = await central.call('GET', '/api/v1/quarantine');
    expect(body.messages.map(({ no, reason }: { no: number; reason: string }) => [no, reason])).toEqual([
      [1, 'is no JSON'],
      [2, 'is no JSON'],
    ]);
    expect(body).toMatchObject({ held: { messages: 2, bytes: 2, noted: 2 }, dropped: [] });
    expect((await central.call('GET', '/api/v1/quarantine?after=1&kind=unreadable&agent=')).body.messages).toHaveLength(
      1,
    );
    const one = await central.call('GET', '/api/v1/quarantine/2');
    expect(Buffer.from(one.body.payload, 'base64').toString()).toBe('[');
    expect((await central.call('DELETE', '/api/v1/quarantine/2')).body).toEqual({ dropped: 1 });
    for (const method of ['GET', 'DELETE']) {
      expect(await central.call(method, '/api/v1/quarantine/2')).toMatchObject({ status: 404 });
    }
    expect((await central.call('DELETE', '/api/v1/quarantine')).body).toEqual({ dropped: 1 });
    expect((await central.call('GET', '/api/v1/quarantine')).body.messages).toEqual([]);
    for (const query of ['kind=x', 'limit=0', 'after=-1', 'x=1']) {
      expect((await central.call('GET', `/api/v1/quarantine?${query}`)).status).toBe(400);
    }
  });

  test('takes in again what can be read now, and folds it', async () => {
    await put(encodeBatch(porch.batch(1, 2)));
    const { version } = central.changes;
    const retried = await central.call('POST', '/api/v1/quarantine/1/retry');
    expect(retried.body).toEqual({ ok: true, inserted: 2, duplicates: 0, conflicts: 0 });
    expect(central.changes.version).toBeGreaterThan(version);
    expect((await central.call('GET', '/api/v1/quarantine')).body.messages).toEqual([]);
    expect((await central.call('GET', '/api/v1/events')).body.events).toHaveLength(2);
    expect((await central.call('POST', '/api/v1/quarantine/1/retry')).status).toBe(404);
  });

  test('keeps what still cannot be taken in, with the reason of now', async () => {
    await central.store.ingest(porch.batch(1, 1), NOW);
    await put('{');
    await put(encodeBatch({ ...meowing('shed', epochId(1), 2).batch(1, 2) }), 'shed');
    await put('{"state":"online","session":1,"version":"1"}', 'porch', 'state');
    const reasons = ['payload is not JSON in UTF-8', 'belongs to another agent', 'holds no events'];
    for (const [i, reason] of reasons.entries()) {
      const { body } = await central.call('POST', `/api/v1/quarantine/${i + 1}/retry`);
      expect(body).toEqual({ ok: false, reason: expect.stringContaining(reason) });
      expect((await central.store.quarantinedMessage(i + 1))?.reason).toContain(reason);
    }
  });

  test('no other site may change it, and the API describes it', async () => {
    await put('{');
    for (const [method, path] of [
      ['DELETE', 'quarantine'],
      ['DELETE', 'quarantine/1'],
      ['POST', 'quarantine/1/retry'],
    ] as const) {
      const headers = { 'sec-fetch-site': 'cross-site' };
      expect((await fetch(new URL(`/api/v1/${path}`, central.url), { method, headers })).status).toBe(403);
    }
    const { body } = await central.call('GET', '/api/openapi.json');
    const paths = ['quarantine', 'quarantine/{no}', 'quarantine/{no}/retry', 'conflicts'];
    expect(Object.keys(body.paths)).toEqual(expect.arrayContaining(paths.map((path) => `/api/v1/${path}`)));
  });

  test('conflicts are listed, and all of it is in the metrics', async () => {
    await central.store.ingest(porch.batch(1, 4), NOW);
    await central.store.ingest(meowing('porch', epochId(1), 4, 'COPY').batch(1, 4), NOW);
    await put('{');
    const { body } = await central.call('GET', '/api/v1/conflicts?after=1&limit=2&agent=porch');
    expect(body.conflicts.map(({ seq }: { seq: number }) => seq)).toEqual([2, 3]);
    const { text } = await central.call('GET', '/metrics');
    expect(text).toMatch(/^collard_quarantine_messages 1$/m);
    expect(text).toMatch(/^collard_quarantine_bytes 1$/m);
    expect(text).toMatch(/^collard_quarantine_dropped_total\{kind="conflict"\} 0$/m);
    expect((await central.call('GET', '/api/v1/agents')).body.agents[0]).toMatchObject({
      quarantined: 1,
      conflicts: 4,
    });
  });
});
