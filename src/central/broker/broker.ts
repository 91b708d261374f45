/**
 * The broker that central brings along: MQTT 3.1.1 in this process, for a house that has none. What it keeps is in memory and ends with
 * it: agents keep their events until central has stored them, and say again what they have to say.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Aedes, Client } from 'aedes';
import type { Logger } from 'pino';
// It mends what Aedes writes with, before that is loaded.
import '../../lib/mqtt-link.ts';
import { boundMemory, MAX_FILTERS, type Memory } from './bounded.ts';
import { type Account, createLogin, type LoginParts } from './login.ts';
import { limitPackets } from './packet-limit.ts';
import { type Rights, rightsOf, type Topics } from './rights.ts';

/** Connections at once, of all listeners. */
export const MAX_CONNECTIONS = 256;
/** Whoever has connected says who it is within so long. */
const CONNECT_MS = 10_000;
/** A client that takes nothing holds up those who write to it for so long, and is then cut off. */
const DRAIN_MS = 30_000;
/** The name of central itself. No account has it. */
const OWN = 'collard-central';

export interface BrokerConfig {
  readonly host: string;
  readonly port: number;
  readonly tls?:
    | { readonly host: string; readonly port: number; readonly cert: string; readonly key: string }
    | undefined;
  readonly openHere: boolean;
  readonly accounts: readonly Account[];
}

export interface BrokerParts extends Pick<LoginParts, 'isPassword' | 'nobody' | 'limit'> {
  readonly topics: Topics;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  readonly nowMs: () => number;
  /** Messages that were not kept for a client that is away or slow. */
  readonly dropped: (messages: number) => void;
}

export interface Broker {
  /** How central itself connects. */
  readonly link: { readonly url: string; readonly username: string; readonly password: string };
  /** Where the listeners are. */
  readonly port: number;
  readonly tlsPort: number | null;
  close(): Promise<void>;
}

/** Rejects with the error of the listener (EADDRINUSE and the like), or of a certificate that cannot be read. */
export async function openBroker(config: BrokerConfig, parts: BrokerParts): Promise<Broker> {
  const own = { username: OWN, password: randomBytes(32).toString('base64url') };
  const { accounts, openHere } = config;
  const aedes = await createAedes(parts, createLogin({ ...parts, accounts, openHere, own }));
  const sockets = new Set<Socket>();
  const accept = (socket: Socket) => {
    if (sockets.size >= MAX_CONNECTIONS) return void socket.destroy();
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    limitPackets(aedes.handle(socket), socket);
  };
  const servers: Server[] = [];
  const open = async (server: Server, host: string, port: number) => {
    servers.push(server);
    await listen(server, host, port);
    return (server.address() as AddressInfo).port;
  };
  const close = async () => {
    const closed = servers.filter(({ listening }) => listening).map((server) => once(server, 'close'));
    for (const server of servers) server.close();
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };
  try {
    const port = await open(createServer({ noDelay: true }, accept), config.host, config.port);
    const tlsPort =
      config.tls === undefined ? null : await open(tlsServer(config.tls, accept), config.tls.host, config.tls.port);
    return { link: { url: `mqtt://${ownHost(config.host)}:${port}`, ...own }, port, tlsPort, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function createAedes(parts: BrokerParts, login: ReturnType<typeof createLogin>): Promise<Aedes> {
  const { topics, logger, nowMs } = parts;
  const rights = new WeakMap<Client, Rights>();
  const filters = new WeakMap<Client, number>();
  const tell = createTold(logger);
  const { Aedes } = await import('aedes');
  const aedes = await Aedes.createBroker({
    connectTimeout: CONNECT_MS,
    drainTimeout: DRAIN_MS,
    authenticate(client, username, password, done) {
      const address = (client.conn as Socket).remoteAddress ?? '';
      const answer = async () => {
        const found = await login({ username, password, address });
        if (!found.ok) {
          tell(`the broker refuses ${JSON.stringify(username ?? '')} from ${address}: ${found.reason}`);
          return done(Object.assign(new Error(found.reason), { returnCode: found.why === 'busy' ? 3 : 5 }), null);
        }
        // An id belongs to the account: nobody ends or inherits the session of another.
        const id = `${found.member.name}/${client.id}`;
        Object.assign(client, { id });
        if (!client.clean && found.member.name !== OWN) {
          if (!(await bounded.admit(id, nowMs())))
            return done(Object.assign(new Error('too many sessions'), { returnCode: 3 }), null);
          bounded.note(id, null);
        }
        rights.set(client, rightsOf(found.member, topics));
        done(null, true);
      };
      answer().catch((error: unknown) => done(Object.assign(error as Error, { returnCode: 3 }), null));
    },
    authorizePublish(client, packet, done) {
      if (packet.topic.startsWith('$')) return done(new Error('topics that begin with $ are reserved'));
      // A will is looked at when it is said, and not before; one whose client nobody knows any more is nobody's.
      if (client === null || rights.get(client)?.mayWrite(packet.topic) !== true) {
        tell(
          `the broker refuses what ${client?.id ?? 'a client that has gone'} writes to ${packet.topic.slice(0, 200)}`,
        );
        return done(new Error('not allowed'));
      }
      if (packet.retain && !bounded.mayRetain(packet.topic, packet.payload)) {
        tell('the broker keeps no more retained messages: their limit is reached');
        packet.retain = false;
      }
      done(null);
    },
    authorizeSubscribe(client, subscription, done) {
      const count = (filters.get(client) ?? 0) + 1;
      filters.set(client, count);
      const may = count <= MAX_FILTERS && rights.get(client)?.maySubscribe(subscription.topic) === true;
      if (!may) tell(`the broker refuses that ${client.id} subscribes to ${subscription.topic.slice(0, 200)}`);
      done(null, may ? subscription : null);
    },
    authorizeForward: (client, packet) => (rights.get(client)?.mayRead(packet.topic) === true ? packet : null),
  });
  const bounded = boundMemory(Reflect.get(aedes, 'persistence') as Memory, `${OWN}/`, (messages) => {
    parts.dropped(messages);
    tell(
      'the broker keeps no more messages for a client that is away or slow: their limit is reached. Agents send again',
    );
  });
  aedes.on('clientDisconnect', (client) => {
    if (!client.clean && !client.id.startsWith(`${OWN}/`)) bounded.note(client.id, nowMs());
  });
  return aedes;
}

/** The same is told once in a while only: a stranger must not fill the log. */
function createTold(logger: Pick<Logger, 'warn'>): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (told.has(text)) return;
    if (told.size >= MAX_TOLD) told.clear();
    told.add(text);
    logger.warn(text);
  };
}
const MAX_TOLD = 200;

function tlsServer({ cert, key }: NonNullable<BrokerConfig['tls']>, accept: (socket: Socket) => void): Server {
  const files = { cert: readFileSync(cert), key: readFileSync(key) };
  const server = createTlsServer({ ...files, minVersion: 'TLSv1.2', handshakeTimeout: CONNECT_MS }, accept);
  // A handshake that fails ends its connection, and nothing else.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const what =
      code === 'EADDRINUSE'
        ? 'is in use: is there another broker? Then broker.enabled: false, or another broker.port'
        : `cannot be had (${code})`;
    throw Object.assign(new Error(`the port ${host}:${port} of the broker ${what}`, { cause }), { code });
  }
}

/** Where a listener on this host is reached from this machine. */
function ownHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
