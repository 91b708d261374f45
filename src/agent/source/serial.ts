/**
 * A serial port as a source. Opens, reads, and opens again after an unplug, a hang-up or a long silence. The port is always
 * kept flowing: one that nobody reads never notices that it was unplugged.
 */
import { stat } from 'node:fs/promises';
import type { UsbIdentity } from '../../contract/message.ts';
import { type BackoffLimits, backoffMs, delay } from '../../lib/wait.ts';
import { type ByteInbox, createByteInbox, type Taken } from './byte-inbox.ts';
import { createCadence } from './cadence.ts';
import { type Exclusive, exclusiveOnce } from './exclusive.ts';
import { explainPort } from './explain-port.ts';
import { untilPlugged } from './plugged.ts';
import type { Source, SourceInput } from './source.ts';
import { createSystemPort, type PortStream } from './system-port.ts';
import { readUsb } from './usb.ts';

export interface SerialConfig {
  readonly serial: string;
  readonly baud: number;
  /** No byte for so long, or less where it never pauses: the port is opened afresh. */
  readonly silentAfterMs: number;
}

export interface SerialPorts {
  readonly monoNow: () => number;
  readonly random: () => number;
  /** The port of a path, not open yet. */
  readonly create?: (path: string, baud: number) => PortStream;
  readonly explain?: (path: string, fallback: string) => Promise<string>;
  /** The USB device behind a path; asked of the system by default, where the port is the system's. */
  readonly usbOf?: (path: string) => Promise<UsbIdentity | null>;
  /** What a path leads to: another device, or null, once that was unplugged. Null at the opening: it cannot be told. */
  readonly identify?: (path: string) => Promise<string | null>;
  readonly retry?: BackoffLimits;
}

/** Bytes that wait for the loop: at 115 200 baud more than a minute. */
export const INBOX_BYTES = 1024 * 1024;
/** What is sent and not taken yet; beyond it nothing more is sent. */
export const UNSENT_BYTES = 1024;
const RETRY: BackoffLimits = { firstMs: 250, maxMs: 10_000 };
/** A loop that stood still hears of the time before it hears of the bytes that came meanwhile: so long it looks once more. */
const LATE_MS = 500;
/**
 * How often we look whether a port that says nothing is still the one at its path. The driver may miss a hang-up: where it reads
 * an end of file, it reads again at once, for ever.
 */
const LOOK_MS = 1_000;
/** A driver that does not answer to close is left behind. */
const CLOSE_MS = 1_000;

interface OpenPort {
  readonly port: PortStream;
  /** Null where the port is not the system's. */
  readonly exclusive: Exclusive | null;
  readonly inbox: ByteInbox;
  /** False once its path leads elsewhere. */
  readonly isThere: () => Promise<boolean>;
}

type Opened = ({ readonly ok: true } & OpenPort) | ({ readonly ok: false } & Failure);

export function openSerialSource(config: SerialConfig, ports: SerialPorts): Source {
  const path = config.serial;
  let earlierBytes = 0;
  let inbox: ByteInbox | null = null;
  let outbox: ((bytes: Uint8Array) => boolean) | null = null;
  let usb: UsbIdentity | null = null;
  const exclusive = exclusiveOnce(ports.create === undefined);
  const usbOf = ports.usbOf ?? (ports.create === undefined ? readUsb : async () => null);
  return {
    name: path,
    get overrunBytes() {
      return earlierBytes + (inbox?.overrunBytes ?? 0);
    },
    get usb() {
      return usb;
    },
    write: (bytes) => outbox?.(bytes) ?? false,
    async *inputs(signal) {
      // 'well', or how it failed: both changes go to the loop once. A silent port is well again with its first byte only.
      let state: 'well' | 'broken' | 'silent' | 'new' = 'new';
      let attempt = 0;
      while (!signal.aborted) {
        const opened = await openPort(config, ports, exclusive);
        let failure: Failure = opened.ok ? { silent: false, reason: `${path} closed` } : opened;
        if (opened.ok) {
          inbox = opened.inbox;
          outbox = createOutbox(opened.port);
          usb = await usbOf(path);
          if (state === 'new' || state === 'broken') {
            state = 'well';
            yield { type: 'opened' };
          }
          for await (const input of session(opened, config.silentAfterMs, signal)) {
            if (input.type !== 'bytes') {
              failure = input;
              continue;
            }
            attempt = 0;
            if (state === 'silent') yield { type: 'opened' };
            state = 'well';
            yield input;
          }
          earlierBytes += inbox.overrunBytes;
          inbox = null;
          outbox = null;
        }
        if (signal.aborted) return;
        if (state === 'well' || state === 'new') {
          state = failure.silent ? 'silent' : 'broken';
          yield { type: 'failed', reason: failure.reason };
        }
        const isPlugged = await untilPlugged(path, backoffMs(attempt, ports.retry ?? RETRY, ports.random()), signal);
        attempt = isPlugged ? 0 : attempt + 1;
      }
    },
  };
}

