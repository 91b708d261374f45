/** An agent that knows two brokers, and a central that is at one of them. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { runForward } from '../../src/agent/forward.ts';
import type { EventLog } from '../../src/agent/log/event-log.ts';
import { createForwardStatus } from '../../src/agent/publisher/status.ts';
import { openBrokers } from '../../src/broker/open-broker.ts';
import type { HealthMessage } from '../../src/contract/message.ts';
import { centralStateTopic } from '../../src/contract/topic.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { etcdPath } from '../clusters/paths.ts';
import { startEtcd } from '../etcd/servers.ts';
import { mosquittoPath, requireServer, startMosquitto, until } from '../servers.ts';
import { levels, openLog, tempPath } from './log/log-fixture.ts';
import { BASE, startCentral } from './scripted-central.ts';

const AGENT = 'porch';

function forward(url: string | readonly string[], log: EventLog) {
  const config = agentSchema.parse({
    agent: AGENT,
    sources: [{ file: 'none' }],
    log: { path: 'none' },
    mqtt: { url, discover: { plain: true }, retryFirstMs: 20, retryMaxMs: 100, connectTimeoutMs: 2_000 },
    forward: { syncAfterMs: 200, stalledAfterMs: 1_000, batchEvents: 50 },
  });
  const monoNow = () => performance.now();
  const status = createForwardStatus({ log, stalledAfterMs: 1_000, monoNow, now: Date.now });
  const openLink = openBrokers({
    openLink: openMqttLink,
    discover: config.mqtt.discover,
    monoNow,
    random: Math.random,
  });
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const stop = new AbortController();
  const ports = { openLink, status, logger, monoNow, random: Math.random, version: '1.2.3' };
  const done = runForward({ config, log, health: () => ({}) as HealthMessage, ...ports }, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
  return status;
}

async function twoBrokers() {
  const brokers = [await startMosquitto(), await startMosquitto()] as const;
  const log = await openLog(tempPath());
  onTestFinished(async () => {
    await log.close();
    for (const broker of brokers) await broker.stop();
  });
  return { brokers, log, urls: brokers.map(({ url }) => url) };
}

/** How an agent learns of these brokers. */
const places: [string, (urls: readonly string[]) => Promise<string | readonly string[]>][] = [
  ['its configuration', async (urls) => urls],
];
if (requireServer('etcd', etcdPath, 'etcd-server')) {
  places.push([
    'etcd',
    async (urls) => {
      const etcd = await startEtcd();
      onTestFinished(() => etcd.stop());
      for (const [i, url] of urls.entries()) await etcd.put(`/collard/brokers/${i}`, url);
      return `etcd+http://${etcd.host}`;
    },
  ]);
}

const isDone = (log: EventLog) => log.epochs().every(({ lastSeq, storedSeq }) => storedSeq === lastSeq);

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('with two brokers', () => {
  test.each(places)('the first is killed, found by %s: all events arrive over the second, once', async (_, found) => {
    const { brokers, log, urls } = await twoBrokers();
    const central = await startCentral(brokers[0].url, AGENT);
    await log.append(levels(2_000));
    const status = forward(await found(urls), log);
    await until('some are stored', () => central.mark(log.epochs()[0]?.epoch ?? '') >= 100);
    await brokers[0].kill();
    await central.stop();
    await log.append(levels(100));
    const moved = await startCentral(brokers[1].url, AGENT, 'first', central.epochs);
    onTestFinished(() => moved.stop());
    await until('all are stored', () => isDone(log));
    const [{ epoch, lastSeq } = expect.unreachable('an epoch')] = log.epochs();
    expect([lastSeq, moved.mark(epoch), status.links > 1]).toEqual([2_100, 2_100, true]);
  });

  test('central said that it is away from the first: the agent finds it at the second', async () => {
    const { brokers, log, urls } = await twoBrokers();
    const gone = await startCentral(brokers[0].url, AGENT);
    await gone.say(centralStateTopic(BASE), JSON.stringify({ state: 'offline' }), true);
    await gone.stop();
    const central = await startCentral(brokers[1].url, AGENT);
    onTestFinished(() => central.stop());
    await log.append(levels(20));
    forward(urls, log);
    await until('all are stored', () => isDone(log));
    expect(central.mark(log.epochs()[0]?.epoch ?? '')).toBe(20);
  });
});
