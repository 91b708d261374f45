import { connect, type Socket } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createChanges } from '../../src/central/api/changes.ts';
import { createMetrics } from '../../src/central/api/metrics.ts';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { openCatWatchDog } from '../../src/central/cats/cat-watchdog.ts';
import { openStore } from '../../src/central/open-store.ts';
import { runServe, type ServeParts, STOP_MS } from '../../src/central/serve.ts';
import type { Store } from '../../src/central/store/store.ts';
import { until } from '../servers.ts';
import { createSender, type Serving, startServing } from './api/serving.ts';

function partsOf(store: Store, http: { readonly host: string; readonly port: number }): ServeParts {
  const clock = () => new Date();
  return {
    store,
    retry: async () => null,
    clock,
    changes: createChanges(),
    cats: openCatService(store, clock),
    watchdog: openCatWatchDog({ store, rules: [], clock, onAlert: () => undefined }),
    metrics: createMetrics('0'),
    http,
    shared: { group: 'central' },
    logger: pino({ level: 'silent' }),
    version: '0',
    simulated: false,
    onListening: () => undefined,
  };
}

describe('serve loop', () => {
  let central: Serving;
  beforeEach(async () => {
    central = await startServing();
  });
  afterEach(() => central.stop());

  test.each([
    [
      'a taken port',
      'EADDRINUSE',
      'http.port',
      async () => ({ host: '127.0.0.1', port: Number(new URL(central.url).port) }),
    ],
    ['an address of another machine', 'EADDRNOTAVAIL', 'http.host', async () => ({ host: '192.0.2.1', port: 0 })],
  ])('%s is an error with its code and the fix', async (_what, code, fix, http) => {
    const store = await openStore({ url: 'sqlite::memory:' });
    await expect(runServe(partsOf(store, await http()), new AbortController().signal)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(fix),
    });
    await store.close();
  });

  test('it begins though the database goes away at that moment', async () => {
    const store = await openStore({ url: 'sqlite::memory:' });
    const stop = new AbortController();
    const asked: string[] = [];
    const away = Object.assign(new Error('the database is away'), { code: 'STORE_AWAY' });
    const passwordHash = async () => {
      asked.push('password');
      throw away;
    };
    const parts = partsOf({ ...store, incarnation: store.incarnation, passwordHash }, { host: '0.0.0.0', port: 0 });
    const serving = runServe({ ...parts, http: { ...parts.http, login: 'required' } }, stop.signal);
    await Promise.race([until('it has asked', () => asked.length > 0), serving]);
    stop.abort();
    await serving;
    await store.close();
  });

  test('a request that never ends does not keep the server from stopping', async () => {
    const socket = connect(Number(new URL(central.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      'POST /api/v1/cats HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    await until('the request is in', async () => (await central.call('GET', 'healthz')).status === 200);
    expect(await central.stopServer()).toBeLessThan(STOP_MS + 500);
    socket.destroy();
  });

  test('people are served while 300 connections send their headers for ever', { timeout: 40_000 }, async () => {
    const port = Number(new URL(central.url).port);
    const slow: Socket[] = [];
    let closed = 0;
    for (let i = 0; i < 300; i += 1) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('close', () => {
        closed += 1;
      });
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
      socket.resume();
      slow.push(socket);
    }
    expect((await central.call('GET', 'api/v1/cats')).status).toBe(200);
    expect(closed).toBeLessThan(300);
    await until('the slow are let go', () => closed === 300, 20_000);
    for (const socket of slow) socket.destroy();
  });

  test('an alert does not wait for somebody to look', async () => {
    const told: string[] = [];
    const watched = await startServing({
      rules: [{ rule: 'shaking', meows: 8, withinMinutes: 10 }],
      onAlert: (c) => told.push(c),
    });
    await watched.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    const sender = createSender(watched);
    await sender.sendAll(
      Array.from({ length: 8 }, () => ['meow.started', 'collar/C1', { level: 1 }, new Date()] as const),
    );
    await until('an alert', () => told.length > 0);
    expect(told).toEqual(['raised']);
    await watched.stop();
  });

  test('the address that is told has the port that was bound', async () => {
    expect(central.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*\/$/);
  });
});
