/** config/mosquitto against a real broker: the agent and central work over it, and nobody speaks for another. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { runAgent } from '../../src/agent/agent.ts';
import { type AgentConfig, agentSchema } from '../../src/agent/config.ts';
import { openLogReader } from '../../src/agent/log/open-log-reader.ts';
import { openStore } from '../../src/central/open-store.ts';
import { runCentral } from '../../src/central/service.ts';
import type { Store } from '../../src/central/store/store.ts';
import { chainStart } from '../../src/contract/chain.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { encodeStored } from '../../src/contract/message.ts';
import { agentTopic, catTopic, centralStateTopic, requestTopic } from '../../src/contract/topic.ts';
import { type LinkOptions, type MqttLink, type OpenLink, openMqttLink } from '../../src/lib/mqtt-link.ts';
import { epochId, meowing } from '../central/store/events.ts';
import { createAuthority } from '../lib/certificates.ts';
import { mosquittoPath, opensslPath, requireServer, until } from '../servers.ts';
import { type House, type HouseKind, PASSWORDS, startHouse } from './house.ts';

const BASE = 'collard/v1';
const numbers = Array.from({ length: 100 }, (_, i) => i).values();
/** A number that no other log or client has. */
const count = () => numbers.next().value ?? 0;
const able = requireServer('mosquitto', mosquittoPath) && requireServer('openssl', opensslPath);
/** MQTT 5 "not authorized". */
const NOT_AUTHORIZED = 135;
const PROTOCOLS = ['5', '3.1.1'] as const;
type Protocol = (typeof PROTOCOLS)[number];

