/** A whole central whose database dies under it. */
import { connectAsync } from 'mqtt';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { centralSchema } from '../../../../src/central/config.ts';
import { runCentral } from '../../../../src/central/service.ts';
import { encodeBatch } from '../../../../src/contract/envelope.ts';
import { decodeStored } from '../../../../src/contract/message.ts';
import { agentTopic, DEFAULT_BASE_TOPIC } from '../../../../src/contract/topic.ts';
import { openMqttLink } from '../../../../src/lib/mqtt-link.ts';
import { startBroker, until } from '../../broker.ts';
import { engine } from '../../engines/fresh.ts';
import { startDatabase } from '../../engines/servers.ts';
import { epochId, meowing } from '../events.ts';

it('lives on, is not ready, answers no stored, and comes back by itself', async () => {
  const server = await startDatabase(engine === 'mariadb' ? 'mariadb' : 'postgres');
  onTestFinished(() => server.stop());
  await server.run('create database cats');
  const broker = await startBroker();
  onTestFinished(() => broker.close());
  const agent = await connectAsync(broker.url);
  onTestFinished(() => agent.endAsync(true));
  let stored = 0;
  agent.on('message', (_topic, payload) => {
    stored = Math.max(stored, decodeStored(payload)?.seq ?? 0);
  });
  await agent.subscribeAsync(agentTopic(DEFAULT_BASE_TOPIC, 'porch', 'stored'), { qos: 1 });
  const config = centralSchema.parse({
    store: { url: server.url('cats') },
    mqtt: { url: broker.url, retryFirstMs: 20, retryMaxMs: 100 },
    http: { port: 0 },
  });
  const stop = new AbortController();
  const log: string[] = [];
  let page = '';
  const deps = {
    openLink: openMqttLink,
    logger: pino({ level: 'info' }, { write: (line: string) => log.push(line) }),
    version: '0',
    onListening: (url: string) => {
      page = url;
    },
  };
  const running = runCentral(config, deps, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  const ask = (path: string) => fetch(new URL(path, page));
  await until('central is ready', async () => page !== '' && (await ask('readyz')).ok);
  const porch = meowing('porch', epochId(1), 30);
  const send = (from: number, to: number) =>
    agent.publishAsync(agentTopic(DEFAULT_BASE_TOPIC, 'porch', 'events'), encodeBatch(porch.batch(from, to)), {
      qos: 1,
    });
  await send(1, 10);
  await until('the first are stored', () => stored === 10);
  await server.kill();
  await send(11, 20);
  await until(
    'it says so',
    async () => (await ask('readyz')).status === 503 && (await ask('api/v1/cats')).status === 503,
  );
  expect(await (await ask('readyz')).text()).toContain('/cats');
  expect((await ask('healthz')).ok).toBe(true);
  expect(stored).toBe(10);
  await server.restart();
  await until('central is ready again', async () => (await ask('readyz')).ok, 30_000);
  // Agents send what was not answered.
  await send(11, 30);
  await until('all is stored', () => stored === 30, 30_000);
  const told = log.map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(told.filter((text) => text.startsWith('nothing can be stored'))).toHaveLength(1);
  expect(told).toContain('the database is there again');
}, 120_000);
