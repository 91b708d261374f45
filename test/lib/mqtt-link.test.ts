import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { Aedes } from 'aedes';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  createAnswers,
  type Incoming,
  type LinkOptions,
  type MqttLink,
  openMqttLink,
} from '../../src/lib/mqtt-link.ts';
import { createPackets } from '../faults/mqtt-packets.ts';
import {
  freePort,
  type Mosquitto,
  mosquittoPath,
  opensslPath,
  requireServer,
  startAedes,
  startMosquitto,
  until,
} from '../servers.ts';
import { type Authority, createAuthority } from './certificates.ts';

const never = new AbortController().signal;
const open: MqttLink[] = [];
const stops: (() => Promise<void>)[] = [];
let clients = 0;

const options = (url: string, more: Partial<LinkOptions> = {}): LinkOptions => ({
  url,
  clientId: `test-${++clients}`,
  cleanStart: true,
  sessionExpirySeconds: 0,
  keepaliveSeconds: 10,
  connectTimeoutMs: 5_000,
  incomingLimit: 100,
  ...more,
});

async function link(url: string, more: Partial<LinkOptions> = {}): Promise<MqttLink> {
  const opened = await openMqttLink(options(url, more), never);
  open.push(opened);
  return opened;
}

async function take(from: MqttLink, count: number): Promise<Incoming[]> {
  const taken: Incoming[] = [];
  while (taken.length < count) {
    const some = await from.incoming.takeUpTo(count - taken.length, AbortSignal.timeout(5_000));
    if (some.length === 0) throw new Error(`only ${taken.length} of ${count} messages came`);
    for (const message of some) message.done();
    taken.push(...some);
  }
  return taken;
}

const text = (message: Incoming | undefined) => Buffer.from(message?.payload ?? []).toString();
const once1 = { qos: 1, retain: false } as const;

