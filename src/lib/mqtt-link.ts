/**
 * One MQTT connection, from CONNECT to its end. It never reconnects, queues or replays: a loop opens the next link.
 * MQTT 5 first, 3.1.1 when the broker refuses 5. Long, because everything that knows MQTT.js is here.
 */
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import type { IClientOptions, IConnackPacket, MqttClient } from 'mqtt';
import { createQueue, type Queue } from './queue.ts';
import { aborted, childOf, delay } from './wait.ts';

const require = createRequire(import.meta.url);
packNumbers();
knowRefusals();
const { connect, ReasonCodes, UniqueMessageIdProvider } = require('mqtt') as typeof import('mqtt');
const { writeToStream } = require('mqtt-packet') as typeof import('mqtt-packet');

/** What a broker may send us in one packet, so that nobody fills our memory (MQTT 5). */
export const MAX_INCOMING_BYTES = 2 * 1024 * 1024;

export interface LinkOptions {
  readonly url: string;
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM texts. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Of whom the broker's certificate must be; of the host of the URL where it is not given. */
  readonly servername?: string | undefined;
  /** false: the broker keeps our subscriptions and messages for `sessionExpirySeconds`. */
  readonly cleanStart: boolean;
  readonly sessionExpirySeconds: number;
  readonly keepaliveSeconds: number;
  readonly connectTimeoutMs: number;
  readonly will?: { readonly topic: string; readonly payload: string } | undefined;
  /** At most so many messages wait for the loop; then the broker is held back. */
  readonly incomingLimit: number;
  /** Only this one is tried: what the last link to this broker spoke. Both, 5 first, where it is not given. */
  readonly protocol?: '5' | '3.1.1' | undefined;
}

export interface Incoming {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
  /** Lets PUBACK go out. Must be called once for each message; after the link's end it does nothing. */
  readonly done: () => void;
}

export type Published =
  | { readonly ok: true }
  /** The broker took it and has no subscriber (MQTT 5, reason 0x10), or refused it. */
  | { readonly ok: false; readonly reasonCode: number; readonly reason: string };

export interface MqttLink {
  readonly protocol: '5' | '3.1.1';
  readonly sessionPresent: boolean;
  /** The broker's Receive Maximum; 65 535 where it names none. */
  readonly receiveMaximum: number;
  /** The broker's Maximum Packet Size; Infinity where it names none. */
  readonly maxPacketBytes: number;
  /** False where the broker says that it keeps no retained messages. */
  readonly retains?: boolean;
  /** Messages that found no room, at once (QoS 0) or for half the keepalive: acknowledged and lost here, so that the link lives. */
  readonly overruns: number;
  /** Resolves at PUBACK (QoS 1) or when written (QoS 0). Rejects with code LINK_ENDED when the link ends first: "unknown". */
  publish(
    topic: string,
    payload: string | Uint8Array,
    options: { readonly qos: 0 | 1; readonly retain: boolean },
  ): Promise<Published>;
  /** Resolves at SUBACK. Rejects with code SUBSCRIBE_REFUSED naming the topic. */
  subscribe(topics: readonly string[]): Promise<void>;
  readonly incoming: Queue<Incoming>;
  /** Resolves when the link has ended, with the reason; null after our own close(). */
  readonly ended: Promise<Error | null>;
  /** DISCONNECT, so that no will is sent. Resolves within 1 s. */
  close(): Promise<void>;
}

/** `code`: REFUSED (credentials, identifier: retrying is vain until somebody acts), UNREACHABLE, TLS. */
export interface LinkError extends Error {
  readonly code: 'REFUSED' | 'UNREACHABLE' | 'TLS';
}

/**
 * Resolves at CONNACK. Rejects with a LinkError whose message names the fix, or with the signal's reason; the signal
 * ends only the opening. Each protocol has `connectTimeoutMs` for its CONNACK.
 */
export type OpenLink = (options: LinkOptions, signal: AbortSignal) => Promise<MqttLink>;