describe.skipIf(!able).each<HouseKind>(['certificates', 'passwords'])('the broker with agents by %s', (kind) => {
  let house: House;
  let store: Store;
  let stopCentral: () => Promise<void>;
  beforeAll(async () => {
    house = await startHouse(kind);
    const deps = { openLink: openMqttLink, logger: pino({ level: 'silent' }), version: '0' };
    let page = '';
    const onListening = (url: string) => {
      page = url;
    };
    stopCentral = running((signal) => runCentral(house.centralConfig, { ...deps, onListening }, signal));
    await until('central is ready', async () => page !== '' && (await fetch(new URL('readyz', page))).ok);
    store = await openStore({ url: house.storeUrl });
  });
  afterAll(async () => {
    await store.close();
    await stopCentral();
    await house.stop();
  });

  const pem = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8'));
  const options = (name: string, changed: Partial<LinkOptions> = {}): LinkOptions => {
    const { url, username, password, ca, cert, key } = house.mqttOf(name);
    return {
      url,
      username,
      password,
      ca: pem(ca),
      cert: pem(cert),
      key: pem(key),
      clientId: `collard-agent-${name}`,
      cleanStart: true,
      sessionExpirySeconds: 0,
      keepaliveSeconds: 10,
      connectTimeoutMs: 3_000,
      incomingLimit: 100,
      ...changed,
    };
  };
  const asCentral = (username = 'central'): Partial<LinkOptions> => ({
    url: house.centralUrl,
    username,
    password: PASSWORDS[username],
    ca: undefined,
    cert: undefined,
    key: undefined,
  });
  /** A user of central's listener, beside central. */
  const openBeside = (username: string) => open('porch', { ...asCentral(username), clientId: `beside-${count()}` });
  const open = async (name: string, changed: Partial<LinkOptions> = {}): Promise<MqttLink> => {
    const link = await openMqttLink(options(name, changed), new AbortController().signal);
    onTestFinished(() => link.close());
    return link;
  };
  const agentConfig = (name: string, user: string): AgentConfig => {
    const file = join(house.folder, `${name}-${user}.ndjson`);
    writeFileSync(file, shake());
    return agentSchema.parse({
      agent: name,
      sources: [{ file, format: 'json', place: 'kitchen' }],
      log: { path: join(house.folder, `${name}-${user}-${count()}.db`) },
      mqtt: house.mqttOf(user),
      forward: { syncAfterMs: 200, stalledAfterMs: 1_000 },
      health: { everyMs: 100 },
    });
  };
  const startAgent = (config: AgentConfig, openLink: OpenLink = openMqttLink) => {
    const lines: { readonly level: number; readonly msg: string }[] = [];
    const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
    const stop = running((signal) => runAgent(config, { openLink, logger, version: '0' }, signal));
    onTestFinished(stop);
    return { lines, stop };
  };
  const knows = async (agent: string) => (await store.agents()).find((row) => row.agent === agent);

  test('agent and central work over it: events, backlog, sync, state, health, requests and marks', async () => {
    const { forward, ...others } = agentConfig('porch', 'porch');
    // A machine that has other things to do is late, and that is no fault of the broker's.
    const config = { ...others, forward: { ...forward, stalledAfterMs: 60_000 } };
    const agent = startAgent(config);
    await until('all is stored and told', async () => {
      const health = (await knows('porch'))?.health;
      return health?.queue === 0 && Number(health.lastSeq) > 0;
    });
    expect(await knows('porch')).toMatchObject({ state: 'online' });
    // The same user beside central, as "collard verify" connects: central keeps its place.
    const verify = await openBeside('central');
    await verify.subscribe([`${BASE}/+/porch/response/+`]);
    await verify.publish(requestTopic(BASE, 'porch', 'epochs'), '{"transaction":"t1"}', { qos: 1, retain: false });
    const [answer] = await verify.incoming.takeUpTo(1, AbortSignal.timeout(5_000));
    expect(JSON.parse(Buffer.from(answer?.payload ?? []).toString())).toMatchObject({
      transaction: 't1',
      status: 'ok',
    });
    expect(agent.lines.filter(({ level }) => level >= 40)).toEqual([]);
    await agent.stop();
    await until('offline is told', async () => (await knows('porch'))?.state === 'offline');
    const reader = openLogReader(config.log.path);
    onTestFinished(() => reader.close());
    expect(reader.epochs()[0]?.storedSeq).toBe(reader.epochs()[0]?.lastSeq);
  });

  test.each(PROTOCOLS)('over MQTT %s an agent cannot write as another: nothing is stored', async (protocol) => {
    const before = await store.counts();
    const porch = await open('porch', { protocol });
    const batch = encodeBatch(meowing('shed', epochId(77), 4).batch(1, 4));
    const results = [];
    for (const channel of ['events', 'backlog', 'sync', 'state', 'health'] as const) {
      results.push(await porch.publish(agentTopic(BASE, 'shed', channel), batch, { qos: 1, retain: false }));
    }
    // 3.1.1 has no word for "refused": the broker acknowledges what it drops.
    for (const result of results) {
      expect(result).toMatchObject(protocol === '5' ? { ok: false, reasonCode: NOT_AUTHORIZED } : { ok: true });
    }
    await passed(porch, 'porch');
    const after = await store.counts();
    expect(after.events).toBe(before.events);
    expect(after.quarantined).toBe(before.quarantined + 1);
    expect(await knows('shed')).toBeUndefined();
  });

  test.each(PROTOCOLS)(
    'over MQTT %s an agent with the name of another sends nothing, keeps all and says so',
    async (protocol) => {
      const config = agentConfig('garage', 'porch');
      const openLink: OpenLink = (wanted, signal) => openMqttLink({ ...wanted, protocol }, signal);
      const { lines, stop } = startAgent(config, openLink);
      const wanted: Readonly<Record<Protocol, RegExp>> = {
        '5': /the broker does not pass our events on \(Not authorized\)/,
        '3.1.1': /central does not answer|central has confirmed nothing/,
      };
      await until('it tells', () => lines.some(({ msg }) => wanted[protocol].test(msg)));
      await stop();
      const reader = openLogReader(config.log.path);
      onTestFinished(() => reader.close());
      expect(reader.epochs()[0]).toMatchObject({ firstSeq: 1, storedSeq: 0 });
      expect(await knows('garage')).toBeUndefined();
    },
  );

  test.each(PROTOCOLS)('over MQTT %s an agent cannot say what is stored, nor speak for central', async (protocol) => {
    const shed = await open('shed', { protocol });
    await shed.subscribe([agentTopic(BASE, 'shed', 'stored'), centralStateTopic(BASE)]);
    await until('the retained state of central', async () => shed.incoming.size > 0);
    const [state] = await shed.incoming.takeUpTo(1, AbortSignal.timeout(1_000));
    expect(state).toMatchObject({ topic: centralStateTopic(BASE), retained: true });
    state?.done();
    const epoch = epochId(1);
    const stored = { incarnation: 'x', epoch, seq: 9, chain: chainStart('shed', epoch), need: [] };
    const forged: readonly (readonly [string, string])[] = [
      [agentTopic(BASE, 'shed', 'stored'), encodeStored(stored)],
      [centralStateTopic(BASE), '{"state":"offline"}'],
      [catTopic(BASE, 1), '{"name":"nobody"}'],
      [requestTopic(BASE, 'shed', 'epochs'), '{"transaction":"t1"}'],
    ];
    for (const from of [shed, await open('porch', { protocol })]) {
      for (const [topic, payload] of forged) {
        const result = await from.publish(topic, payload, { qos: 1, retain: true });
        if (protocol === '5') expect(result).toMatchObject({ reasonCode: NOT_AUTHORIZED });
      }
    }
    // What central says now comes after whatever the broker had passed on.
    const central = await openBeside('central');
    await central.publish(agentTopic(BASE, 'shed', 'stored'), encodeStored({ ...stored, seq: 1 }), {
      qos: 1,
      retain: false,
    });
    const heard = await shed.incoming.takeUpTo(10, AbortSignal.timeout(5_000));
    expect(heard.map(({ topic, payload }) => [topic, JSON.parse(Buffer.from(payload).toString()).seq])).toEqual([
      [agentTopic(BASE, 'shed', 'stored'), 1],
    ]);
  });

  test('an agent hears nothing that is meant for others, whatever it subscribes', async () => {
    const spy = await open('shed');
    await spy.subscribe(['#', `${BASE}/+/porch/stored`]);
    const porch = await open('porch');
    await porch.publish(agentTopic(BASE, 'porch', 'state'), '{"state":"online","session":9}', { qos: 1, retain: true });
    const central = await openBeside('central');
    await central.publish(agentTopic(BASE, 'porch', 'stored'), '{}', { qos: 1, retain: false });
    await central.publish(agentTopic(BASE, 'shed', 'stored'), '{"last":1}', { qos: 1, retain: false });
    const topics = new Set<string>();
    await until('its own came', async () => {
      for (const { topic } of await spy.incoming.takeUpTo(10, AbortSignal.timeout(1_000))) topics.add(topic);
      return topics.has(agentTopic(BASE, 'shed', 'stored'));
    });
    expect([...topics].sort()).toEqual([centralStateTopic(BASE), agentTopic(BASE, 'shed', 'stored')].sort());
  });

  test.each(PROTOCOLS)('over MQTT %s nobody is thrown out by a client with the same client id', async (protocol) => {
    const shed = await open('shed', { protocol });
    let ended = false;
    void shed.ended.then(() => {
      ended = true;
    });
    for (const clientId of ['collard-agent-shed', 'shed', 'central']) {
      // A session of its own from before is not the one that it is after.
      await (await open('porch', { protocol })).close();
      const thief = await open('porch', { protocol, clientId, cleanStart: false });
      expect(thief.sessionPresent).toBe(false);
      await thief.close();
    }
    await shed.publish(agentTopic(BASE, 'shed', 'health'), '', { qos: 1, retain: false });
    expect(ended).toBe(false);
    expect((await knows('porch'))?.state).not.toBe('unknown');
  });

  test('without a certificate, with another authority, a wrong password or plain text nobody gets in', async () => {
    const other = createAuthority();
    onTestFinished(() => other.remove());
    const foreign = other.issue('porch');
    // With a certificate MQTT.js speaks TLS whatever the URL says.
    const plain = { url: options('porch').url.replace('mqtts:', 'mqtt:'), cert: undefined, key: undefined };
    const bad: Partial<LinkOptions>[] =
      kind === 'certificates'
        ? [
            { cert: undefined, key: undefined },
            foreign,
            { cert: undefined, key: undefined, username: 'porch', password: PASSWORDS.porch },
          ]
        : [
            { password: 'guess' },
            { username: undefined, password: undefined },
            { username: 'central', password: PASSWORDS.central },
          ];
    for (const changed of [...bad, plain, { ca: other.ca }, { ...asCentral(), password: 'guess' }]) {
      await expect(open('porch', { connectTimeoutMs: 1_000, ...changed })).rejects.toMatchObject({
        code: expect.stringMatching(/^(REFUSED|TLS|UNREACHABLE)$/),
      });
    }
    // An agent's password is none at central's listener.
    await expect(open('porch', { ...asCentral('porch') })).rejects.toMatchObject({ code: 'REFUSED' });
  });

  test('a dashboard reads cats and writes nothing', async () => {
    const dashboard = await openBeside('dashboard');
    const result = await dashboard.publish(catTopic(BASE, 1), '{}', { qos: 1, retain: true });
    expect(result).toMatchObject({ ok: false, reasonCode: NOT_AUTHORIZED });
  });

  test('Home Assistant, with the user of a dashboard, hears of devices, and says no more than that it is there', async () => {
    const [central, home] = [await openBeside('central'), await openBeside('dashboard')];
    const config = 'homeassistant/device/collard_cat_1/config';
    await central.subscribe(['homeassistant/status']);
    const heard = ['homeassistant/#', agentTopic(BASE, 'porch', 'health'), agentTopic(BASE, 'porch', 'state')];
    await home.subscribe(heard);
    expect(await home.publish(config, '{}', { qos: 1, retain: true })).toMatchObject({ reasonCode: NOT_AUTHORIZED });
    expect(await home.publish('homeassistant/status', 'online', { qos: 1, retain: false })).toEqual({ ok: true });
    const [word] = await central.incoming.takeUpTo(1, AbortSignal.timeout(30_000));
    expect(word?.topic).toBe('homeassistant/status');
    expect(await central.publish(config, '{"device":{}}', { qos: 1, retain: false })).toEqual({ ok: true });
    const topics: string[] = [];
    await until('it has heard of the device', async () => {
      for (const { topic } of await home.incoming.takeUpTo(10, AbortSignal.timeout(30_000))) topics.push(topic);
      return topics.includes(config);
    });
  });

  /** Resolves when central has taken what this link sent before: its own poison comes last. */
  async function passed(link: MqttLink, agent: string): Promise<void> {
    const before = (await store.counts()).quarantined;
    await link.publish(agentTopic(BASE, agent, 'sync'), 'no sync', { qos: 1, retain: false });
    await until('central has come this far', async () => (await store.counts()).quarantined > before);
  }
});

/** A loop that runs until the returned function is called. */
function running(loop: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
  const stop = new AbortController();
  const done = loop(stop.signal);
  return async () => {
    stop.abort();
    await done;
  };
}

/** One shake of 8 Hz for 0.6 s, then rest. */
function shake(): string {
  let lines = '';
  for (let t = 0; t < 1_600; t += 20) {
    const ax = t < 600 ? 3 * Math.sin((2 * Math.PI * 8 * t) / 1_000) : 0;
    lines += `${JSON.stringify({ collar: 'A', t, ax, ay: 0, az: 1, rssi: -50 })}\n`;
  }
  return lines;
}