afterEach(async () => {
  await Promise.all(open.splice(0).map((opened) => opened.close()));
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('with a broker that speaks MQTT 5', () => {
  let broker: Mosquitto;
  beforeAll(async () => {
    broker = await startMosquitto(['max_packet_size 100000', 'max_inflight_messages 7']);
  });
  afterAll(() => broker.stop());

  test('a message arrives, and the limits of the broker are known', async () => {
    const subscriber = await link(broker.url);
    const sender = await link(broker.url);
    expect(sender).toMatchObject({ protocol: '5', sessionPresent: false, receiveMaximum: 7, maxPacketBytes: 100_000 });
    await subscriber.subscribe(['a/+', 'b']);
    await expect(sender.publish('a/1', 'ünder', once1)).resolves.toEqual({ ok: true });
    const [message] = await take(subscriber, 1);
    expect([message?.topic, text(message), message?.retained]).toEqual(['a/1', 'ünder', false]);
  });

  test('a message that nobody subscribes to is not taken for delivered', async () => {
    const sender = await link(broker.url);
    await expect(sender.publish('nobody/here', 'x', once1)).resolves.toMatchObject({ ok: false, reasonCode: 0x10 });
  });

  test('a message above a size that the broker does not announce is refused alone, and the link lives', async () => {
    const strict = await startMosquitto(['message_size_limit 1000']);
    stops.push(strict.stop);
    const sender = await link(strict.url);
    expect(sender.maxPacketBytes).toBe(Number.POSITIVE_INFINITY);
    const sent = ['x', 'x'.repeat(1_001), 'y'].map((payload) => sender.publish('nobody/here', payload, once1));
    const codes = (await Promise.all(sent)).map((result) => (result.ok ? 0 : result.reasonCode));
    expect(codes).toEqual([0x10, 0x95, 0x10]);
  });

  test('a persistent session delivers what waited, at once', async () => {
    const kept = { clientId: 'kept', cleanStart: false, sessionExpirySeconds: 3_600 };
    const first = await link(broker.url, kept);
    await first.subscribe(['kept/#']);
    await first.close();
    const sender = await link(broker.url);
    for (let i = 0; i < 20; i++) await sender.publish('kept/x', String(i), once1);
    const second = await link(broker.url, kept);
    expect(second.sessionPresent).toBe(true);
    expect((await take(second, 20)).map(text)).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
  });

  test('what was not done() comes again on the next link, what was does not', async () => {
    const kept = { clientId: 'redelivered', cleanStart: false, sessionExpirySeconds: 3_600 };
    const first = await link(broker.url, kept);
    await first.subscribe(['again']);
    const sender = await link(broker.url);
    for (const payload of ['1', '2', '3']) await sender.publish('again', payload, once1);
    await until('three wait', () => first.incoming.size === 3);
    const [one] = await first.incoming.takeUpTo(1, never);
    one?.done();
    await first.close();
    const second = await link(broker.url, kept);
    expect((await take(second, 2)).map(text)).toEqual(['2', '3']);
  });

  test('a queue that stays full holds the broker back for half the keepalive, then the message is counted and let go', async () => {
    const slow = await link(broker.url, { incomingLimit: 2, keepaliveSeconds: 1, protocol: '3.1.1' });
    await slow.subscribe(['flood']);
    const sender = await link(broker.url);
    for (let i = 0; i < 4; i++) await sender.publish('flood', String(i), once1);
    await until('two were let go', () => slow.overruns === 2);
    expect((await take(slow, 2)).map(text)).toEqual(['0', '1']);
    await sender.publish('flood', 'later', once1);
    expect((await take(slow, 1)).map(text)).toEqual(['later']);
  });

  test('a full queue lets a QoS 0 message go at once: it must not hold up what stands behind it', async () => {
    const slow = await link(broker.url, { incomingLimit: 1, keepaliveSeconds: 60 });
    await slow.subscribe(['flood']);
    const sender = await link(broker.url);
    for (let i = 0; i < 3; i++) await sender.publish('flood', String(i), { qos: 0, retain: false });
    await until('two were let go', () => slow.overruns === 2);
    // Its answer comes behind them.
    await slow.subscribe(['other']);
    expect((await take(slow, 1)).map(text)).toEqual(['0']);
  });

  test('the will is sent when the link breaks and not when it is closed', async () => {
    const watcher = await link(broker.url);
    await watcher.subscribe(['will/+']);
    await (await link(broker.url, { will: { topic: 'will/closed', payload: 'no' } })).close();
    const taken = { clientId: 'taken-over' };
    const older = await link(broker.url, { ...taken, will: { topic: 'will/broken', payload: 'gone' } });
    await link(broker.url, taken);
    expect(await older.ended).toMatchObject({ code: 'LINK_ENDED' });
    expect((await take(watcher, 1)).map((m) => [m.topic, text(m)])).toEqual([['will/broken', 'gone']]);
  });

  test('a broker that is killed ends the link and rejects what was on the way', async () => {
    const mortal = await startMosquitto();
    stops.push(() => mortal.stop());
    const sender = await link(mortal.url);
    await mortal.kill();
    const lost = sender.publish('x', 'y', once1).catch((error: unknown) => error);
    expect(await lost).toMatchObject({ code: 'LINK_ENDED' });
    expect(await sender.ended).toBeInstanceOf(Error);
    await expect(sender.publish('x', 'y', once1)).rejects.toMatchObject({ code: 'LINK_ENDED' });
    expect(await sender.incoming.takeUpTo(1, never)).toEqual([]);
  });

  test('our own close ends the link without a reason', async () => {
    const opened = await link(broker.url);
    await opened.close();
    expect(await opened.ended).toBeNull();
    await expect(opened.subscribe(['x'])).rejects.toMatchObject({ code: 'LINK_ENDED' });
  });

  test('fifty links leave no socket behind', async () => {
    const sockets = () => process.getActiveResourcesInfo().filter((name) => /TCP/.test(name)).length;
    const before = sockets();
    const stop = new AbortController();
    for (let i = 0; i < 50; i++) await (await openMqttLink(options(broker.url), stop.signal)).close();
    await until('all sockets are closed', () => sockets() <= before);
  });

  test('a wrong password is refused and says what to check', async () => {
    const port = await freePort();
    const strict = await startMosquitto([`listener ${port} 127.0.0.1`, 'allow_anonymous false']);
    stops.push(() => strict.stop());
    for (const protocol of ['5', '3.1.1'] as const) {
      const refused = openMqttLink(options(strict.url, { username: 'porch', password: 'wrong', protocol }), never);
      await expect(refused).rejects.toMatchObject({ code: 'REFUSED', message: expect.stringContaining('porch') });
      await expect(refused).rejects.not.toThrow('wrong');
    }
  });
});

describe('with a broker that refuses MQTT 5', () => {
  test('3.1.1 is spoken within the same call', async () => {
    const broker = await startAedes();
    stops.push(() => broker.stop());
    const [subscriber, sender] = [await link(broker.url), await link(broker.url)];
    expect(sender).toMatchObject({ protocol: '3.1.1', receiveMaximum: 65_535, maxPacketBytes: Infinity });
    await subscriber.subscribe(['t']);
    await expect(sender.publish('t', 'v', once1)).resolves.toEqual({ ok: true });
    expect(text((await take(subscriber, 1))[0])).toBe('v');
  });

  test('so it is where the broker only hangs up', async () => {
    const broker = await Aedes.createBroker();
    let connections = 0;
    const server = createServer((socket) => (++connections === 1 ? socket.destroy() : broker.handle(socket)));
    const opened = await link(await listening(server));
    expect([opened.protocol, connections]).toEqual(['3.1.1', 2]);
    await opened.close();
    broker.close();
  });

  test('a refused subscription names its topic', async () => {
    const broker = await startAedes({
      authorizeSubscribe: (_client, subscription, callback) =>
        callback(null, subscription.topic === 'secret' ? null : subscription),
    });
    stops.push(() => broker.stop());
    const opened = await link(broker.url);
    const refused = opened.subscribe(['open', 'secret']);
    await expect(refused).rejects.toMatchObject({
      code: 'SUBSCRIBE_REFUSED',
      message: expect.stringContaining('secret'),
    });
  });
});

describe('without a broker', () => {
  test('an unreachable one is named with host and port', async () => {
    const port = await freePort();
    const failed = openMqttLink(options(`mqtt://me:hidden@127.0.0.1:${port}`), never);
    await expect(failed).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await expect(failed).rejects.toThrow(`127.0.0.1:${port} cannot be reached (ECONNREFUSED): is the broker running?`);
  });

  test('a server that accepts and stays silent is left after the time-out', async () => {
    const server = createServer(() => undefined);
    const failed = openMqttLink(options(await listening(server), { connectTimeoutMs: 100 }), never);
    await expect(failed).rejects.toMatchObject({ code: 'UNREACHABLE', message: expect.stringContaining('100 ms') });
  });

  test('a server of another kind is no reason to fall over', async () => {
    const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    const failed = openMqttLink(options(await listening(server)), never);
    await expect(failed).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  test('a link on which packets come lives without PINGRESP, and ends once nothing comes', async () => {
    let sent = 0;
    const server = createServer((socket) => {
      socket.once('data', () => socket.write(Buffer.from([0x20, 3, 0, 0, 0])));
      socket.on('error', () => undefined);
      // QoS 0, topic "t", no properties, no payload; 3 s of them at a keepalive of 1 s.
      const timer = setInterval(() => {
        if (++sent > 30) clearInterval(timer);
        else socket.write(Buffer.from([0x30, 4, 0, 1, 0x74, 0]));
      }, 100);
      socket.once('close', () => clearInterval(timer));
    });
    const fed = await link(await listening(server), { keepaliveSeconds: 1, protocol: '5' });
    expect((await fed.ended)?.message).toMatch(/Keepalive timeout/);
    expect(sent).toBeGreaterThan(30);
    expect(await fed.incoming.takeUpTo(100, never)).toHaveLength(30);
  });

  test.each([
    [0x95, 'Packet too large'],
    [0x80, 'Unspecified error'],
    [0xfe, 'reason 254'],
  ])('a PUBACK with the code %d is a refusal of this message, and no end of the link', async (code, reason) => {
    const server = createServer((socket) => {
      const packets = createPackets();
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        for (const packet of packets.push(bytes)) {
          const type = (packet[0] ?? 0) >> 4;
          if (type === 1) socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
          // PUBLISH: the topic is "t", and the packet id follows it.
          else if (type === 3) socket.write(Buffer.from([0x40, 3, packet[5] ?? 0, packet[6] ?? 0, code]));
        }
      });
    });
    const one = await link(await listening(server), { protocol: '5' });
    for (const payload of ['x', 'y'])
      await expect(one.publish('t', payload, once1)).resolves.toEqual({ ok: false, reasonCode: code, reason });
  });

  /** Answers CONNECT, SUBSCRIBE, PUBLISH and PINGREQ until it has answered `answers` of them; then the line is dead. */
  const startHalfOpen = (answers: number) => {
    let left = answers;
    return listening(
      createServer((socket) => {
        const packets = createPackets();
        socket.on('error', () => undefined);
        socket.on('data', (bytes) => {
          for (const packet of packets.push(bytes)) {
            if (left-- <= 0) return;
            const type = (packet[0] ?? 0) >> 4;
            if (type === 1) socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
            else if (type === 8) socket.write(Buffer.from([0x90, 4, packet[2] ?? 0, packet[3] ?? 0, 0, 1]));
            else if (type === 12) socket.write(Buffer.from([0xd0, 0]));
            // PUBLISH: the topic is "t", and the packet id follows it.
            else socket.write(Buffer.from([0x40, 2, packet[5] ?? 0, packet[6] ?? 0]));
          }
        });
      }),
    );
  };

  test.each([
    ['after CONNACK', 1, 'subscribe'],
    ['after SUBACK', 2, 'publish'],
    ['after a PUBACK', 3, 'nothing'],
    ['after a PINGRESP', 4, 'nothing'],
  ])(
    'a broker that falls silent %s is found out by the keepalive, and nothing waits for it for ever',
    async (_name, answers, hangs) => {
      const one = await link(await startHalfOpen(answers), { keepaliveSeconds: 1, protocol: '5' });
      const subscribed = one.subscribe(['t']).then(
        () => 'done',
        ({ code }) => code as string,
      );
      const published = subscribed.then(async () =>
        one.publish('t', 'x', { qos: 1, retain: false }).then(
          () => 'done',
          ({ code }) => code as string,
        ),
      );
      expect((await one.ended)?.message).toMatch(/Keepalive timeout/);
      expect(await subscribed).toBe(hangs === 'subscribe' ? 'LINK_ENDED' : 'done');
      expect(await published).toBe(hangs === 'nothing' ? 'done' : 'LINK_ENDED');
    },
  );

  test('the signal ends the opening', async () => {
    const server = createServer(() => undefined);
    const stop = new AbortController();
    const failed = openMqttLink(options(await listening(server)), stop.signal);
    stop.abort(new Error('stop'));
    await expect(failed).rejects.toThrow('stop');
  });
});

describe.skipIf(!requireServer('openssl', opensslPath))('over TLS', () => {
  let authority: Authority;
  beforeAll(() => {
    authority = createAuthority();
  });
  afterAll(() => authority.remove());

  async function tlsBroker(tls: TlsOptions): Promise<string> {
    const broker = await Aedes.createBroker();
    stops.push(() => new Promise<void>((resolve) => broker.close(() => resolve())));
    const server = createTlsServer(tls, (socket) => broker.handle(socket));
    server.on('tlsClientError', () => undefined);
    return (await listening(server)).replace('mqtt:', 'mqtts:');
  }

  test('a client certificate opens the link', async () => {
    const url = await tlsBroker({ ...authority.issue('127.0.0.1'), ca: authority.ca, requestCert: true });
    const { cert, key } = authority.issue('porch');
    expect((await link(url, { ca: authority.ca, cert, key })).protocol).toBe('3.1.1');
  });

  test.each([
    ['whose authority is unknown', () => authority.issue('127.0.0.1'), false, 'mqtt.ca'],
    ['that it signed itself', () => authority.selfSigned('127.0.0.1'), true, 'mqtt.ca'],
    ['of another name', () => authority.issue('example.org'), true, 'use that name in mqtt.url'],
    ['that is not valid yet', () => authority.issue('127.0.0.1', '20480101000000Z'), true, 'clock of this machine'],
    ['that has expired', () => authority.issue('127.0.0.1', '20200101000000Z', '20210101000000Z'), true, 'has expired'],
  ])('a certificate %s is refused', async (_name, pair, knowsAuthority, fix) => {
    const url = await tlsBroker(pair());
    const failed = openMqttLink(options(url, knowsAuthority ? { ca: authority.ca } : {}), never);
    await expect(failed).rejects.toMatchObject({ code: 'TLS', message: expect.stringContaining(fix) });
  });

  test('TLS 1.1 is refused', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const url = await tlsBroker({ ...authority.issue('127.0.0.1'), ...old });
    await expect(openMqttLink(options(url, { ca: authority.ca }), never)).rejects.toMatchObject({ code: 'TLS' });
  });

  test('not even the environment turns the check off', async () => {
    const url = await tlsBroker(authority.selfSigned('127.0.0.1'));
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    try {
      await expect(openMqttLink(options(url), never)).rejects.toMatchObject({ code: 'TLS' });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('where TLS is wanted nothing is said in plain text, over either protocol', async () => {
    const heard: Buffer[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        heard.push(bytes);
        socket.end(Buffer.from([0x20, 2, 0, 0]));
      });
    });
    const url = (await listening(server)).replace('mqtt:', 'mqtts:');
    const given = { ca: authority.ca, username: 'porch', password: 'secret', connectTimeoutMs: 1_000 };
    const failed = openMqttLink(options(url, given), never);
    await expect(failed).rejects.toMatchObject({ code: expect.stringMatching(/^(TLS|UNREACHABLE)$/) });
    expect(heard).toHaveLength(2);
    // Each connection begins with a TLS record of a handshake.
    expect(new Set(heard.map((bytes) => bytes[0]))).toEqual(new Set([0x16]));
    expect(Buffer.concat(heard).includes('MQTT')).toBe(false);
    expect(Buffer.concat(heard).includes('secret')).toBe(false);
  });

  test('a missing client certificate is refused by the broker and named', async () => {
    const url = await tlsBroker({
      ...authority.issue('127.0.0.1'),
      ca: authority.ca,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const failed = openMqttLink(options(url, { ca: authority.ca }), never);
    await expect(failed).rejects.toMatchObject({ code: 'TLS', message: expect.stringContaining('mqtt.cert') });
  });

  test('PEM texts that are none are told', async () => {
    const failed = openMqttLink(options('mqtts://127.0.0.1:1', { cert: 'no', key: 'no' }), never);
    await expect(failed).rejects.toMatchObject({ code: 'TLS', message: expect.stringContaining('mqtt.cert') });
  });
});

const canTls = requireServer('mosquitto', mosquittoPath) && requireServer('openssl', opensslPath);
describe.skipIf(!canTls)('with a broker that wants TLS, a client certificate and a password', () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-tls-'));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  let authority: Authority;
  let broker: Mosquitto;
  let url: string;
  let own: { ca: string; cert: string; key: string };

  beforeAll(async () => {
    authority = createAuthority();
    const server = authority.issue('127.0.0.1');
    const client = authority.issue('porch');
    own = { ca: authority.ca, ...client };
    const port = await freePort();
    // Mosquitto's own form of a password: PBKDF2 with SHA-512.
    const salt = randomBytes(12);
    const hash = pbkdf2Sync('secret', salt, 101, 64, 'sha512');
    const lock = `porch:$7$101$${salt.toString('base64')}$${hash.toString('base64')}\n`;
    broker = await startMosquitto([
      `listener ${port} 127.0.0.1`,
      'allow_anonymous false',
      `password_file ${file('passwords', lock)}`,
      `cafile ${file('ca.pem', authority.ca)}`,
      `certfile ${file('server.pem', server.cert)}`,
      `keyfile ${file('server.key', server.key)}`,
      'require_certificate true',
    ]);
    url = `mqtts://127.0.0.1:${port}`;
  });
  afterAll(async () => {
    await broker.stop();
    authority.remove();
    rmSync(folder, { recursive: true });
  });

  test.each(['5', '3.1.1'] as const)('who has all three is let in, over MQTT %s', async (protocol) => {
    const opened = await link(url, { ...own, username: 'porch', password: 'secret', protocol });
    expect(opened.protocol).toBe(protocol);
    await opened.subscribe(['t']);
    await expect(opened.publish('t', 'v', once1)).resolves.toEqual({ ok: true });
    expect(text((await take(opened, 1))[0])).toBe('v');
  });

  test('a wrong password is refused and named, not shown', async () => {
    const refused = openMqttLink(options(url, { ...own, username: 'porch', password: 'wrong' }), never);
    await expect(refused).rejects.toMatchObject({ code: 'REFUSED', message: expect.stringContaining('porch') });
    await expect(refused).rejects.not.toThrow('wrong');
  });

  test('without a certificate the message asks for one in plain words', async () => {
    const refused = openMqttLink(options(url, { ca: own.ca, username: 'porch', password: 'secret' }), never);
    await expect(refused).rejects.toMatchObject({
      code: 'TLS',
      message: expect.stringMatching(/client certificate.*mqtt\.cert/),
    });
    await expect(refused).rejects.not.toThrow('openssl');
  });

  test('another authority is refused', async () => {
    const other = createAuthority();
    const refused = openMqttLink(options(url, { ...own, ca: other.ca, username: 'porch', password: 'secret' }), never);
    await expect(refused).rejects.toMatchObject({ code: 'TLS', message: expect.stringContaining('mqtt.ca') });
    other.remove();
  });

  test('without TLS the message asks whether it is wanted', async () => {
    const refused = openMqttLink(
      options(url.replace('mqtts', 'mqtt'), { username: 'porch', password: 'secret' }),
      never,
    );
    await expect(refused).rejects.toMatchObject({ code: 'UNREACHABLE', message: expect.stringContaining('mqtts://') });
  });
});

async function listening(server: Server): Promise<string> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('an answer that is owed', () => {
  test('is asked after once, and lost when it has not come a while after the broker had read what it answers', () => {
    const answers = createAnswers();
    answers.asked(1, 1_000);
    expect([answers.look(3_999), answers.look(4_000)]).toEqual(['fine', 'ping']);
    answers.pinged();
    // However slow the link is: the question is still on its way.
    expect(answers.look(500_000)).toBe('fine');
    answers.ponged(500_000);
    expect([answers.look(511_999), answers.look(512_000)]).toEqual(['fine', 'lost']);
  });

  test('is not asked after when it has come, and its id may be used again', () => {
    const answers = createAnswers();
    answers.asked(1, 0);
    answers.pinged();
    answers.ponged(10);
    answers.came(1, 20);
    expect(answers.look(1_000_000)).toBe('fine');
    answers.asked(1, 1_000_000);
    expect([answers.look(1_002_999), answers.look(1_003_000)]).toEqual(['fine', 'ping']);
  });

  test('is not proved late by the answer to a PINGREQ before it', () => {
    const answers = createAnswers();
    answers.pinged();
    answers.asked(1, 0);
    answers.ponged(100);
    expect(answers.look(60_000)).toBe('ping');
    answers.pinged();
    answers.ponged(60_000);
    expect([answers.look(71_999), answers.look(72_000)]).toEqual(['fine', 'lost']);
  });

  test('has its time anew when the one before it comes, and not when a later one does', () => {
    const answers = createAnswers();
    for (const id of [1, 2, 3]) answers.asked(id, 0);
    answers.pinged();
    answers.ponged(0);
    answers.came(3, 9_000);
    expect([answers.look(11_999), answers.look(12_000)]).toEqual(['fine', 'lost']);
    answers.came(1, 12_000);
    expect([answers.look(23_999), answers.look(24_000)]).toEqual(['fine', 'lost']);
    answers.came(2, 24_000);
    expect(answers.look(1_000_000)).toBe('fine');
  });

  test('is late from the first proof on, not from the last', () => {
    const answers = createAnswers();
    answers.asked(1, 0);
    answers.pinged();
    answers.ponged(5_000);
    answers.pinged();
    answers.ponged(16_000);
    expect(answers.look(17_000)).toBe('lost');
  });

  test('that nobody asked for changes nothing', () => {
    const answers = createAnswers();
    answers.asked(1, 0);
    answers.came(7, 2_000);
    answers.ponged(2_000);
    expect([answers.look(2_999), answers.look(3_000)]).toEqual(['fine', 'ping']);
  });
});
