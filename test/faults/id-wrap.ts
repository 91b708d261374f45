/**
 * More messages on the way than MQTT has ids for. A broker takes 70,000 without an answer and hangs up; what its client then
 * neither sends again nor reports is lost in silence. MQTT.js as it comes wraps its ids; our link must refuse instead.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { connect } from 'mqtt';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { createTally, type Row, type Scenario, type Verdict } from './frame.ts';
import { createPackets } from './mqtt-packets.ts';

const MESSAGES = 70_000;
const QUIET_MS = 2_000;

export const idWrap: Scenario = {
  name: 'id-wrap',
  weight: 0.5,
  recovery: null,
  full: 5,
  missing: () => null,
  async run(context): Promise<readonly Row[]> {
    const ours = createTally(`${MESSAGES} messages on the way`);
    const theirs = createTally('message ids that wrap', true);
    do {
      theirs.add(await withMqttJs(), '');
      ours.add(await withOurLink(), '');
    } while (context.more(ours.injected));
    return [ours.row(), theirs.row()];
  },
};

/** Takes everything; answers PUBLISH only from its second client on, after all of them. */
async function openMuteBroker() {
  const sockets = new Set<Socket>();
  /** Numbers of the messages that came, over all connections, and the ones that were answered. */
  const seen = new Set<number>();
  const answered = new Set<number>();
  let connections = 0;
  let heardAt = performance.now();
  const take = (socket: Socket, packet: Buffer, answers: boolean) => {
    const type = (packet[0] ?? 0) >> 4;
    if (type === 1) socket.write(Buffer.from([0x20, 2, 0, 0]));
    if (type === 12) socket.write(Buffer.from([0xd0, 0]));
    if (type !== 3) return;
    heardAt = performance.now();
    const [, number, id] = parsePublish(packet);
    seen.add(number);
    if (!answers) return;
    answered.add(number);
    socket.write(Buffer.from([0x40, 2, id >> 8, id & 0xff]));
  };
  const server: Server = createServer((socket) => {
    connections += 1;
    const answers = connections > 1;
    const packets = createPackets();
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      for (const packet of packets.push(bytes)) take(socket, packet, answers);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    answered,
    /** Nothing has come for a while, counted from now. */
    quiet: async () => {
      heardAt = performance.now();
      while (performance.now() - heardAt < QUIET_MS) await new Promise((resolve) => setTimeout(resolve, 50));
    },
    hangUp() {
      for (const socket of sockets) socket.destroy();
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** MQTT 3.1.1: [topic, the number that is the payload, packet id]. */
function parsePublish(packet: Buffer): [topic: string, number: number, id: number] {
  let at = 1;
  while (((packet[at] ?? 0) & 0x80) !== 0) at += 1;
  at += 1;
  const length = packet.readUInt16BE(at);
  const topic = packet.toString('utf8', at + 2, at + 2 + length);
  const id = packet.readUInt16BE(at + 2 + length);
  return [topic, Number(packet.toString('utf8', at + 4 + length)), id];
}

/** Lost: never answered by the broker, and no word of it to the caller. */
async function withMqttJs(): Promise<Verdict> {
  const broker = await openMuteBroker();
  const failed = new Set<number>();
  const client = connect(broker.url, { reconnectPeriod: 100, keepalive: 600 });
  client.on('error', () => undefined);
  try {
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    for (let n = 0; n < MESSAGES; n += 1) {
      client.publish('t', String(n), { qos: 1 }, (error) => {
        if (error) failed.add(n);
      });
    }
    await broker.quiet();
    broker.hangUp();
    await broker.quiet();
    const lost = count((n) => !broker.answered.has(n) && !failed.has(n));
    return { acked: MESSAGES, lost, doubled: 0, recoveryMs: 0, breach: null };
  } finally {
    await client.endAsync(true);
    broker.close();
  }
}

/** Our link replays nothing: each publish says "unknown" at its end, and the log sends again. Silent would be no word at all. */
async function withOurLink(): Promise<Verdict> {
  const broker = await openMuteBroker();
  const limits = { keepaliveSeconds: 600, connectTimeoutMs: 5_000, incomingLimit: 100 };
  const session = { clientId: 'wrap', cleanStart: true, sessionExpirySeconds: 0, protocol: '3.1.1' as const };
  const link = await openMqttLink({ url: broker.url, ...session, ...limits }, new AbortController().signal);
  const told = new Set<number>();
  const claimed = new Set<number>();
  try {
    const publishing = Array.from({ length: MESSAGES }, (_, n) =>
      link.publish('t', String(n), { qos: 1, retain: false }).then(
        () => claimed.add(n),
        () => told.add(n),
      ),
    );
    await broker.quiet();
    broker.hangUp();
    await Promise.race([Promise.all(publishing), link.ended.then(() => broker.quiet())]);
    const lost = count((n) => !told.has(n) && !(claimed.has(n) && broker.answered.has(n)));
    return { acked: MESSAGES, lost, doubled: 0, recoveryMs: 0, breach: null };
  } finally {
    await link.close();
    broker.close();
  }
}

function count(is: (n: number) => boolean): number {
  let sum = 0;
  for (let n = 0; n < MESSAGES; n += 1) if (is(n)) sum += 1;
  return sum;
}
