/** A TCP proxy before a broker, with the faults of a link: cut, refused, mute, frozen, slow, and packets that vanish. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createPackets, isAcknowledgement, isRepeated } from './mqtt-packets.ts';

/** `up`: from the client to the broker. */
export type Direction = 'up' | 'down';

/** What the link does now. A link that is well has none of these. */
export interface Trouble {
  /** Nothing passes: half-open, as when a cable is cut behind a switch. */
  readonly frozen?: readonly Direction[];
  readonly delayMs?: number;
  /** Chunks that wait as if their packet had been lost and sent again: this share of them, `stallMs` each. */
  readonly stallShare?: number;
  readonly stallMs?: number;
  readonly bytesPerSecond?: number;
  /** New connections wait so long for the broker. */
  readonly acceptDelayMs?: number;
  /** New connections never reach the broker: no CONNACK. */
  readonly mute?: boolean;
  /** PUBACKs in this direction vanish. */
  readonly dropAcks?: Direction;
}

export interface LinkCounts {
  readonly open: number;
  /** Chunks that trouble has held up. */
  readonly held: number;
  /** Connections that were made to wait or left without an answer. */
  readonly kept: number;
  readonly droppedAcks: number;
  /** PUBLISH packets from the broker with the DUP flag. */
  readonly repeated: number;
}

export interface BrokerLink {
  readonly port: number;
  readonly url: string;
  readonly counts: LinkCounts;
  /** Resets every connection; returns how many. */
  cut(): number;
  set(trouble: Trouble): void;
  heal(): void;
  /** Nobody listens any more. */
  refuse(): Promise<void>;
  listen(): Promise<void>;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
/** Bytes of one direction that wait in here; then the sender is held back. */
const HIGH_WATER = 64 * 1024;
const STEP_MS = 5;

export async function openBrokerLink(targetPort: number, random: () => number): Promise<BrokerLink> {
  const sockets = new Set<Socket>();
  const counts = { open: 0, held: 0, kept: 0, droppedAcks: 0, repeated: 0 };
  let trouble: Trouble = {};
  let server: Server | null = null;
  let port = 0;
  const now = () => trouble;
  const accept = async (client: Socket) => {
    sockets.add(client);
    client.once('close', () => sockets.delete(client)).on('error', () => undefined);
    if (trouble.acceptDelayMs !== undefined || trouble.mute === true) counts.kept += 1;
    await pause(trouble.acceptDelayMs ?? 0);
    while (now().mute === true && !client.destroyed) await pause(STEP_MS);
    if (client.destroyed) return;
    const broker = connect({ host: HOST, port: targetPort, noDelay: true });
    sockets.add(broker);
    counts.open += 1;
    broker.once('close', () => {
      sockets.delete(broker);
      counts.open -= 1;
    });
    pump(client, broker, 'up', { now, random, counts });
    pump(broker, client, 'down', { now, random, counts });
  };
  const proxy: BrokerLink = {
    get port() {
      return port;
    },
    get url() {
      return `mqtt://${HOST}:${port}`;
    },
    counts,
    cut() {
      const cut = counts.open;
      for (const socket of sockets) socket.resetAndDestroy();
      return cut;
    },
    set(next) {
      trouble = next;
    },
    heal() {
      trouble = {};
    },
    async refuse() {
      const closing = server;
      server = null;
      if (closing === null) return;
      const closed = once(closing, 'close');
      closing.close();
      proxy.cut();
      await closed;
    },
    async listen() {
      if (server !== null) return;
      const next = createServer({ noDelay: true }, (client) => void accept(client)).listen(port, HOST);
      server = next;
      await once(next, 'listening');
      port = (next.address() as AddressInfo).port;
    },
    async close() {
      proxy.heal();
      await proxy.refuse();
    },
  };
  await proxy.listen();
  return proxy;
}

interface Pumping {
  readonly now: () => Trouble;
  readonly random: () => number;
  readonly counts: { held: number; droppedAcks: number; repeated: number };
}

/** Copies one direction. The end of one side ends the other, once what came before it has passed. */
function pump(from: Socket, to: Socket, direction: Direction, { now, random, counts }: Pumping): void {
  const packets = createPackets();
  const waiting: Buffer[] = [];
  let bytes = 0;
  let over = false;
  let running = false;
  const hold = async (chunk: Buffer) => {
    const before = performance.now();
    const { delayMs = 0, stallShare = 0, stallMs = 0, bytesPerSecond } = now();
    if (delayMs > 0) await pause(delayMs);
    if (random() < stallShare) await pause(stallMs);
    if (bytesPerSecond !== undefined) await pause((chunk.length * 1_000) / bytesPerSecond);
    while (now().frozen?.includes(direction) === true && !to.destroyed) await pause(STEP_MS);
    if (performance.now() - before > STEP_MS) counts.held += 1;
  };
  const passed = (packet: Buffer): Buffer[] => {
    if (direction === 'down' && isRepeated(packet)) counts.repeated += 1;
    if (now().dropAcks !== direction || !isAcknowledgement(packet)) return [packet];
    counts.droppedAcks += 1;
    return [];
  };
  const run = async () => {
    running = true;
    for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
      bytes -= chunk.length;
      if (bytes < HIGH_WATER) from.resume();
      await hold(chunk);
      const out = packets.push(chunk).flatMap(passed);
      if (out.length > 0 && to.writable) to.write(Buffer.concat(out));
    }
    running = false;
    if (over) to.destroy();
  };
  from.on('data', (chunk) => {
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes >= HIGH_WATER) from.pause();
    if (!running) void run();
  });
  from.on('error', () => undefined);
  from.once('close', () => {
    over = true;
    if (!running) to.destroy();
  });
}
