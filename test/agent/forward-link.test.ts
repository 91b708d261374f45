/** The loop of forward over links that the test scripts: what it opens, tells, and how long it waits in between. */
import { copyFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { type ForwardParts, runForward, waitsAfter } from '../../src/agent/forward.ts';
import type { EventLog, IngestLog } from '../../src/agent/log/event-log.ts';
import { createForwardStatus } from '../../src/agent/publisher/status.ts';
import { decodeBatch } from '../../src/contract/envelope.ts';
import { encodeStored, type HealthMessage } from '../../src/contract/message.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import type { Incoming, MqttLink, OpenLink } from '../../src/lib/mqtt-link.ts';
import { createQueue } from '../../src/lib/queue.ts';
import { newKey } from '../contract/signing.ts';
import { levels, openLog, tempPath } from './log/log-fixture.ts';

interface Link {
  readonly published: { readonly topic: string; readonly payload: string }[];
  readonly batches: () => readonly string[];
  closed: number;
  /** `stored` of central. */
  hears(text: string): void;
  end(error: Error | null): void;
  readonly link: MqttLink;
}

function scriptedLink(limits: Partial<MqttLink> = {}, acks = true): Link {
  const incoming = createQueue<Incoming>(10);
  let resolveEnd: (error: Error | null) => void = () => undefined;
  const ended = new Promise<Error | null>((resolve) => {
    resolveEnd = resolve;
  });
  const scripted: Link = {
    published: [],
    batches: () =>
      scripted.published.filter(({ topic }) => /\/(events|backlog)$/.test(topic)).map((one) => one.payload),
    closed: 0,
    hears(text) {
      const topic = agentTopic('collard/v1', 'porch', 'stored');
      incoming.push({ topic, payload: Buffer.from(text), retained: false, done: () => undefined });
    },
    end(error) {
      incoming.close();
      resolveEnd(error);
    },
    link: {
      protocol: '5',
      sessionPresent: false,
      receiveMaximum: 10,
      maxPacketBytes: 1e6,
      overruns: 0,
      incoming,
      ended,
      async publish(topic, payload) {
        scripted.published.push({ topic, payload: String(payload) });
        return acks || !/\/(events|backlog)$/.test(topic) ? { ok: true } : new Promise(() => undefined);
      },
      subscribe: async () => undefined,
      async close() {
        scripted.closed++;
        scripted.end(null);
      },
      ...limits,
    },
  };
  return scripted;
}

interface Setup {
  readonly events?: number;
  readonly config?: Record<string, unknown>;
  readonly mqtt?: Record<string, unknown>;
  readonly signer?: NonNullable<ForwardParts['signer']>;
  readonly prepare?: (log: EventLog) => void;
  /** A new one by default. */
  readonly log?: IngestLog;
}

async function start(open: (attempt: number, signal: AbortSignal) => Promise<MqttLink>, setup: Setup = {}) {
  const log = setup.log ?? (await openLog(tempPath()));
  onTestFinished(() => log.close());
  if ((setup.events ?? 0) > 0) await log.append(levels(setup.events ?? 0));
  let sessions = 0;
  log.nextSession = async () => ++sessions;
  setup.prepare?.(log);
  const clock = { nowMs: 0 };
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ file: 'none' }],
    log: { path: 'none' },
    mqtt: { url: 'mqtt://b', retryFirstMs: 10, retryMaxMs: 10, ...setup.mqtt },
    forward: { confirm: 'broker', batchEvents: 1, ...setup.config },
  });
  const monoNow = () => clock.nowMs;
  const status = createForwardStatus({ log, stalledAfterMs: config.forward.stalledAfterMs, monoNow, now: Date.now });
  const lines: { level: string; text: string; fields: object }[] = [];
  const tell = (level: string) => (fields: object, text: string) => void lines.push({ level, text, fields });
  const logger = { info: tell('info'), warn: tell('warn'), error: tell('error') };
  const told = { attempts: 0, sessions: [] as number[] };
  const openLink: OpenLink = (options, signal) => {
    told.attempts++;
    told.sessions.push(JSON.parse(options.will?.payload ?? '{}').session);
    return open(told.attempts, signal);
  };
  const stop = new AbortController();
  const health = () => ({}) as HealthMessage;
  const ports = { openLink, status, health, version: '1.2.3', logger, monoNow, random: () => 0.5 };
  const signer = setup.signer === undefined ? {} : { signer: setup.signer };
  const done = runForward({ config, log, ...ports, ...signer }, stop.signal);
  const stopped = () => {
    stop.abort();
    return done;
  };
  onTestFinished(() => stopped().catch(() => undefined));
  const texts = () => lines.map(({ text }) => text);
  return { log, clock, status, lines, texts, told, done, stop: stopped };
}

const fail = (text: string) => Promise.reject(new Error(text));
/** A broker that lets nobody in. */
const never = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