interface Failure {
  readonly silent: boolean;
  readonly reason: string;
}

type SessionInput = Extract<SourceInput, { type: 'bytes' }> | ({ readonly type: 'over' } & Failure);

/** Bytes until the port fails or is silent too long (told as `over`), or the signal aborts. The port is closed then. */
async function* session(opened: OpenPort, silentAfterMs: number, signal: AbortSignal): AsyncGenerator<SessionInput> {
  const { port, inbox, exclusive } = opened;
  const cadence = createCadence(silentAfterMs);
  try {
    while (true) {
      const withinMs = cadence.silentAfterMs;
      const first = await takeLooking(opened, withinMs, signal);
      const taken = first.type === 'nothing' ? await inbox.take(LATE_MS, signal) : first;
      if (taken.type === 'aborted') return;
      if (taken.type === 'ended') return yield { type: 'over', silent: false, reason: taken.reason };
      if (taken.type === 'nothing') return yield { type: 'over', silent: true, reason: silence(withinMs) };
      cadence.heard(taken.chunk.atMs);
      yield { type: 'bytes', ...taken.chunk };
    }
  } finally {
    exclusive?.release(port);
    await closePort(port);
  }
}

/** As the inbox gives it, and ended where the port has gone meanwhile. */
async function takeLooking({ inbox, isThere }: OpenPort, withinMs: number, signal: AbortSignal): Promise<Taken> {
  for (let left = withinMs; ; left -= LOOK_MS) {
    const taken = await inbox.take(Math.min(left, LOOK_MS), signal);
    if (taken.type !== 'nothing' || left <= LOOK_MS) return taken;
    if (!(await isThere())) inbox.end('it was unplugged: waiting for it to come back');
  }
}

function silence(afterMs: number): string {
  return `no byte for ${afterMs / 1000} s: is the receiver on, is the baud rate right?`;
}

async function openPort(
  { serial: path, baud }: SerialConfig,
  ports: SerialPorts,
  ownExclusive: () => Promise<Exclusive | null>,
): Promise<Opened> {
  const inbox = createByteInbox(INBOX_BYTES);
  const explain = ports.explain ?? explainPort;
  try {
    const port = (ports.create ?? createSystemPort)(path, baud);
    // Some drivers say close twice, or error and close: the first word counts, the inbox ignores the others.
    port.on('data', (bytes) => inbox.push({ bytes, atMs: ports.monoNow() }));
    port.holdUnless?.((bytes) => inbox.roomBytes >= bytes);
    port.on('error', (error) => inbox.end(gone(path, error)));
    port.on('close', (error) => inbox.end(gone(path, error)));
    await new Promise<void>((resolve, reject) => {
      port.open((error) => (error === null || error === undefined ? resolve() : reject(error)));
    });
    const exclusive = await ownExclusive();
    exclusive?.claim(port);
    const identify = ports.identify ?? (ports.create === undefined ? identifyDevice : async () => null);
    const device = await identify(path);
    return {
      ok: true,
      port,
      exclusive,
      inbox,
      isThere: async () => device === null || (await identify(path)) === device,
    };
  } catch (error) {
    return {
      ok: false,
      silent: false,
      reason: await explain(path, error instanceof Error ? error.message : String(error)),
    };
  }
}

/** Sends as long as the device takes it: a receiver that reads nothing holds nobody up. */
function createOutbox(port: PortStream): (bytes: Uint8Array) => boolean {
  let unsent = 0;
  return (bytes) => {
    if (unsent + bytes.length > UNSENT_BYTES) return false;
    unsent += bytes.length;
    // An error here is told by the port's own events.
    port.write(Buffer.from(bytes), () => {
      unsent -= bytes.length;
    });
    return true;
  };
}

function gone(path: string, error: Error | null | undefined): string {
  return `${path} went away${error instanceof Error ? ` (${error.message})` : ''}: waiting for it to come back`;
}

/** Device number and node: another port, or the same one plugged in again, has others. */
async function identifyDevice(path: string): Promise<string | null> {
  return stat(path).then(
    ({ rdev, ino }) => `${rdev} ${ino}`,
    () => null,
  );
}

/** Resolves when the port is closed, or after CLOSE_MS. */
async function closePort(port: PortStream): Promise<void> {
  if (!port.isOpen) return;
  const late = new AbortController();
  const closed = new Promise<void>((resolve) => {
    // An error here means that it is closed already.
    port.close(() => resolve());
  });
  await Promise.race([closed, delay(CLOSE_MS, late.signal)]);
  late.abort();
}