export const openMqttLink: OpenLink = async (options, signal) => {
  if (options.protocol !== undefined) return attempt(options, options.protocol, signal);
  try {
    return await attempt(options, '5', signal);
  } catch (error) {
    if (!(error instanceof Mqtt5Refused)) throw error;
    return attempt(options, '3.1.1', signal);
  }
};

/** CONNACK "unacceptable protocol version", or a broker that just drops what it does not understand. */
class Mqtt5Refused extends Error {}

async function attempt(options: LinkOptions, protocol: '5' | '3.1.1', signal: AbortSignal): Promise<MqttLink> {
  signal.throwIfAborted();
  const { link, opened, destroy, start } = attach(options, protocol);
  const opening = childOf(signal);
  const timer = setTimeout(opening.abort, options.connectTimeoutMs);
  const cut = aborted(opening.signal).then(() => 'cut' as const);
  try {
    start();
    const outcome = await Promise.race([opened, link.ended, cut]);
    if (outcome === 'open') return link;
    if (outcome !== 'cut') throw explain(outcome, options, protocol);
    signal.throwIfAborted();
    const text = `${addressOf(options.url)} answers no MQTT within ${options.connectTimeoutMs} ms: is it an MQTT broker, and is it well?`;
    throw linkError('UNREACHABLE', text);
  } catch (error) {
    destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    opening.release();
    opening.abort();
  }
}

function clientOptions(options: LinkOptions, protocol: '5' | '3.1.1'): IClientOptions {
  const { clientId, username, password, ca, cert, key, servername, will } = options;
  const tls = { ...given({ ca, cert, key, servername }), rejectUnauthorized: true, minVersion: 'TLSv1.2' as const };
  const properties = {
    sessionExpiryInterval: options.sessionExpirySeconds,
    receiveMaximum: Math.min(65_535, Math.max(1, options.incomingLimit)),
    maximumPacketSize: MAX_INCOMING_BYTES,
  };
  return {
    ...tls,
    ...(options.url.startsWith('wss:') ? { wsOptions: tls } : {}),
    ...given({ username, password }),
    ...(will && { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true } }),
    clientId,
    clean: options.cleanStart,
    keepalive: options.keepaliveSeconds,
    protocolId: 'MQTT',
    protocolVersion: protocol === '5' ? 5 : 4,
    ...(protocol === '5' && { properties }),
    manualConnect: true,
    reconnectPeriod: 0,
    // Ours decides; this one only has to come later.
    connectTimeout: options.connectTimeoutMs + 1_000,
    resubscribe: false,
    queueQoSZero: false,
    messageIdProvider: new UniqueMessageIdProvider(),
  };
}

/** Without the fields that are not set: MQTT.js takes "undefined" for a value. */
function given(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const set: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) set[name] = value;
  return set;
}

interface Attached {
  readonly link: MqttLink;
  readonly opened: Promise<'open'>;
  /** Writes CONNECT. Does not throw: what is wrong ends the link. */
  start(): void;
  destroy(): void;
}

/** Puts our rules around a client that is not connected yet: a persistent session delivers with the CONNACK. */
function attach(options: LinkOptions, protocol: '5' | '3.1.1'): Attached {
  const client = connect(options.url, clientOptions(options, protocol));
  const life = createLife();
  const inbox = receiveInto(client, options.incomingLimit, life.over);
  let connack: IConnackPacket | null = null;
  const opened = new Promise<'open'>((resolve) => {
    client.on('connect', (packet) => {
      connack = packet;
      resolve('open');
    });
  });
  client.on('disconnect', ({ reasonCode = 0x80 }) => life.blame(linkEnded(`broker says "${reasonText(reasonCode)}"`)));
  client.on('error', (error) => {
    life.blame(error);
    client.stream?.destroy();
  });
  const finish = () => {
    client.removeAllListeners();
    // A late error of the socket must not end the process.
    client.on('error', () => undefined);
    inbox.incoming.close();
    life.finish();
  };
  client.on('close', finish);
  const destroy = () => {
    cut(client);
    finish();
  };
  keepAlive(client);
  collectAnswers(client, life);
  const property = <K extends keyof Properties>(name: K): Properties[K] | undefined => connack?.properties?.[name];
  const link: MqttLink = {
    protocol,
    incoming: inbox.incoming,
    ended: life.ended,
    get sessionPresent() {
      return connack?.sessionPresent ?? false;
    },
    get receiveMaximum() {
      return property('receiveMaximum') ?? 65_535;
    },
    get maxPacketBytes() {
      return property('maximumPacketSize') ?? Number.POSITIVE_INFINITY;
    },
    get retains() {
      return property('retainAvailable') !== false;
    },
    get overruns() {
      return inbox.overruns;
    },
    publish: publisher(client, life, () => link.retains !== false),
    subscribe: subscriber(client, life),
    async close() {
      if (life.over.aborted) return;
      life.blame(null);
      // DISCONNECT by hand: MQTT.js would wait for every PUBACK first.
      client.stream.end(Buffer.from([0xe0, 0]));
      await Promise.race([life.ended, delay(1_000, life.over)]);
      destroy();
    },
  };
  const start = () => {
    const error = connectFast(client);
    if (error === null) return;
    life.blame(error);
    finish();
  };
  return { link, opened, start, destroy };
}

