/** From an alert in the log to the webhook that hears of it, over failures, restarts and other processes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createChanges } from '../../src/central/api/changes.ts';
import { openAlertLog } from '../../src/central/cats/alert-log.ts';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { CLAIM_MS, MAX_TRIES, type NotifyParts, RETRY, runNotify } from '../../src/central/notify.ts';
import { openStore } from '../../src/central/open-store.ts';
import type { Store } from '../../src/central/store/store.ts';
import type { Delivered, Delivery, Webhook } from '../../src/central/webhook.ts';
import { faultOf } from '../contract/cloud-events.ts';
import { until } from '../servers.ts';

const START = Date.parse('2026-11-23T12:00:00.000Z');
const alert = { rule: 'battery', key: 'battery', since: '', text: 'battery of the collar is low' } as const;
const hook = (target: string): Webhook => ({
  url: `https://${target}.example/token`,
  shown: `https://${target}.example`,
  target,
  key: null,
  on: ['raised', 'cleared'],
});
const FAILED: Delivered = { ok: false, reason: 'https://a.example answers 500' };

let store: Store;
let nowMs = START;
beforeEach(async () => {
  nowMs = START;
  store = await openStore({ url: 'sqlite::memory:' });
  await openCatService(store, () => new Date(START - 1_000)).addCat('Mia');
});
afterEach(() => store.close());

const write = (change: 'raised' | 'cleared', targets: readonly string[] = ['a']) =>
  openAlertLog(
    store,
    () => new Date(nowMs),
    () => targets,
  ).write(change, 1, alert);

/** The loop, with a script of answers for each webhook; what is over answers as the last. */
function notify(script: Record<string, readonly (Delivered | Promise<Delivered>)[]>) {
  const changes = createChanges();
  const sent: (Delivery & { readonly to: string })[] = [];
  const lines: string[] = [];
  const tell = (fields: object, text: string) => void lines.push(`${text} ${JSON.stringify(fields)}`);
  const stop = new AbortController();
  const parts: NotifyParts = {
    store,
    webhooks: Object.keys(script).map(hook),
    async send({ target }, delivery) {
      const answers = script[target] ?? [];
      const nth = sent.filter(({ to }) => to === target).length;
      sent.push({ ...delivery, to: target });
      return answers[Math.min(nth, answers.length - 1)] ?? { ok: true };
    },
    changes,
    clock: () => new Date(nowMs),
    random: () => 1,
    logger: { info: tell, warn: tell, error: tell } as never,
  };
  const done = runNotify(parts, stop.signal);
  return {
    sent,
    lines,
    /** Lets it look again, and resolves when it has sent so much in all. */
    async look(total: number) {
      changes.announce();
      await until(`${total} were sent, ${sent.length} so far`, () => {
        changes.announce();
        return sent.length >= total;
      });
    },
    async stop() {
      stop.abort();
      await done;
    },
  };
}

const counts = () => store.noticeCounts();

