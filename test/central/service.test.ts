import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import Database from 'better-sqlite3';
import { connectAsync, type MqttClient } from 'mqtt';
import { pino } from 'pino';
import { expect, it, onTestFinished, vi } from 'vitest';
import { centralSchema } from '../../src/central/config.ts';
import { runCentral } from '../../src/central/service.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { agentTopic, DEFAULT_BASE_TOPIC } from '../../src/contract/topic.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { startBroker, until } from './broker.ts';
import { createWriter, epochId } from './store/events.ts';

const COMMANDS = 5;

interface Central {
  /** As `runCentral`. */
  readonly running: Promise<void>;
  /** Why it is not ready, or null. */
  notReady(): string | null;
  readonly mqtt: MqttClient;
  call(method: string, path: string, body?: object): Promise<Response>;
  /** What it has logged as JSON, one a line. */
  readonly log: readonly string[];
}

/** A whole central with a broker, and somebody else on that. Resolves when it is ready. */
async function startCentral(settings: object = {}): Promise<Central> {
  const broker = await startBroker();
  onTestFinished(() => broker.close());
  const mqtt = await connectAsync(broker.url);
  onTestFinished(() => mqtt.endAsync(true));
  const log: string[] = [];
  const config = centralSchema.parse({
    store: { url: 'sqlite::memory:' },
    mqtt: { url: broker.url },
    http: { port: 0 },
    ...settings,
  });
  const stop = new AbortController();
  let page = '';
  const onListening = (url: string) => {
    page = url;
  };
  let notReady: () => string | null = () => 'it does not run yet';
  const onRunning = (why: () => string | null) => {
    notReady = why;
  };
  const logger = pino({ level: 'info' }, { write: (line: string) => log.push(line) });
  const deps = { openLink: openMqttLink, logger, version: '0', onListening, onRunning };
  const running = runCentral(config, deps, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await Promise.allSettled([running]);
  });
  await until('central is there', async () => page !== '' && (await fetch(new URL('readyz', page))).ok);
  return {
    running,
    notReady: () => notReady(),
    mqtt,
    log,
    call: (method, path, body) =>
      fetch(new URL(path, page), {
        method,
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      }),
  };
}

it('a command is told on the cat topic at once, not when the project loop looks by itself', async () => {
  const { mqtt, call } = await startCentral();
  const told: { readonly name: string; readonly collar: string | null }[] = [];
  mqtt.on('message', (_topic, payload) => told.push(JSON.parse(payload.toString())));
  await mqtt.subscribeAsync('collard/v1/cat/+', { qos: 1 });
  await call('POST', 'api/v1/cats', { name: 'Mia' });
  await until('the cat is told', () => told.at(-1)?.name === 'Mia');
  const from = performance.now();
  for (let n = 1; n <= COMMANDS; n += 1) {
    await call('PATCH', 'api/v1/cats/1', { collar: `C${n}` });
    await until('the collar is told', () => told.at(-1)?.collar === `C${n}`);
  }
  // By itself the loop looks once a second.
  expect(performance.now() - from).toBeLessThan(COMMANDS * 500);
});

it('an alert is an event, and told on its topic', async () => {
  const { mqtt, call } = await startCentral();
  const told: object[] = [];
  mqtt.on('message', (topic, payload) => told.push({ topic, ...JSON.parse(payload.toString()) }));
  await mqtt.subscribeAsync('collard/v1/cat/+/alert', { qos: 1 });
  await call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
  const porch = createWriter('porch', epochId(1));
  porch.add('battery.low', 'collar/C1', { percent: 4 }, 60);
  const topic = agentTopic(DEFAULT_BASE_TOPIC, 'porch', 'events');
  await mqtt.publishAsync(topic, encodeBatch(porch.batch(1, 1)), { qos: 1 });
  await until('the alert is told', () => told.length > 0);
  expect(told).toMatchObject([
    { topic: 'collard/v1/cat/1/alert', change: 'raised', catId: 1, name: 'Mia', rule: 'battery', key: 'battery' },
  ]);
  const { events } = (await (await call('GET', 'api/v1/events?type=alert.raised')).json()) as { events: object[] };
  expect(events).toMatchObject([{ source: '/collard/agent/central', subject: 'cat/1', data: { rule: 'battery' } }]);
});