function cut(client: MqttClient): void {
  // Absent before it was connected.
  if (client.stream === undefined) return;
  client.stream.destroy();
  client.end(true);
}

/**
 * mqtt-packet keeps each length below 16 384 that it has ever written, in one or two bytes of a pool of Node.js, and with them all 64 KB of
 * that pool: up to 1 GB over months. Here they lie side by side, in 32 KB. It takes the function when it is loaded, so this comes
 * before it. https://github.com/mqttjs/mqtt-packet/issues/163
 */
function packNumbers(): void {
  const numbers = require('mqtt-packet/numbers.js') as { genBufVariableByteInt(value: number): Buffer };
  const { genBufVariableByteInt: encode } = numbers;
  const kept = 16_384;
  const packed = Buffer.alloc(2 * kept);
  for (let value = 0; value < kept; value += 1) {
    // Seven bits a byte, the low ones first, the highest bit where more come: MQTT 5, 1.5.5.
    packed[2 * value] = value < 128 ? value : 128 | (value & 127);
    packed[2 * value + 1] = value >> 7;
  }
  numbers.genBufVariableByteInt = (value) =>
    value < kept ? packed.subarray(2 * value, 2 * value + (value < 128 ? 1 : 2)) : encode(value);
}

/**
 * mqtt-packet ends the link at a PUBACK whose code is not in its table, so that nobody learns which message was refused: mosquitto says
 * 0x95, "Packet too large". All from 0x80 on are failures (MQTT 5, 2.4), also one that 3.4.2.1 does not name for PUBACK. The table is
 * MQTT5_PUBACK_PUBREC_CODES of mqtt-packet's constants.js; its parser.js asks it at each PUBACK.
 */
function knowRefusals(): void {
  const constants = require('mqtt-packet/constants.js') as { MQTT5_PUBACK_PUBREC_CODES: Record<number, string> };
  const known = constants.MQTT5_PUBACK_PUBREC_CODES;
  for (let code = 0x80; code <= 0xff; code += 1) known[code] ??= 'failure';
}

/** What is thrown here comes from the PEM texts. */
function connectFast(client: MqttClient): Error | null {
  // Otherwise the first packet makes 65 536 buffers, one for each packet id, and they are never given up: 8 MB.
  writeToStream.cacheNumbers = false;
  try {
    client.connect();
  } catch (error) {
    return error as Error;
  }
  // A small packet must not wait for the delayed acknowledgement of the one before it: 40 ms each.
  if (client.stream instanceof Socket) client.stream.setNoDelay(true);
  return null;
}

/**
 * A link over which packets come is alive, though PINGRESP may stand behind a long queue of them. MQTT.js counts only the
 * answers; it looks every half keepalive, and so a dead link is still found within 1.5 times the keepalive.
 */
function keepAlive(client: MqttClient): void {
  let heardAt = 0;
  client.on('packetreceive', () => {
    heardAt = performance.now();
  });
  const end = client.onKeepaliveTimeout.bind(client);
  client.onKeepaliveTimeout = () => {
    if (performance.now() - heardAt < client.keepalive * 1_000) client.sendPing();
    else end();
  };
}