test('what a log lacks that was put back from an older copy is told where no central asks for it, once', async () => {
  const path = tempPath();
  const before = await openLog(path);
  await before.append(levels(10));
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, `${path}.copy${suffix}`);
  await before.append(levels(5));
  await before.startEpoch('test');
  await before.append(levels(3));
  await before.close();
  for (const suffix of ['', '-wal']) copyFileSync(`${path}.copy${suffix}`, path + suffix);
  const log = await openLog(path);
  const one = scriptedLink();
  const { stop } = await start(async () => one.link, { log });
  // Of the epoch between them nothing is held, so that its mark rests.
  await expect.poll(() => log.epochs().map(({ storedSeq }) => storedSeq)).toEqual([15, 0, 2]);
  const told = one
    .batches()
    .flatMap((text) => JSON.parse(text) as { readonly type: string; readonly data: Record<string, unknown> }[])
    .filter(({ type }) => type.endsWith('history.lost'))
    .map(({ data }) => [data.fromSeq, data.toSeq, data.reason]);
  expect(told).toEqual([
    [11, 15, 'tail of the log lost'],
    [1, 3, 'tail of the log lost'],
  ]);
  await stop();
});

describe('opening a link', () => {
  test('says with which number and protocol, and at the end that it has stopped', async () => {
    const one = scriptedLink({ protocol: '3.1.1' });
    const { status, lines, stop } = await start(async () => one.link);
    expect(status.link).toBe('connecting');
    await expect.poll(() => status.link).toBe('online');
    expect(status).toMatchObject({ protocol: '3.1.1', session: 1, links: 1, lastError: null });
    expect(lines).toEqual([
      { level: 'info', fields: { session: 1, protocol: '3.1.1' }, text: 'connected to the broker, MQTT 3.1.1' },
    ]);
    await stop();
    expect([status.link, one.closed]).toEqual(['stopped', 1]);
    expect(one.published.at(-1)?.payload).toContain('offline');
  });

  test('tells each failure once, and keeps its number until a link was up', async () => {
    const reasons = ['no route', 'no route', 'refused', 'no route'];
    const one = scriptedLink();
    const { told, status, lines, texts } = await start((attempt) => {
      const reason = reasons[attempt - 1];
      if (reason !== undefined) return fail(reason);
      return attempt === 5 ? Promise.resolve(one.link) : fail('no route');
    });
    await expect.poll(() => status.link).toBe('online');
    expect([texts(), status.lastError]).toEqual([
      ['no route', 'refused', 'connected to the broker, MQTT 5'],
      'no route',
    ]);
    expect(lines[0]).toMatchObject({ level: 'warn', fields: { retry: 'goes on', events: 'are kept in the log' } });
    one.end(new Error('gone'));
    await expect.poll(() => texts().slice(3)).toEqual(['gone', 'no route']);
    expect(told.sessions.slice(0, 6)).toEqual([1, 1, 1, 1, 1, 2]);
    expect(status).toMatchObject({ link: 'connecting', lastError: 'no route', links: 1 });
  });

  test('tells what is no error in its own words, and no more than a hundred different ones', async () => {
    const { told, texts } = await start((attempt) => Promise.reject(`no link ${attempt}`), {
      mqtt: { retryFirstMs: 10, retryMaxMs: 10 },
    });
    await expect.poll(() => told.attempts).toBeGreaterThan(105);
    expect([texts()[0], texts().length]).toEqual(['no link 1', 100]);
  });

  test('that is cut off by the stop is no failure', async () => {
    let cut: (error: Error) => void = () => undefined;
    const { status, lines, told, done, stop } = await start(
      () =>
        new Promise((_, reject) => {
          cut = reject;
        }),
    );
    await expect.poll(() => told.attempts).toBe(1);
    void stop();
    cut(new Error('aborted'));
    await done;
    expect([lines, status.lastError, status.link]).toEqual([[], null, 'stopped']);
  });

  test('is tried again soon where the last link lasted, also if nothing was sent over it', async () => {
    const links: Link[] = [];
    const { told, clock, status } = await start(
      async (attempt, signal) => {
        if (attempt > 8) return never(signal);
        const one = scriptedLink();
        links.push(one);
        return one.link;
      },
      { mqtt: { retryFirstMs: 40, retryMaxMs: 60_000 } },
    );
    // 30 ms after each. Were they failures, the last would come after 7 s and more.
    for (const count of [1, 2, 3, 4, 5, 6, 7, 8]) {
      await expect.poll(() => status.links).toBe(count);
      clock.nowMs += 60_001;
      links.at(-1)?.end(null);
    }
    await expect.poll(() => told.attempts).toBe(9);
  });
});

