/**
 * The waits that the program has by itself, over a real broker behind a link in trouble: what is only slow is not cut, and an
 * answer that is lost costs a new link in time. Real seconds pass here, as a socket has no other ones.
 */
import { describe, expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { runForward } from '../../src/agent/forward.ts';
import { createForwardStatus } from '../../src/agent/publisher/status.ts';
import { MAX_BATCH_BYTES } from '../../src/contract/envelope.ts';
import type { HealthMessage } from '../../src/contract/message.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { openBrokerLink } from '../faults/broker-link.ts';
import { mosquittoPath, requireServer, startMosquitto, until } from '../servers.ts';
import { event, levels, openLog, tempPath } from './log/log-fixture.ts';
import { startCentral } from './scripted-central.ts';

const RECOVERED_MS = 30_000;
const KBIT_64 = 8_000;

/** An agent that is connected, its link to the broker, and a central on a link of its own; all is closed after `work`. */
async function withHouse(work: (house: Awaited<ReturnType<typeof openHouse>>) => Promise<void>): Promise<void> {
  const house = await openHouse();
  try {
    await until('the agent is connected', () => house.status.link === 'online' && house.central.syncs > 0);
    await work(house);
  } finally {
    await house.close();
  }
}

async function openHouse() {
  const broker = await startMosquitto();
  const link = await openBrokerLink(broker.port, Math.random);
  const central = await startCentral(broker.url, 'porch');
  const log = await openLog(tempPath());
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ file: 'none' }],
    log: { path: 'none' },
    mqtt: { url: link.url },
  });
  const monoNow = () => performance.now();
  const { stalledAfterMs } = config.forward;
  const status = createForwardStatus({ log, stalledAfterMs, monoNow, now: Date.now });
  const lines: string[] = [];
  const tell = (_fields: object, text: string) => void lines.push(text);
  const logger = { info: tell, warn: tell, error: tell };
  const health = () => ({}) as HealthMessage;
  const stop = new AbortController();
  const running = runForward(
    { config, log, openLink: openMqttLink, status, health, version: '1', logger, monoNow, random: Math.random },
    stop.signal,
  );
  return {
    link,
    central,
    log,
    status,
    lines,
    async close() {
      stop.abort();
      await running;
      await Promise.all([central.stop(), log.close()]);
      await link.close();
      await broker.stop();
    },
  };
}

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('with the waits that the program has by itself', () => {
  test.concurrent('a full batch at 64 kbit/s takes half a minute and is not cut', async () => {
    await withHouse(async ({ link, central, log, status, lines }) => {
      const reason = 'x'.repeat(300);
      link.set({ bytesPerSecond: KBIT_64 });
      const began = performance.now();
      await log.append(Array.from({ length: 500 }, () => event('sensor.failed', { source: '/dev/collars', reason })));
      await until('all is stored', () => status.queue === 0, 60_000);
      const [batch] = central.arrivals;
      const bytes = JSON.stringify(central.batches[0]).length;
      expect(batch).toMatchObject({ lane: 'events', from: 1 });
      expect(bytes).toBeGreaterThan(MAX_BATCH_BYTES / 2);
      // Longer than a lost answer would have been waited for.
      expect((batch?.atMs ?? 0) - began).toBeGreaterThan(20_000);
      expect(status.links).toBe(1);
      expect(lines.filter((line) => /lost|acknowledged nothing|Keepalive/.test(line))).toEqual([]);
    });
  }, 90_000);

  test.concurrent('lost PUBACKs cost a new link, and a new event is stored within 30 s', async () => {
    await withHouse(async ({ link, log, status, lines }) => {
      link.set({ dropAcks: 'down' });
      // Until no batch may go any more.
      while (link.counts.droppedAcks < 8) {
        const before = link.counts.droppedAcks;
        await log.append(levels(1));
        await until('its PUBACK is lost', () => link.counts.droppedAcks > before);
      }
      link.heal();
      await log.append(levels(1));
      await until('all is stored', () => status.queue === 0, RECOVERED_MS);
      expect(status.links).toBe(2);
      expect(lines.join('\n')).toMatch(/an acknowledgement of the broker is lost/);
    });
  }, 60_000);

  test.concurrent('a word of central that is lost is asked for again in time, also where the question has no PUBACK', async () => {
    await withHouse(async ({ link, central, log, status }) => {
      central.script = () => [];
      await log.append(levels(1));
      await until('central has it', () => central.arrivals.length === 1);
      // A batch whose own PUBACK is lost is another fault: it costs a new link before anything is asked.
      await until('the broker has acknowledged it', () => status.acknowledged === 1);
      const before = central.syncs;
      link.set({ dropAcks: 'down' });
      await until('it is asked', () => central.syncs > before && link.counts.droppedAcks > 0, 20_000);
      central.script = (message) => [message];
      link.heal();
      await until('all is stored', () => status.queue === 0, RECOVERED_MS);
      expect(status.storedSeq).toBe(1);
    });
  }, 60_000);
});