/** An answer that is so long in coming is asked after with PINGREQ. */
const ASK_AFTER_MS = 3_000;
/** The broker may hold it back for so long after it has read what it is the answer to. */
const HOLD_MS = 12_000;
const LOOK_MS = 500;

export interface Answers {
  /** Something that wants an answer was written; `id` is free again once it has come. */
  asked(id: number, now: number): void;
  came(id: number, now: number): void;
  /** PINGREQ was written, PINGRESP came. */
  pinged(): void;
  ponged(now: number): void;
  look(now: number): 'fine' | 'ping' | 'lost';
}

/**
 * Finds the answer that is lost on a link that lives. What was written is read in order: PINGRESP proves that the broker has read
 * all that went before its PINGREQ, however slow the link is and whoever keeps bytes on the way. Until then nothing is late.
 * Only the oldest answer counts: each that comes in turn is progress.
 */
export function createAnswers(): Answers {
  const owed = new Map<number, number>();
  const pings: number[] = [];
  let asked = 0;
  let read = 0;
  /** Since when the oldest is waited for: as the oldest, and as one that was read. */
  let since = 0;
  const oldest = () => owed.values().next().value;
  return {
    asked(id, now) {
      if (owed.size === 0) since = now;
      asked += 1;
      owed.set(id, asked);
    },
    came(id, now) {
      const isOldest = owed.get(id) === oldest();
      if (owed.delete(id) && isOldest) since = now;
    },
    pinged: () => void pings.push(asked),
    ponged(now) {
      const upTo = pings.shift() ?? 0;
      const turn = oldest() ?? Number.POSITIVE_INFINITY;
      if (turn > read && turn <= upTo) since = now;
      read = Math.max(read, upTo);
    },
    look(now) {
      const turn = oldest();
      if (turn === undefined) return 'fine';
      if (turn <= read) return now - since >= HOLD_MS ? 'lost' : 'fine';
      const isAsked = pings.some((upTo) => upTo >= turn);
      return now - since >= ASK_AFTER_MS && !isAsked ? 'ping' : 'fine';
    },
  };
}

/** An answer that is lost ends the link: MQTT forbids to ask again on a living one. */
function collectAnswers(client: MqttClient, life: Life): void {
  const answers = createAnswers();
  const now = () => performance.now();
  client.on('packetsend', (packet) => {
    if (packet.cmd === 'pingreq') answers.pinged();
    const wants = packet.cmd === 'subscribe' || (packet.cmd === 'publish' && packet.qos > 0);
    if (wants && packet.messageId !== undefined) answers.asked(packet.messageId, now());
  });
  client.on('packetreceive', (packet) => {
    if (packet.cmd === 'pingresp') answers.ponged(now());
    const answer = packet.cmd === 'puback' || packet.cmd === 'suback';
    if (answer && packet.messageId !== undefined) answers.came(packet.messageId, now());
  });
  const looks = setInterval(() => {
    const found = answers.look(now());
    if (found === 'fine' || !client.stream.writable) return;
    if (found === 'ping') return client.sendPing();
    life.blame(linkEnded('an acknowledgement of the broker is lost: it answers what was asked later'));
    client.stream.destroy();
  }, LOOK_MS);
  life.over.addEventListener('abort', () => clearInterval(looks), { once: true });
}

type Properties = NonNullable<IConnackPacket['properties']>;

