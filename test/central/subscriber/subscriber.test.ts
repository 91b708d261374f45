import { getEventListeners } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { openSubscriber } from '../../../src/central/subscriber/subscriber.ts';
import { openMqttLink } from '../../../src/lib/mqtt-link.ts';

/** A broker that says CONNACK (MQTT 5) and nothing after it. */
async function startSilentBroker() {
  const sockets = new Set<Socket>();
  const heard = { bytes: 0 };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write(Buffer.from([0x20, 3, 0, 0, 0])));
    socket.on('data', (bytes) => {
      heard.bytes += bytes.length;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { url: `mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, heard };
}

test('the signal ends the opening also at a broker that never answers to SUBSCRIBE', async () => {
  const { url, heard } = await startSilentBroker();
  const stop = new AbortController();
  const link = { url, keepaliveSeconds: 60, connectTimeoutMs: 5_000 };
  const opening = openSubscriber(
    { base: 'collard/v1', group: 'central', sessionExpirySeconds: 0, link },
    openMqttLink,
    stop.signal,
  );
  const outcome = opening.then(
    () => 'open',
    (error: { code?: string }) => error.code,
  );
  await expect.poll(() => heard.bytes).toBeGreaterThan(100);
  stop.abort();
  expect(await outcome).toBe('LINK_ENDED');
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});
