/** A broker behind a line that dies at each packet in turn, without a word: the agent finds out, opens another link, and goes on. */
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { runForward } from '../../src/agent/forward.ts';
import { createForwardStatus } from '../../src/agent/publisher/status.ts';
import type { HealthMessage } from '../../src/contract/message.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { createPackets } from '../faults/mqtt-packets.ts';
import { startAedes, until } from '../servers.ts';
import { levels, openLog, tempPath } from './log/log-fixture.ts';
import { startCentral } from './scripted-central.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Lets `lets[n]` packets of the broker through on connection n; then nothing more in either direction, and the sockets stay open. */
async function startDyingLine(port: number, lets: readonly number[]) {
  const sockets = new Set<Socket>();
  const line = { connections: 0, died: 0 };
  const server = createServer((near) => {
    let left = lets[line.connections] ?? Number.POSITIVE_INFINITY;
    line.connections += 1;
    const far = connect(port, '127.0.0.1');
    const packets = createPackets();
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    near.on('data', (bytes) => left > 0 && far.write(bytes));
    far.on('data', (bytes) => {
      for (const packet of packets.push(bytes)) {
        if (left <= 0) return;
        near.write(packet);
        left -= 1;
        if (left === 0) line.died += 1;
      }
    });
    near.on('close', () => far.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { url: `mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, line };
}

test('a line that dies silently at any packet costs a link each time, and no event', async () => {
  const broker = await startAedes();
  cleanups.push(() => broker.stop());
  const central = await startCentral(broker.url, 'porch');
  cleanups.push(() => central.stop());
  const log = await openLog(tempPath());
  cleanups.push(() => log.close());
  await log.append(levels(60));
  const lets = [1, 2, 3, 4, 5, 6, 8];
  const { url, line } = await startDyingLine(Number(new URL(broker.url).port), lets);
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ file: 'none' }],
    log: { path: 'none' },
    mqtt: { url, keepaliveSeconds: 1, connectTimeoutMs: 700, retryFirstMs: 10, retryMaxMs: 20 },
    forward: { batchEvents: 5, syncAfterMs: 200, stalledAfterMs: 10_000 },
  });
  const monoNow = () => performance.now();
  const status = createForwardStatus({ log, stalledAfterMs: 10_000, monoNow, now: Date.now });
  const lines: string[] = [];
  const tell = (_fields: object, text: string) => void lines.push(text);
  const stop = new AbortController();
  const running = runForward(
    {
      config,
      log,
      openLink: (options, signal) => openMqttLink({ ...options, protocol: '3.1.1' }, signal),
      status,
      health: () => ({}) as HealthMessage,
      version: '1',
      logger: { info: tell, warn: tell, error: tell },
      monoNow,
      random: Math.random,
    },
    stop.signal,
  );
  const live = setInterval(() => void log.append(levels(1)), 300);
  cleanups.push(() => clearInterval(live));
  await until('each line has died', () => line.died === lets.length && line.connections > lets.length, 40_000);
  clearInterval(live);
  const { epoch } = await log.append(levels(1));
  await until('all is stored', () => log.epochs().every(({ lastSeq, storedSeq }) => lastSeq === storedSeq));
  expect(central.mark(epoch)).toBe(log.epochs()[0]?.lastSeq);
  stop.abort();
  await running;
}, 60_000);
