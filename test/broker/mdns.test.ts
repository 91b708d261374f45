/** Over real multicast on the loopback interface, on a port of its own, so that nobody else answers. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Bonjour } from 'bonjour-service';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MAX_BROKERS } from '../../src/broker/address.ts';
import { findByMdns, type MdnsSocket } from '../../src/broker/mdns.ts';
import { freePort } from '../servers.ts';

const never = new AbortController().signal;

type Packet = Record<'answers' | 'additionals', readonly object[]>;
interface Mdns {
  on(event: 'query', heard: (query: { questions: readonly { name: string }[] }) => void): void;
  respond(packet: Packet): void;
  send(packet: object): void;
}

/** Answers to whoever asks for this service. */
function answerer(socket: MdnsSocket, service: string, packets: (mdns: Mdns) => void): void {
  const bonjour = new Bonjour(socket as object);
  const { mdns } = Reflect.get(bonjour, 'server') as { mdns: Mdns };
  mdns.on('query', ({ questions }) => {
    if (questions.some(({ name }) => name === `${service}._tcp.local`)) packets(mdns);
  });
  onTestFinished(() => bonjour.destroy());
}

function broker(service: string, name: string, host: string, port: number, addresses: readonly object[]): Packet {
  const fqdn = `${name}.${service}._tcp.local`;
  return {
    answers: [{ name: `${service}._tcp.local`, type: 'PTR', ttl: 120, data: fqdn }],
    additionals: [
      { name: fqdn, type: 'SRV', ttl: 120, data: { target: host, port, priority: 0, weight: 0 } },
      { name: fqdn, type: 'TXT', ttl: 120, data: [] },
      ...addresses.map((data) => ({ name: host, ttl: 120, ...data })),
    ],
  };
}

const v4 = (data: string) => ({ type: 'A', data });
const v6 = (data: string) => ({ type: 'AAAA', data });

async function network(): Promise<MdnsSocket> {
  return { interface: '127.0.0.1', bind: '0.0.0.0', port: await freePort() };
}

describe('multicast DNS', () => {
  test('those with TLS come first, by their names, with their address and the name of their certificate', async () => {
    const socket = await network();
    answerer(socket, '_secure-mqtt', (mdns) => {
      mdns.respond(broker('_secure-mqtt', 'b', 'two.local', 8884, [v6('fe80::1'), v6('fd00::2')]));
      mdns.respond(broker('_secure-mqtt', 'a', 'one.local', 8883, [v6('fd00::1'), v4('127.0.0.1')]));
    });
    answerer(socket, '_mqtt', (mdns) => mdns.respond(broker('_mqtt', 'c', 'one.local', 1883, [v4('127.0.0.1')])));
    expect(await findByMdns({ plain: true }, never, socket)).toEqual([
      { url: 'mqtts://127.0.0.1:8883', name: 'one.local' },
      { url: 'mqtts://[fd00::2]:8884', name: 'two.local' },
      { url: 'mqtt://127.0.0.1:1883', name: 'one.local' },
    ]);
    const secure = await findByMdns({ plain: false }, never, socket);
    expect(secure.map(({ url }) => url)).toEqual(['mqtts://127.0.0.1:8883', 'mqtts://[fd00::2]:8884']);
  });

  test('a name from elsewhere, an address of one link only and what is no DNS are no brokers, and end nothing', async () => {
    const socket = await network();
    answerer(socket, '_secure-mqtt', (mdns) => {
      const answer = (host: string, addresses: readonly object[], name = host) =>
        mdns.respond(broker('_secure-mqtt', name, host, 8883, addresses));
      answer('broker.example.org', [v4('127.0.0.1')]);
      answer('local', [v4('127.0.0.1')]);
      answer('x@y.local', [v4('127.0.0.1')]);
      answer('link.local', [v6('fe80::1')]);
      answer('nowhere.local', []);
      mdns.respond({
        answers: [{ name: '_secure-mqtt._tcp.local', type: 'PTR', ttl: 120, data: '' }],
        additionals: [],
      });
      const lone = { name: 'x._secure-mqtt._tcp.local', type: 'SRV', ttl: 9, data: { target: '', port: 1 } };
      const half = { name: '_secure-mqtt._tcp.local', type: 'PTR', ttl: 9, data: 'x._secure-mqtt._tcp.local' };
      mdns.respond({ answers: [half], additionals: [lone, { name: 'x', type: 'A', ttl: 9, data: '127.0.0.1' }] });
      answer('good.local', [v4('127.0.0.1')]);
    });
    expect(await findByMdns({ plain: false }, never, socket)).toEqual([
      { url: 'mqtts://127.0.0.1:8883', name: 'good.local' },
    ]);
  });

  test('a flood of names is cut, and does not wait for the end of the time', async () => {
    const socket = await network();
    answerer(socket, '_secure-mqtt', (mdns) => {
      for (let i = 0; i < 50; i++) {
        mdns.respond(broker('_secure-mqtt', `b${i}`, `b${i}.local`, 8883, [v4('127.0.0.1')]));
      }
    });
    expect(await findByMdns({ plain: false }, never, socket)).toHaveLength(MAX_BROKERS);
  });

  test('a port that another program keeps to itself is a failure, and ends nothing', async () => {
    const socket = await network();
    const other = createSocket('udp4').bind(socket.port, '0.0.0.0');
    await once(other, 'listening');
    await expect(findByMdns({ plain: false }, never, socket)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    other.close();
  });

  test('nobody answers: none; who stops waiting does not wait', async () => {
    const socket = await network();
    const stop = AbortSignal.timeout(50);
    expect(await findByMdns({ plain: true }, stop, socket)).toEqual([]);
  });
});
