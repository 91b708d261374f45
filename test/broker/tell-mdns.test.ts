/** Over real multicast on the loopback interface, on a port of its own, so that nobody else hears. */
import { Bonjour, type Service } from 'bonjour-service';
import { expect, onTestFinished, test } from 'vitest';
import type { MdnsSocket } from '../../src/broker/mdns.ts';
import { tellByMdns } from '../../src/broker/tell-mdns.ts';
import { freePort, until } from '../servers.ts';

async function listener(type: string): Promise<{ socket: MdnsSocket; up: Service[]; down: Service[] }> {
  const socket = { interface: '127.0.0.1', bind: '0.0.0.0', port: await freePort() };
  const bonjour = new Bonjour(socket as object);
  onTestFinished(() => bonjour.destroy());
  const [up, down]: Service[][] = [[], []];
  const browser = bonjour.find({ type }, (service) => void up?.push(service));
  browser.on('down', (service: Service) => void down?.push(service));
  return { socket, up: up ?? [], down: down ?? [] };
}

test.each([
  ['mqtt', false],
  ['secure-mqtt', true],
])('the network hears of _%s._tcp, and that it is there no more', async (type, tls) => {
  const { socket, up, down } = await listener(type);
  const stop = new AbortController();
  const telling = tellByMdns({ port: 1884, tls }, stop.signal, socket);
  await until('it is heard', () => up.length > 0, 30_000);
  expect(up[0]).toMatchObject({ port: 1884, name: expect.stringMatching(/^collard on /) });
  expect(up[0]?.host).toMatch(/\.local$/);
  stop.abort();
  await telling;
  await until('it is gone', () => down.length > 0, 30_000);
});

test('a question and a packet of a stranger do no harm', async () => {
  const { socket, up } = await listener('mqtt');
  const stop = new AbortController();
  const telling = tellByMdns({ port: 1884, tls: false }, stop.signal, socket);
  await until('it is heard', () => up.length > 0, 30_000);
  const { createSocket } = await import('node:dgram');
  const stranger = createSocket('udp4');
  onTestFinished(() => void stranger.close());
  for (const bytes of [Buffer.alloc(11, 0xff), Buffer.alloc(40, 0x41)]) {
    await new Promise((resolve) => stranger.send(bytes, socket.port ?? 0, '127.0.0.1', resolve));
  }
  stop.abort();
  await telling;
});