interface Life {
  /** Aborts at the end. */
  readonly over: AbortSignal;
  readonly ended: Promise<Error | null>;
  /** The first one blamed is the reason; null: our own close, and nothing new starts. */
  blame(reason: Error | null): void;
  finish(): void;
  /** A promise that rejects at the end of the link if nothing settled it before: MQTT.js leaves its callbacks uncalled. */
  within<T>(work: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T>;
}

function createLife(): Life {
  const over = new AbortController();
  const pending = new Set<(error: Error) => void>();
  let reason: Error | null | undefined;
  let end: (reason: Error | null) => void;
  const ended = new Promise<Error | null>((resolve) => {
    end = resolve;
  });
  return {
    over: over.signal,
    ended,
    blame(error) {
      if (reason === undefined) reason = error;
    },
    finish() {
      if (over.signal.aborted) return;
      over.abort();
      if (reason === undefined) reason = linkEnded('the connection was closed');
      const lost = linkEnded(reason?.message ?? 'closed by us');
      for (const reject of pending) reject(lost);
      pending.clear();
      end(reason);
    },
    within<T>(work: (resolve: (value: T) => void, reject: (error: Error) => void) => void) {
      return new Promise<T>((resolve, reject) => {
        if (reason !== undefined) return reject(linkEnded(reason?.message ?? 'closed by us'));
        pending.add(reject);
        const settle = () => pending.delete(reject);
        work(
          (value) => settle() && resolve(value),
          (error) => settle() && reject(error),
        );
      });
    },
  };
}

interface Inbox {
  readonly incoming: Queue<Incoming>;
  readonly overruns: number;
}

function receiveInto(client: MqttClient, limit: number, over: AbortSignal): Inbox {
  const incoming = createQueue<Incoming>(limit);
  let overruns = 0;
  client.handleMessage = (packet, letGo) => {
    const { messageId } = packet;
    let acknowledged = false;
    // The parser goes on at once (an error means "no PUBACK now") and done() writes the PUBACK, so that a slow loop does
    // not hold back PINGRESP and may group its commits. MQTT.js has no call for it; these four bytes are the whole packet.
    const advance = () => letGo(new Error('acknowledged by done()'));
    const done = () => {
      if (acknowledged || over.aborted || messageId === undefined) return;
      acknowledged = true;
      client.stream.write(Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff]));
    };
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    const item: Incoming = { topic: packet.topic, payload, retained: packet.retain, done };
    if (incoming.push(item)) return advance();
    if (packet.qos === 0) {
      // It may be lost, and what stands behind it may be the answer that we wait for.
      overruns++;
      return advance();
    }
    const patience = AbortSignal.any([AbortSignal.timeout(client.keepalive * 500), over]);
    void incoming.room(patience).then(() => {
      if (!incoming.push(item)) {
        overruns++;
        done();
      }
      advance();
    });
  };
  return {
    incoming,
    get overruns() {
      return overruns;
    },
  };
}

function publisher(client: MqttClient, life: Life, mayRetain: () => boolean): MqttLink['publish'] {
  // MQTT.js takes "no matching subscribers" for success and does not hand it on.
  const unheard = new Set<number>();
  client.on('packetreceive', (packet) => {
    if (packet.cmd === 'puback' && packet.reasonCode === NO_SUBSCRIBER) unheard.add(packet.messageId ?? 0);
  });
  return (topic, payload, { qos, retain }) =>
    life.within<Published>((resolve, reject) => {
      const bytes = typeof payload === 'string' ? payload : Buffer.from(payload);
      client.publish(topic, bytes, { qos, retain: retain && mayRetain() }, (error, packet) => {
        const messageId: unknown = packet && Reflect.get(packet, 'messageId');
        if (typeof messageId === 'number' && unheard.delete(messageId)) return resolve(refused(NO_SUBSCRIBER));
        if (!error) return resolve({ ok: true });
        const code: unknown = Reflect.get(error, 'code');
        if (typeof code === 'number') resolve(refused(code));
        else reject(linkEnded(error.message));
      });
    });
}

function subscriber(client: MqttClient, life: Life): MqttLink['subscribe'] {
  return (topics) =>
    life.within<void>((resolve, reject) => {
      client.subscribe([...topics], { qos: 1 }, (error, _subscriptions, packet) => {
        if (!error) return resolve();
        const refusedAt = (packet?.granted ?? []).findIndex((code) => (Number(code) & 0x80) !== 0);
        const topic = topics[refusedAt];
        if (topic === undefined) return reject(linkEnded(error.message));
        const text = `the broker refuses the subscription to ${topic}: check its access rules for this user`;
        reject(Object.assign(new Error(text), { code: 'SUBSCRIBE_REFUSED' }));
      });
    });
}