describe('webhooks', () => {
  test('hear of an alert once, with the event and the name of the cat, and of nothing that they are not told', async () => {
    const { sent, look, stop } = notify({ a: [], b: [] });
    await write('raised', ['a']);
    await write('cleared', ['a', 'b']);
    await look(3);
    await stop();
    const told = sent.map(({ to, body }) => [to, JSON.parse(body)]);
    expect(told.map(([to, { type }]) => `${to} ${type}`).sort()).toEqual([
      'a collard.alert.cleared',
      'a collard.alert.raised',
      'b collard.alert.cleared',
    ]);
    expect(told[0]?.[1]).toMatchObject({
      specversion: '1.0',
      catname: 'Mia',
      data: { catId: 1, rule: 'battery', key: 'battery', text: alert.text },
    });
    expect(sent[0]?.id).toBe(JSON.parse(sent[0]?.body ?? '').id);
    for (const { body } of sent) expect(faultOf(body), body).toBeNull();
    expect(await counts()).toEqual({ waiting: 0, dead: 0, dropped: 0 });
  });

  test('that fail are told again with the same id, later and later, which the log says once', async () => {
    const { sent, lines, look, stop } = notify({ a: [FAILED, FAILED, FAILED, { ok: true }] });
    await write('raised');
    await look(1);
    for (const [i, waitMs] of [1_000, 2_000, 4_000].entries()) {
      await until('the failure is noted', async () => (await store.nextNoticeMs(['a'])) === nowMs + waitMs);
      nowMs += waitMs;
      await look(i + 2);
    }
    await until('it is forgotten', async () => (await counts()).waiting === 0);
    await stop();
    expect(new Set(sent.map(({ id, body }) => id + body)).size).toBe(1);
    expect(lines).toEqual([
      'a webhook is told later: https://a.example answers 500 {"webhook":"https://a.example"}',
      'the webhook answers again {"webhook":"https://a.example"}',
    ]);
  });

  test('are given up after MAX_TRIES, which is counted and told, and can be revived', async () => {
    const { sent, lines, look, stop } = notify({ a: [FAILED] });
    await write('raised');
    for (let i = 1; i <= MAX_TRIES; i += 1) {
      await look(i);
      nowMs += RETRY.maxMs;
      await until('it is noted', async () => ((await store.nextNoticeMs(['a'])) ?? 0) <= nowMs);
    }
    await until('it is given up', async () => (await counts()).dead === 1);
    expect(lines.at(-1)).toMatch(/^a webhook was not told.*answers 500/);
    expect(lines.join()).not.toContain('token');
    await store.reviveNotices(nowMs);
    await look(MAX_TRIES + 1);
    await stop();
    expect(sent).toHaveLength(MAX_TRIES + 1);
  });

  test('one that hangs holds up no other', async () => {
    let answer: (outcome: Delivered) => void = () => undefined;
    const { sent, look, stop } = notify({
      a: [
        new Promise((resolve) => {
          answer = resolve;
        }),
      ],
      b: [],
    });
    await write('raised', ['a', 'b']);
    await look(2);
    await write('cleared', ['a', 'b']);
    await look(3);
    expect(sent.map(({ to }) => to).sort()).toEqual(['a', 'b', 'b']);
    answer(FAILED);
    await stop();
  });

  test('what waits at the end is due at once at the next start; what died with its process, after a while', async () => {
    let answer: (outcome: Delivered) => void = () => undefined;
    const first = notify({ a: [new Promise((resolve) => (answer = resolve))] });
    await write('raised');
    await write('cleared');
    await first.look(1);
    const ended = first.stop();
    answer({ ok: false, reason: 'aborted' });
    await ended;
    expect(await store.nextNoticeMs(['a'])).toBe(nowMs);
    // Dies after it was given both.
    expect(await store.claimNotices(['a'], nowMs, nowMs + CLAIM_MS, 8)).toHaveLength(2);
    nowMs += CLAIM_MS;
    const second = notify({ a: [] });
    await second.look(2);
    await second.stop();
    expect(second.sent.map(({ body }) => JSON.parse(body).type)).toEqual([
      'collard.alert.raised',
      'collard.alert.cleared',
    ]);
  });

  test('of two processes one tells', async () => {
    const [one, other] = [notify({ a: [] }), notify({ a: [] })];
    for (const change of ['raised', 'cleared', 'raised', 'cleared'] as const) await write(change);
    await until('all are told', async () => {
      await one.look(0);
      await other.look(0);
      return (await counts()).waiting === 0;
    });
    await one.stop();
    await other.stop();
    const ids = [...one.sent, ...other.sent].map(({ id }) => id);
    expect([ids.length, new Set(ids).size]).toEqual([4, 4]);
  });

  test('where the store fails, the loop goes on', async () => {
    let isBroken = true;
    const { claimNotices } = store;
    store.claimNotices = (...args) => (isBroken ? Promise.reject(new Error('disk')) : claimNotices(...args));
    const { lines, look, stop } = notify({ a: [] });
    await write('raised');
    await until('it is told', () => lines.length > 0);
    isBroken = false;
    await look(1);
    await stop();
    expect(lines[0]).toContain('the store could not be asked');
  });
});