describe('working a link', () => {
  test.each([
    [10, 3, 3],
    [3, 8, 2],
    [1, 8, 1],
  ])(
    'with a Receive Maximum of %d and a window of %d has %d batches on the way',
    async (receiveMaximum, window, most) => {
      const one = scriptedLink({ receiveMaximum }, false);
      const { status, log } = await start(async () => one.link, { events: 1, config: { windowBatches: window } });
      await expect.poll(() => status.link).toBe('online');
      await log.append(levels(20));
      await expect.poll(() => one.batches().length).toBe(most);
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(one.batches()).toHaveLength(most);
    },
  );

  test('signs with the key that there is at its beginning, and goes unsigned where there is none', async () => {
    const key = newKey();
    const keys = [null, key];
    const links = [scriptedLink(), scriptedLink()];
    const rig = await start(async (attempt, signal) => links[attempt - 1]?.link ?? never(signal), {
      events: 1,
      signer: async () => keys.shift() ?? null,
    });
    const keyIds = (link: Link | undefined) =>
      link?.batches().map((payload) => {
        const decoded = decodeBatch(Buffer.from(payload));
        return decoded.ok ? decoded.batch.proof?.keyId : decoded.reason;
      });
    await expect.poll(() => keyIds(links[0])).toEqual([undefined]);
    links[0]?.end(new Error('gone'));
    await expect.poll(() => rig.status.links).toBe(2);
    await rig.log.append(levels(1));
    await expect.poll(() => keyIds(links[1])).toEqual([key.keyId]);
  });

  test('says why it ended, and closes it', async () => {
    const one = scriptedLink();
    const { status, texts } = await start(async (attempt, signal) => (attempt === 1 ? one.link : never(signal)));
    await expect.poll(() => status.link).toBe('online');
    one.end(new Error('the broker went away'));
    await expect.poll(texts).toEqual(['connected to the broker, MQTT 5', 'the broker went away']);
    await expect.poll(() => [one.closed, status.link]).toEqual([1, 'connecting']);
  });

  test('ends with the error of the log, and closes the link', async () => {
    const one = scriptedLink();
    const broken = Object.assign(new Error('damaged'), { code: 'SQLITE_CORRUPT' });
    const { done } = await start(async () => one.link, {
      events: 1,
      prepare: (log) => Object.assign(log, { read: () => Promise.reject(broken) }),
    });
    await expect(done).rejects.toBe(broken);
    expect(one.closed).toBe(1);
  });

  test('asks central, and begins the backlog without its answer when that takes too long', async () => {
    const one = scriptedLink();
    const { clock, status } = await start(async () => one.link, {
      events: 1,
      config: { confirm: 'store', syncAfterMs: 5_000 },
    });
    await expect.poll(() => status.link).toBe('online');
    await expect.poll(() => one.published.some(({ topic }) => topic.endsWith('/sync'))).toBe(true);
    clock.nowMs = 2_999;
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(one.batches()).toEqual([]);
    clock.nowMs = 3_000;
    await expect.poll(() => one.batches().length).toBe(1);
  });
});

describe('a central that confirms nothing', () => {
  const asked = (link: Link | undefined) => link?.published.some(({ topic }) => topic.endsWith('/sync')) ?? false;
  const settled = () => new Promise((resolve) => setTimeout(resolve, 250));

  test('is sent nothing twice until it has answered, and waited for twice as long; with its word all is as before', async () => {
    const links = [scriptedLink(), scriptedLink(), scriptedLink(), scriptedLink()];
    const { clock, status, log } = await start(async (attempt, signal) => links[attempt - 1]?.link ?? never(signal), {
      events: 1,
      config: { confirm: 'store', syncAfterMs: 5_000, stalledAfterMs: 60_000 },
    });
    const [first, second, third, fourth] = links;
    await expect.poll(() => asked(first)).toBe(true);
    clock.nowMs = 3_000;
    await expect.poll(() => first?.batches().length).toBe(1);
    clock.nowMs = 60_000;
    await expect.poll(() => status.links).toBe(2);
    await expect.poll(() => asked(second)).toBe(true);
    // What is new goes out all the same.
    await log.append(levels(1));
    await expect.poll(() => second?.batches().length).toBe(1);
    expect(second?.batches()[0]).toContain('"seq":2');
    clock.nowMs = 179_000;
    await settled();
    expect([second?.batches().length, status.links]).toEqual([1, 2]);
    clock.nowMs = 181_000;
    await expect.poll(() => status.links).toBe(3);
    await expect.poll(() => asked(third)).toBe(true);
    const epoch = log.epochs().at(-1)?.epoch ?? '';
    const chain = (await log.chainAt(epoch, 1)) ?? new Uint8Array(32);
    third?.hears(encodeStored({ incarnation: 'one', epoch, seq: 1, chain, need: [] }));
    await expect.poll(() => status.storedSeq).toBe(1);
    third?.end(new Error('gone'));
    await expect.poll(() => asked(fourth)).toBe(true);
    clock.nowMs += 3_000;
    await expect.poll(() => fourth?.batches().length).toBe(1);
  });

  test.each([
    [0, 3_000, 60_000],
    [1, 120_000, 120_000],
    [4, 960_000, 960_000],
    [50, 960_000, 960_000],
  ])('after %d links is waited for %d ms before anything is sent again, and %d ms in all', (stalls, opens, stalled) => {
    const waits = waitsAfter(stalls, { syncAfterMs: 10_000, stalledAfterMs: 60_000 });
    expect(waits).toEqual({ syncAnswerMs: 3_000, openAfterMs: opens, stalledAfterMs: stalled });
  });
});