const NO_SUBSCRIBER = 0x10;

function refused(reasonCode: number): Published {
  return { ok: false, reasonCode, reason: reasonText(reasonCode) };
}

function reasonText(code: number): string {
  return (ReasonCodes as Readonly<Record<number, string>>)[code] ?? `reason ${code}`;
}

function linkEnded(reason: string): Error {
  return Object.assign(new Error(`the link to the broker has ended: ${reason}`), { code: 'LINK_ENDED' });
}

function linkError(code: LinkError['code'], message: string, cause?: unknown): LinkError {
  return Object.assign(new Error(message, { cause }), { code });
}

/** CONNACK codes of 3.1.1 and 5 where only patience helps, and where the other protocol does. */
const BUSY_CODES: readonly unknown[] = [3, 136, 137, 151, 159];
const VERSION_CODES: readonly unknown[] = [1, 132];
const PASSWORD_CODES: readonly unknown[] = [4, 134];
/** Node gives these to a socket or name that does not work; other texts come from TLS. */
const NETWORK_CODE = /^(E[A-Z]+|UND_ERR_.*)$/;

/** What ended the opening, as something that a person can act on. */
function explain(cause: Error | null, options: LinkOptions, protocol: '5' | '3.1.1'): Error {
  const where = addressOf(options.url);
  const code: unknown = cause === null ? null : Reflect.get(cause, 'code');
  const text = cause?.message ?? 'closed';
  if (typeof code === 'number') {
    if (protocol === '5' && VERSION_CODES.includes(code)) return new Mqtt5Refused(text);
    if (BUSY_CODES.includes(code)) return linkError('UNREACHABLE', `${where} takes nobody now: ${text}`, cause);
    const fix = PASSWORD_CODES.includes(code)
      ? 'check mqtt.username and mqtt.password'
      : `check that the broker lets user "${options.username ?? ''}" in with client id "${options.clientId}"`;
    return linkError('REFUSED', `${where} refuses us (${text.replace(/^Connection refused: /, '')}): ${fix}`, cause);
  }
  if (code === undefined || code === 'LINK_ENDED' || code === 'ECONNRESET' || code === 'EPIPE') {
    if (protocol === '5') return new Mqtt5Refused(text);
    const asksTls = /^(mqtt|ws):/.test(options.url) ? ', and does it want TLS (mqtts://)' : '';
    return linkError('UNREACHABLE', `${where} closes the connection: is it an MQTT broker${asksTls}? (${text})`, cause);
  }
  if (typeof code === 'string' && code !== 'EPROTO' && NETWORK_CODE.test(code)) {
    return linkError('UNREACHABLE', `${where} cannot be reached (${code}): is the broker running?`, cause);
  }
  // OpenSSL's own texts are a line of codes and source files: what is meant stands in `reason`.
  const reason: unknown = cause === null ? null : Reflect.get(cause, 'reason');
  const what = typeof reason === 'string' && text.includes(':error:') ? reason : text.trim();
  return linkError('TLS', `no safe connection to ${where} (${what}): ${tlsFix(code)}`, cause);
}

function tlsFix(code: unknown): string {
  switch (code) {
    case 'CERT_NOT_YET_VALID':
      return 'its certificate is not valid yet: check the clock of this machine';
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired: renew it, or check the clock of this machine';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'its certificate is for another name: use that name in mqtt.url';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'its authority is not known here: name the PEM file of that authority in mqtt.ca';
    case 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED':
      return 'it wants a client certificate: name the PEM files in mqtt.cert and mqtt.key';
    default:
      return 'check mqtt.ca, mqtt.cert and mqtt.key, and that this is a TLS port (mqtts://) with TLS 1.2 or newer';
  }
}

/** host:port, without the password that a URL may hold. */
function addressOf(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  const usual: Readonly<Record<string, string>> = { 'mqtt:': '1883', 'mqtts:': '8883', 'ws:': '80', 'wss:': '443' };
  return `${hostname}:${port === '' ? (usual[protocol] ?? '') : port}`;
}
