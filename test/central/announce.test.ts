/** Central with a real broker, and somebody who listens as Home Assistant does. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { centralSchema } from '../../src/central/config.ts';
import { runCentral } from '../../src/central/service.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { agentTopic, DEFAULT_BASE_TOPIC } from '../../src/contract/topic.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { mosquittoPath, requireServer, startAedes, startMosquitto, until } from '../servers.ts';
import { type Device, parseDiscovery } from './home/home-assistant.ts';
import { createWriter, epochId } from './store/events.ts';

const PATIENCE_MS = 60_000;
const CAT = 'homeassistant/device/collard_cat_1/config';
const AGENT = 'homeassistant/device/collard_agent_porch/config';
const STATE = 'collard/v1/cat/1';

interface Central {
  call(method: string, path: string, body?: object): Promise<Response>;
  readonly log: readonly string[];
  stop(): Promise<void>;
}

async function startCentral(url: string, path: string, homeAssistant: object = { enabled: true }): Promise<Central> {
  const log: string[] = [];
  const config = centralSchema.parse({
    store: { url: `sqlite:${path}` },
    mqtt: { url, retryFirstMs: 20, retryMaxMs: 100 },
    http: { port: 0 },
    homeAssistant,
  });
  const end = new AbortController();
  let page = '';
  const onListening = (at: string) => {
    page = at;
  };
  const logger = pino({ level: 'warn' }, { write: (line: string) => log.push(line) });
  const running = runCentral(config, { openLink: openMqttLink, logger, version: '1.2.3', onListening }, end.signal);
  const stop = async () => {
    end.abort();
    await running;
  };
  onTestFinished(stop);
  await until('central is there', async () => page !== '' && (await fetch(new URL('readyz', page))).ok, PATIENCE_MS);
  return {
    log,
    stop,
    call: (method, path, body) =>
      fetch(new URL(path, page), {
        method,
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      }),
  };
}

interface Listener {
  /** The newest payload of each topic. */
  readonly heard: Map<string, string>;
  /** How often each was told. */
  readonly times: Map<string, number>;
  publish(topic: string, payload: string, retain?: boolean): Promise<void>;
}

async function listen(url: string): Promise<Listener> {
  const mqtt = await connectAsync(url, { reconnectPeriod: 50 });
  onTestFinished(() => mqtt.endAsync(true));
  const heard = new Map<string, string>();
  const times = new Map<string, number>();
  mqtt.on('message', (topic, payload) => {
    heard.set(topic, payload.toString());
    times.set(topic, (times.get(topic) ?? 0) + 1);
  });
  await mqtt.subscribeAsync(['collard/v1/cat/#', 'homeassistant/#'], { qos: 1 });
  return {
    heard,
    times,
    publish: async (topic, payload, retain = false) =>
      void (await mqtt.publishAsync(topic, payload, { qos: 1, retain })),
  };
}

/** What the broker has kept, as who connects now sees it. */
async function retained(url: string): Promise<ReadonlyMap<string, string>> {
  const { heard, publish } = await listen(url);
  await publish('homeassistant/last', 'word');
  await until('the last word is heard', () => heard.has('homeassistant/last'), PATIENCE_MS);
  heard.delete('homeassistant/last');
  return heard;
}

function homeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-announce-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'central.db');
}