it('a webhook hears of an alert, again until it answers, and its token and secret are in no line of the log', async () => {
  const heard: { readonly type: string; readonly signature: unknown; readonly id: unknown }[] = [];
  const server = createServer(async (request, response) => {
    const { type } = JSON.parse(await text(request));
    heard.push({ type, signature: request.headers['webhook-signature'], id: request.headers['webhook-id'] });
    response.writeHead(heard.length === 1 ? 503 : 204).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const secret = 'whsec_Y2F0cyBhbmQgdGhlaXIgYmVsbHM=';
  const { mqtt, call, log } = await startCentral({ webhooks: [{ url: `http://127.0.0.1:${port}/token`, secret }] });
  await call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
  const porch = createWriter('porch', epochId(1));
  porch.add('battery.low', 'collar/C1', { percent: 4 }, 60);
  const topic = agentTopic(DEFAULT_BASE_TOPIC, 'porch', 'events');
  await mqtt.publishAsync(topic, encodeBatch(porch.batch(1, 1)), { qos: 1 });
  await until('it is told again', () => heard.length === 2);
  const [first, second] = heard;
  expect(first).toEqual({ type: 'collard.alert.raised', signature: expect.stringMatching(/^v1,/), id: second?.id });
  const figures = async () => (await call('GET', 'metrics')).text();
  await until('it is forgotten', async () => (await figures()).includes('collard_webhooks_waiting 0'));
  expect(await figures()).toMatch(/^collard_webhook_tries_total\{outcome="failed"\} 1$/m);
  expect(log.join()).toContain(`http://127.0.0.1:${port} answers 503`);
  expect(log.join()).not.toMatch(/token|whsec/);
});

/** An agent of the future, between two that everybody understands. */
function future() {
  const porch = createWriter('porch', epochId(1));
  for (const to of ['kitchen', 'attic', 'hall']) porch.add('cat.moved', 'collar/C1', { from: null, to }, 60);
  const [, middle] = porch.events;
  if (middle !== undefined) porch.events[1] = { ...middle, version: 2, data: '{"way":["attic"]}' };
  return { topic: agentTopic(DEFAULT_BASE_TOPIC, 'porch', 'events'), payload: encodeBatch(porch.batch(1, 3)) };
}

const places = async (call: Central['call']) => {
  const { cats } = (await (await call('GET', 'api/v1/cats')).json()) as { cats: { location: string | null }[] };
  return cats.map((cat) => cat.location);
};

it('with fold: quarantine a newer version is left out and noted, and all else goes on', async () => {
  const { mqtt, call } = await startCentral();
  await call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
  const { topic, payload } = future();
  await mqtt.publishAsync(topic, payload, { qos: 1 });
  await until('the last move is seen', async () => (await places(call))[0] === 'hall');
  expect((await call('GET', 'readyz')).status).toBe(200);
});

it('with fold: stop the models stand still before a newer version, say so, and go on when it is taken back', async () => {
  const { mqtt, call, log } = await startCentral({ fold: 'stop' });
  await call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
  const { topic, payload } = future();
  await mqtt.publishAsync(topic, payload, { qos: 1 });
  await until('central says so', async () => (await call('GET', 'readyz')).status === 503);
  const why = `the models stand still before ${epochId(1)}/2 of porch: version 2 of collard.cat.moved is newer`;
  expect(await (await call('GET', 'readyz')).json()).toMatchObject({ detail: why });
  expect(log.filter((line) => line.includes('the models stand still')).map((line) => JSON.parse(line))).toMatchObject([
    { level: 50, event: `${epochId(1)}/2`, agent: 'porch', msg: expect.stringContaining('upgrade collard') },
  ]);
  // What came after it is stored, and shown as an event.
  const { events } = (await (await call('GET', 'api/v1/events?type=cat.moved')).json()) as { events: object[] };
  expect(events).toMatchObject([{ seq: 1 }, { seq: 2, data: { way: ['attic'] } }, { seq: 3 }]);
  expect(await places(call)).toEqual(['kitchen']);
  const refused = await call('POST', 'api/v1/cats', { name: 'Otto' });
  expect([refused.status, await refused.json()]).toMatchObject([503, { detail: expect.stringContaining(why) }]);
  await call('POST', 'api/v1/events/revoke', { epoch: epochId(1), seq: 2, reason: 'from the future' });
  await until('it is ready again', async () => (await call('GET', 'readyz')).status === 200);
  expect(await places(call)).toEqual(['hall']);
  expect(log.filter((line) => line.includes('the models go on'))).toHaveLength(1);
});

it('tells how much room the disk of its store has', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-service-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { call } = await startCentral({ store: { url: `sqlite:${join(folder, 'central.db')}` } });
  const figures = async () => (await call('GET', 'metrics')).text();
  await until('it has looked', async () => /^collard_store_disk_size_bytes \d+$/m.test(await figures()));
  expect(await figures()).toMatch(/^collard_store_disk_free_bytes \d+$/m);
  expect(await figures()).toMatch(/^collard_store_wal_bytes [1-9]\d+$/m);
});

it('a flush that fails ends it at once, tells who asked, and is told to nobody else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-service-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const store = { url: `sqlite:${join(folder, 'central.db')}` };
  const webhooks = [{ url: 'http://127.0.0.1:9/', on: ['raised'] }];
  const { running, notReady, call, log } = await startCentral({ store, webhooks });
  expect((await call('POST', 'api/v1/cats', { name: 'Mia' })).status).toBe(201);
  const scratch = new Database(':memory:');
  const statement = Object.getPrototypeOf(scratch.prepare('select 1')) as Database.Statement;
  scratch.close();
  const real = statement.run;
  let failures = 0;
  const failing = vi.spyOn(statement, 'run').mockImplementation(function (this: Database.Statement, ...parameters) {
    if (this.source !== 'commit' || failures > 0) return real.apply(this, parameters);
    failures += 1;
    throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_FSYNC');
  });
  onTestFinished(() => failing.mockRestore());
  const ended = expect(running).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: 'the store failed: disk I/O error',
    cause: { code: 'SQLITE_IOERR_FSYNC' },
  });
  const answer = await call('POST', 'api/v1/cats', { name: 'Tom' });
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ detail: 'the store failed: disk I/O error' });
  expect(notReady()).toBe('the store failed: disk I/O error');
  await ended;
  expect(log.map((line) => JSON.parse(line)).filter(({ level }) => level >= 40)).toEqual([]);
  failing.mockRestore();
  const again = await startCentral({ store });
  expect(await (await again.call('GET', 'api/v1/cats')).json()).toMatchObject({ cats: [{ name: 'Mia' }] });
});
