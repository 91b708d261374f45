/** A broker that takes no message above a size and does not announce it: MQTT 5 is told of each, 3.1.1 of none. */
import { afterEach, describe, expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { runForward } from '../../src/agent/forward.ts';
import { createForwardStatus } from '../../src/agent/publisher/status.ts';
import type { HealthMessage } from '../../src/contract/message.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { mosquittoPath, requireServer, startMosquitto, until } from '../servers.ts';
import { event, levels, openLog, tempPath } from './log/log-fixture.ts';
import { startCentral } from './scripted-central.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const LIMIT_BYTES = 20_000;

async function openHouse(protocol: '5' | '3.1.1', more: Record<string, unknown> = {}, limitBytes = LIMIT_BYTES) {
  const broker = await startMosquitto([`message_size_limit ${limitBytes}`]);
  cleanups.push(broker.stop);
  const central = await startCentral(broker.url, 'porch');
  cleanups.push(central.stop);
  const log = await openLog(tempPath());
  cleanups.push(() => log.close());
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ file: 'none' }],
    log: { path: 'none' },
    mqtt: { url: broker.url, retryFirstMs: 10, retryMaxMs: 20 },
    forward: { syncAfterMs: 500, stalledAfterMs: 60_000, ...more },
  });
  const monoNow = () => performance.now();
  const { stalledAfterMs } = config.forward;
  const status = createForwardStatus({ log, stalledAfterMs, monoNow, now: Date.now });
  const lines: string[] = [];
  const tell = (_fields: object, text: string) => void lines.push(text);
  const start = () => {
    const stop = new AbortController();
    const running = runForward(
      {
        config,
        log,
        openLink: (options, signal) => openMqttLink({ ...options, protocol }, signal),
        status,
        health: () => ({}) as HealthMessage,
        version: '1',
        logger: { info: tell, warn: tell, error: tell },
        monoNow,
        random: Math.random,
      },
      stop.signal,
    );
    cleanups.push(async () => {
      stop.abort();
      await running;
    });
  };
  return { central, log, status, lines, start };
}

const SIZE =
  /^the broker seems to drop messages above (\d+) bytes: raise its message_size_limit \(mosquitto\) or set forward.batchEvents lower$/;

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('a broker with a limit of its own', () => {
  test.each(['5', '3.1.1'] as const)(
    'over MQTT %s: events that fit alone are all stored, once and over one link',
    async (protocol) => {
      const { central, log, status, lines, start } = await openHouse(protocol);
      const { epoch } = await log.append(levels(200));
      start();
      await until('the backlog is stored', () => status.queue === 0);
      // All at once, and live.
      await log.append(levels(200));
      await until('what is new is stored', () => status.queue === 0);
      expect([central.mark(epoch), status.links, status.oversize]).toEqual([400, 1, 0]);
      const seqs = central.batches.flatMap(({ events }) => events.map(({ seq }) => seq));
      expect(new Set(seqs).size).toBe(400);
      const told = lines.filter((line) => SIZE.test(line));
      expect(told).toHaveLength(1);
      expect(Number(SIZE.exec(told[0] ?? '')?.[1])).toBeGreaterThan(LIMIT_BYTES);
      expect(lines.filter((line) => /reason code|does not pass/.test(line))).toEqual([]);
    },
  );

  test.each([
    ['5', 'is larger than the broker takes'],
    ['3.1.1', 'alone'],
  ] as const)('over MQTT %s: an event that does not fit alone stops no other', async (protocol, words) => {
    const { central, log, lines, start } = await openHouse(protocol, { batchEvents: 40 });
    const { epoch } = await log.append(levels(30));
    await log.append([event('sensor.failed', { source: '/dev/collars', reason: 'x'.repeat(25_000) })]);
    await log.append(levels(60));
    start();
    const held = () => central.epochs.get(epoch)?.events;
    await until('all others are stored', () => held()?.size === 90 && central.mark(epoch) === 30, 60_000);
    await log.append(levels(1));
    await until('so is what is new', () => held()?.has(92) === true);
    await until('it is told', () => lines.some((line) => line.includes(`event ${epoch}/31`) && line.includes(words)));
  });

  test.each(['5', '3.1.1'] as const)(
    'over MQTT %s: a limit of a few events, and many of them behind one that does not fit',
    async (protocol) => {
      const { central, log, status, start } = await openHouse(protocol, { syncAfterMs: 250 }, 3_000);
      const { epoch } = await log.append(levels(30));
      await log.append([event('sensor.failed', { source: '/dev/collars', reason: 'x'.repeat(25_000) })]);
      for (let n = 0; n < 6; n += 1) await log.append(levels(100));
      start();
      const held = () => central.epochs.get(epoch)?.events;
      await until('all others are stored', () => held()?.size === 630 && central.mark(epoch) === 30, 60_000);
      expect(status.links).toBe(1);
    },
  );
});