const nameOf = ({ heard }: Pick<Listener, 'heard'>) => {
  const payload = heard.get(CAT);
  return payload === undefined || payload === ''
    ? null
    : (parseDiscovery('homeassistant', CAT, payload) as Device).name;
};

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('Home Assistant', { timeout: 5 * PATIENCE_MS }, () => {
  const startBroker = async () => {
    const broker = await startMosquitto();
    onTestFinished(() => broker.stop());
    return broker;
  };

  it('discovers cats and agents, follows a new name and forgets a cat that is taken back', async () => {
    const { url } = await startBroker();
    const central = await startCentral(url, homeFolder());
    const home = await listen(url);
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await until('the cat is discovered', () => nameOf(home) === 'Mia', PATIENCE_MS);
    const health = { queue: 3, collars: [{ collar: 'C1', lastHeard: new Date().toISOString(), batteryPercent: 71 }] };
    await home.publish(agentTopic(DEFAULT_BASE_TOPIC, 'porch', 'health'), JSON.stringify(health), true);
    await until('the agent is discovered', () => home.heard.has(AGENT), PATIENCE_MS);
    expect(parseDiscovery('homeassistant', AGENT, home.heard.get(AGENT) ?? '')?.name).toBe('collard porch');
    const told = () => JSON.parse(home.heard.get(STATE) ?? '{}');
    await until('health is told with the cat', () => told().batteryPercent === 71, PATIENCE_MS);
    expect(told().lastHeard).toBe(health.collars[0]?.lastHeard);
    await central.call('PATCH', 'api/v1/cats/1', { name: 'Momo' });
    await until('the new name is told', () => nameOf(home) === 'Momo', PATIENCE_MS);
    expect([...(await retained(url)).keys()].sort()).toEqual([STATE, AGENT, CAT].sort());

    const { events } = (await (await central.call('GET', 'api/v1/events?type=cat.named')).json()) as {
      events: { epoch: string; seq: number }[];
    };
    for (const { epoch, seq } of events)
      await central.call('POST', 'api/v1/events/revoke', { epoch, seq, reason: 'no such cat' });
    await until('it is gone', () => home.heard.get(CAT) === '' && home.heard.get(STATE) === '', PATIENCE_MS);
    expect([...(await retained(url)).keys()]).toEqual([AGENT]);
  });

  it('is told all again when it starts, and when the broker has forgotten it', async () => {
    const broker = await startBroker();
    const central = await startCentral(broker.url, homeFolder());
    const home = await listen(broker.url);
    await central.call('POST', 'api/v1/cats', { name: 'Mia' });
    await until('the cat is discovered', () => nameOf(home) === 'Mia', PATIENCE_MS);
    const before = home.times.get(CAT) ?? 0;
    await home.publish('homeassistant/status', 'offline');
    await home.publish('homeassistant/status', 'online');
    await until('it is told again', () => (home.times.get(CAT) ?? 0) === before + 1, PATIENCE_MS);
    // No persistence: what was retained is gone.
    await broker.kill();
    await broker.restart();
    await until('the new broker has it', async () => (await retained(broker.url)).has(CAT), PATIENCE_MS);
    await until('and the row', async () => (await retained(broker.url)).has(STATE), PATIENCE_MS);
  });

  it('is told of no meow twice, and that a late one is late', async () => {
    const { url } = await startBroker();
    const central = await startCentral(url, homeFolder());
    const home = await listen(url);
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    const porch = createWriter('porch', epochId(1));
    const agoSeconds = (Date.now() - Date.parse('2026-11-23T12:00:00.000Z')) / 1_000;
    porch.add('meow.started', 'collar/C1', { level: 1 }, Math.min(0, agoSeconds) - 3_600);
    porch.add('meow.ended', 'collar/C1', { durationMs: 1, peakG: 1, readings: 1, place: null }, agoSeconds - 3_500);
    porch.add('meow.started', 'collar/C1', { level: 1 }, agoSeconds);
    const topic = agentTopic(DEFAULT_BASE_TOPIC, 'porch', 'events');
    const send = (from: number, to: number) => home.publish(topic, encodeBatch(porch.batch(from, to)));
    const meow = () => JSON.parse(home.heard.get(`${STATE}/meow`) ?? '{}');
    await send(1, 2);
    await until('the late one is told', () => meow().late === true, PATIENCE_MS);
    await send(3, 3);
    await until('the fresh one is told', () => meow().late === false, PATIENCE_MS);
    // Sent again, told again: neither is a new event.
    await send(1, 3);
    const before = home.times.get(CAT) ?? 0;
    await home.publish('homeassistant/status', 'online');
    await until('all is told again', () => (home.times.get(CAT) ?? 0) > before, PATIENCE_MS);
    expect(home.times.get(`${STATE}/meow`)).toBe(2);
    expect((await retained(url)).has(`${STATE}/meow`)).toBe(false);
  });

  it('forgets all devices once it is turned off, and those of an older prefix', async () => {
    const { url } = await startBroker();
    const path = homeFolder();
    const first = await startCentral(url, path);
    await first.call('POST', 'api/v1/cats', { name: 'Mia' });
    await until('the cat is discovered', async () => (await retained(url)).has(CAT), PATIENCE_MS);
    await first.stop();
    const second = await startCentral(url, path, { enabled: true, prefix: 'ha' });
    const gone = async () => !(await retained(url)).has(CAT);
    await until('it is gone from there', gone, PATIENCE_MS);
    await second.stop();
    const home = await listen(url);
    const third = await startCentral(url, path);
    await until('and is back', () => nameOf(home) === 'Mia', PATIENCE_MS);
    await third.stop();
    const off = await startCentral(url, path, { enabled: false });
    await until('it is gone', gone, PATIENCE_MS);
    expect([...(await retained(url)).keys()]).toEqual([STATE]);
    expect(off.log).toEqual([]);
  });

  it('that the broker lets nobody write to is told once, and the rest goes on', async () => {
    const acl = homeFolder();
    writeFileSync(acl, 'topic readwrite collard/#\ntopic read homeassistant/#\n', { mode: 0o600 });
    const broker = await startMosquitto([`acl_file ${acl}`]);
    onTestFinished(() => broker.stop());
    const central = await startCentral(broker.url, homeFolder());
    const home = await listen(broker.url);
    await central.call('POST', 'api/v1/cats', { name: 'Mia' });
    await central.call('POST', 'api/v1/cats', { name: 'Otto' });
    await until('both are told', () => home.heard.has('collard/v1/cat/2'), PATIENCE_MS);
    const lines = () => central.log.filter((line) => line.includes('does not let central tell Home Assistant'));
    await until('it is said', () => lines().length > 0, PATIENCE_MS);
    expect(lines()).toHaveLength(1);
    expect(home.heard.has(CAT)).toBe(false);
  });
});

describe('a broker that lets nobody listen to Home Assistant', { timeout: 5 * PATIENCE_MS }, () => {
  it('is told of cats all the same', async () => {
    const broker = await startAedes({
      authorizeSubscribe: (_client, subscription, callback) =>
        callback(null, subscription.topic === 'homeassistant/status' ? null : subscription),
    });
    onTestFinished(() => broker.stop());
    const central = await startCentral(broker.url, homeFolder());
    const home = await listen(broker.url);
    await central.call('POST', 'api/v1/cats', { name: 'Mia' });
    await until('the cat is discovered', () => nameOf(home) === 'Mia', PATIENCE_MS);
    expect(central.log.join()).toContain('no word of Home Assistant is heard');
  });
});
