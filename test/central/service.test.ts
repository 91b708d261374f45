import { connectAsync } from 'mqtt';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { centralSchema } from '../../src/central/config.ts';
import { runCentral } from '../../src/central/service.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { startBroker, until } from './broker.ts';

const COMMANDS = 5;

it('a command is told on the cat topic at once, not when the project loop looks by itself', async () => {
  const broker = await startBroker();
  onTestFinished(() => broker.close());
  const told: { readonly name: string; readonly collar: string | null }[] = [];
  const dashboard = await connectAsync(broker.url);
  onTestFinished(() => dashboard.endAsync(true));
  dashboard.on('message', (_topic, payload) => told.push(JSON.parse(payload.toString())));
  await dashboard.subscribeAsync('collard/v1/cat/+', { qos: 1 });
  const config = centralSchema.parse({
    store: { url: 'sqlite::memory:' },
    mqtt: { url: broker.url },
    http: { port: 0 },
  });
  const stop = new AbortController();
  let page = '';
  const onListening = (url: string) => {
    page = url;
  };
  const deps = { openLink: openMqttLink, logger: pino({ level: 'silent' }), version: '0', onListening };
  const running = runCentral(config, deps, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  await until('central is there', async () => page !== '' && (await fetch(new URL('readyz', page))).ok);
  const call = (method: string, path: string, body: object) =>
    fetch(new URL(`api/v1/${path}`, page), {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  await call('POST', 'cats', { name: 'Mia' });
  await until('the cat is told', () => told.at(-1)?.name === 'Mia');
  const from = performance.now();
  for (let n = 1; n <= COMMANDS; n += 1) {
    await call('PATCH', 'cats/1', { collar: `C${n}` });
    await until('the collar is told', () => told.at(-1)?.collar === `C${n}`);
  }
  // By itself the loop looks once a second.
  expect(performance.now() - from).toBeLessThan(COMMANDS * 500);
});
