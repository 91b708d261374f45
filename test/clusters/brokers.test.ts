/** Agent and central over clusters of brokers: agent → cluster → central, and `stored` back, also when their node is killed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { runForward } from '../../src/agent/forward.ts';
import type { EventLog } from '../../src/agent/log/event-log.ts';
import { createForwardStatus } from '../../src/agent/publisher/status.ts';
import { openBrokers } from '../../src/broker/open-broker.ts';
import { centralSchema } from '../../src/central/config.ts';
import { openStore } from '../../src/central/open-store.ts';
import { runCentral } from '../../src/central/service.ts';
import type { HealthMessage } from '../../src/contract/message.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { levels, openLog, tempPath } from '../agent/log/log-fixture.ts';
import { requireServer, until } from '../servers.ts';
import { startNats } from './nats.ts';
import { DEBIAN, natsPath, rabbitmqPath } from './paths.ts';
import { startRabbitmq } from './rabbitmq.ts';

const AGENT = 'porch';
const LINK = { retryFirstMs: 50, retryMaxMs: 500 };
/** A cluster that has lost a node lets nobody in for some seconds, and who has given up one link as stalled waits longer on the next. */
const PATIENCE_MS = 300_000;
const logger = pino({ level: 'silent' });

const CLUSTERS = [
  { name: 'NATS', start: startNats, kills: 2, able: requireServer('nats-server', natsPath, DEBIAN.nats) },
  {
    name: 'RabbitMQ',
    start: startRabbitmq,
    kills: 1,
    able: requireServer('rabbitmq-server', rabbitmqPath, DEBIAN.rabbitmq),
  },
];

/** From the log to the broker, as the agent does it. */
function forward(url: readonly string[], log: EventLog) {
  const config = agentSchema.parse({
    agent: AGENT,
    sources: [{ file: 'none' }],
    log: { path: 'none' },
    mqtt: { url, ...LINK },
    forward: { syncAfterMs: 1_000, batchEvents: 20 },
  });
  const monoNow = () => performance.now();
  const status = createForwardStatus({ log, stalledAfterMs: 60_000, monoNow, now: Date.now });
  const openLink = openBrokers({
    openLink: openMqttLink,
    monoNow,
    discover: config.mqtt.discover,
    random: Math.random,
  });
  const stop = new AbortController();
  const ports = { openLink, status, logger, monoNow, random: Math.random, version: '0' };
  const done = runForward({ config, log, health: () => ({}) as HealthMessage, ...ports }, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
  return status;
}

/** A whole central on SQLite. Resolves with the URL of its store once it is ready. */
async function central(url: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-clusters-'));
  const storeUrl = `sqlite:${join(folder, 'central.db')}`;
  const config = centralSchema.parse({ store: { url: storeUrl }, mqtt: { url, ...LINK }, http: { port: 0 } });
  const stop = new AbortController();
  let page = '';
  const onListening = (address: string) => {
    page = address;
  };
  const running = runCentral(config, { openLink: openMqttLink, logger, version: '0', onListening }, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
    rmSync(folder, { recursive: true });
  });
  const ready = async () => page !== '' && (await fetch(new URL('readyz', page))).ok;
  await until('central is ready', ready, PATIENCE_MS);
  return storeUrl;
}

describe.each(CLUSTERS)('a cluster of $name', ({ start, kills, able }) => {
  it.skipIf(!able)(
    'takes events to central and the mark back, and loses none with the node of both',
    async () => {
      const cluster = await start();
      onTestFinished(() => cluster.close());
      const log = await openLog(tempPath());
      onTestFinished(() => log.close());
      const storeUrl = await central(cluster.urls);
      await log.append(levels(500));
      const status = forward(cluster.urls, log);
      const isDone = () => log.epochs().every(({ lastSeq, storedSeq }) => storedSeq === lastSeq);
      await until('the first are stored', isDone, PATIENCE_MS);
      expect(status.protocol).toMatch(/^(5|3\.1\.1)$/);
      for (let no = 0; no < kills; no += 1) {
        // Two of three are needed.
        if (no > 0) await cluster.nodes[no - 1]?.start();
        await log.append(levels(500));
        expect(await cluster.nodes[no]?.kill()).toBe(true);
        await log.append(levels(500));
        await until('all are stored without this node', isDone, PATIENCE_MS);
      }
      expect(status.links).toBeGreaterThan(1);
      const store = await openStore({ url: storeUrl });
      onTestFinished(() => store.close());
      const [epoch] = (await store.agents()).find((row) => row.agent === AGENT)?.epochs ?? [];
      const lastSeq = 500 + kills * 1_000;
      const chain = await log.chainAt(epoch?.epoch ?? '', lastSeq);
      expect(epoch).toMatchObject({ mark: lastSeq, chainOk: true });
      expect(chain).not.toBeNull();
      expect(await store.chainAt(epoch?.epoch ?? '', lastSeq)).toEqual(chain);
    },
    4 * PATIENCE_MS,
  );
});
