/** A card that was restored from an image of the whole of it, under a real central: every event ends there, none is swallowed. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { runForward } from '../../src/agent/forward.ts';
import type { EventLog } from '../../src/agent/log/event-log.ts';
import { createForwardStatus } from '../../src/agent/publisher/status.ts';
import { openStore } from '../../src/central/open-store.ts';
import { runReceive } from '../../src/central/receive.ts';
import { createOutbox } from '../../src/central/subscriber/outbox.ts';
import type { HealthMessage } from '../../src/contract/message.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { startAedes, until } from '../servers.ts';
import { event, openLog } from './log/log-fixture.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const append = (log: EventLog, count: number, source: string) =>
  log.append(Array.from({ length: count }, (_, i) => event('sensor.failed', { source, reason: `${i}` })));

async function startReal() {
  const broker = await startAedes();
  const store = await openStore({ url: 'sqlite::memory:' });
  const stop = new AbortController();
  const link = { url: broker.url, keepaliveSeconds: 10, connectTimeoutMs: 2_000 };
  const running = runReceive(
    {
      store,
      openLink: openMqttLink,
      subscriber: { base: 'collard/v1', group: 'central', sessionExpirySeconds: 60, link },
      outbox: createOutbox(),
      retry: { firstMs: 20, maxMs: 50 },
      logger: pino({ level: 'silent' }),
      clock: () => new Date(),
      random: () => 0.5,
      ingested: () => undefined,
      changed: () => undefined,
      onConnection: () => undefined,
    },
    stop.signal,
  );
  cleanups.push(async () => {
    stop.abort();
    await running;
    await store.close();
    await broker.stop();
  });
  return { url: broker.url, store };
}

/** Until all that the log holds is confirmed. */
async function forwardAll(url: string, log: EventLog): Promise<void> {
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ file: 'none' }],
    log: { path: 'none' },
    mqtt: { url, retryFirstMs: 20, retryMaxMs: 100, connectTimeoutMs: 2_000 },
    forward: { syncAfterMs: 200, stalledAfterMs: 5_000, batchEvents: 3 },
  });
  const monoNow = () => performance.now();
  const status = createForwardStatus({ log, stalledAfterMs: 5_000, monoNow, now: Date.now });
  const stop = new AbortController();
  const health = () => ({}) as HealthMessage;
  const parts = { config, log, openLink: openMqttLink, status, health, version: '1', logger: quiet, monoNow };
  const running = runForward({ ...parts, random: Math.random }, stop.signal);
  await until('all is confirmed', () => status.links > 0 && status.queue === 0);
  stop.abort();
  await running;
}

test.each([
  ['wrote on beyond what central holds', 8],
  ['wrote less than central holds', 2],
])(
  'an agent on a restored card that %s before it was online',
  async (_name, written) => {
    const { url, store } = await startReal();
    const home = mkdtempSync(join(tmpdir(), 'collard-card-'));
    cleanups.push(() => rmSync(home, { recursive: true }));
    const [card, image] = [join(home, 'card'), join(home, 'image')];
    cpSync(mkdtempSync(join(home, 'new-')), card, { recursive: true });
    const path = join(card, 'events.db');
    let log = await openLog(path);
    await append(log, 6, 'before');
    await forwardAll(url, log);
    await log.close();
    cpSync(card, image, { recursive: true });
    log = await openLog(path);
    await append(log, 4, 'after the image');
    await forwardAll(url, log);
    const epoch = log.epochs()[0]?.epoch ?? '';
    await log.close();

    rmSync(card, { recursive: true });
    cpSync(image, card, { recursive: true });
    log = await openLog(path);
    await append(log, written, 'restored');
    await forwardAll(url, log);
    await append(log, 3, 'after that');
    await forwardAll(url, log);

    const stored = (await store.events({ limit: 100 })).events;
    const conflicts = await store.conflicting({ after: 0, limit: 100 });
    const told = [...stored.map(({ data }) => data), ...conflicts.map(({ body }) => JSON.parse(body).data as string)];
    const of = (source: string) => told.filter((data) => (JSON.parse(data) as { source?: string }).source === source);
    expect(of('before')).toHaveLength(6);
    expect(of('after the image')).toHaveLength(4);
    expect(of('restored')).toHaveLength(written);
    expect(of('after that')).toHaveLength(3);
    expect(new Set(told).size).toBe(told.length);
    expect(conflicts.map((one) => [one.epoch, one.seq])).toEqual(
      Array.from({ length: Math.min(written, 4) }, (_, i) => [epoch, 7 + i]),
    );
    const current = log.epochs().at(-1)?.epoch ?? '';
    expect(current).not.toBe(epoch);
    expect((await store.agents())[0]?.epochs.find((one) => one.epoch === current)).toMatchObject({
      chainOk: true,
      missing: 0,
    });
    const epochs = log.epochs().length;
    await log.close();
    // Later starts find nothing more to do.
    log = await openLog(path);
    await append(log, 1, 'the next day');
    await forwardAll(url, log);
    expect(log.epochs()).toHaveLength(epochs);
    expect(await store.conflicting({ after: 0, limit: 100 })).toHaveLength(conflicts.length);
    await log.close();
  },
  30_000,
);
