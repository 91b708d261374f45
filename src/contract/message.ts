/** The small messages beside the event batches: sync, stored, state, health, requests. Both directions. */
import { type ChainHash, chainHex, parseChainHex } from './chain.ts';
import { parseJson } from './json.ts';
import { GZIP } from './packed.ts';
import { decodeSyncProof, type Extent, encodeSyncProof, type SyncProof } from './signature.ts';

/** A closed range of seqs. */
export type SeqRange = readonly [from: number, to: number];

/** At most this many ranges are asked for in one `stored`; the rest is asked for later. */
export const MAX_NEED_RANGES = 64;

/** The agent keeps the incarnation that it heard last. */
const MAX_INCARNATION_CHARACTERS = 64;

/** Agent at connect, and on a timer without answer. `lastSeq` 0: an empty log. `firstSeq` is the oldest it still holds. */
export interface SyncMessage extends Extent {
  /** Who says so, where the agent signs. */
  readonly proof?: SyncProof;
}

/** A batch that has come to central, named by its range and by what the agent said its chain is. */
export interface BatchEcho {
  readonly from: number;
  readonly to: number;
  readonly chain: ChainHash;
}

/** Central after every commit, and as the answer to `sync`. All up to `seq` is committed. */
export interface StoredMessage {
  /** Made when the central store was created; a restored store has another. */
  readonly incarnation: string;
  readonly epoch: string;
  readonly seq: number;
  /** chain at `seq`, computed from what is stored. */
  readonly chain: ChainHash;
  /** What central knows to exist and does not hold, oldest first. */
  readonly need: readonly SeqRange[];
  /**
   * The batch that this is the answer to, where some of it was not new: the numbers of a history that central knows otherwise are
   * all held, so neither `seq` nor `need` shows that it came. Null for any other answer; absent from a central that names none.
   */
  readonly batch?: BatchEcho | null;
  /** Batches as gzip are read too: see `packed.ts`. */
  readonly takesGzip?: boolean;
}

export interface StateMessage {
  readonly state: 'online' | 'offline';
  /** Rises with every connection: a late will of session 41 must not mark 42 offline. */
  readonly session: number;
  readonly version: string;
}

/** A USB device, as it names itself. */
export interface UsbIdentity {
  /** Four hex digits. */
  readonly vendorId: string;
  readonly productId: string;
  readonly product: string | null;
  readonly serialNumber: string | null;
}

export interface SourceHealth {
  readonly source: string;
  readonly state: 'open' | 'failed' | 'ended';
  readonly reason: string | null;
  readonly readings: number;
  readonly discarded: Readonly<Record<string, number>>;
  /** Samples that never came, by the senders' counters. */
  readonly lostSamples: number;
  /** Wall time of the last reading, or null. */
  readonly lastReading: string | null;
  /** Readings a second since the health message before; absent in the first one. */
  readonly perSecond?: number;
  /** What is plugged in; absent where it is no USB device. */
  readonly usb?: UsbIdentity;
}

/** Collars that one health message tells of: those heard last. */
export const MAX_HEARD_COLLARS = 256;

const MAX_COLLAR_CHARACTERS = 64;

/** A collar as an agent last heard it: it works, whether its cat moves or not. */
export interface HeardCollar {
  readonly collar: string;
  /** Wall time of its newest reading. */
  readonly lastHeard: string;
  /** How strong that reading was, and where the receiver stands. */
  readonly rssiDbm?: number;
  readonly place?: string;
  /** As it last told. */
  readonly batteryPercent?: number;
}

/** warn: it will be spent soon. thinning: events of little worth are given up. losing: so are the oldest of all. */
export type DiskState = 'ok' | 'warn' | 'thinning' | 'losing';

/** Raw readings that an agent keeps for a while. */
export interface KeptHealth {
  /** short: the disk is, and they go first. failed: they cannot be written. */
  readonly state: 'kept' | 'short' | 'failed';
  readonly reason: string | null;
  readonly bytes: number;
  /** Measured since the agent began; null in its first minute. */
  readonly bytesPerDay: number | null;
  /** Pieces of at most ten seconds that were left out: the disk did not take them, or not in time. */
  readonly lostBlocks: number;
}

/** Every 60 s by default. Sizes in bytes, ages in milliseconds. */
export interface HealthMessage {
  readonly version: string;
  readonly simulated: boolean;
  readonly epoch: string;
  readonly lastSeq: number;
  readonly storedSeq: number;
  /** Events in the log that central has not confirmed, over all epochs; `unwritten`: those that are not in it yet. */
  readonly queue: number;
  readonly unwritten?: number;
  readonly oldestUnstored: string | null;
  /** Wall time when central last confirmed something, or null. */
  readonly lastConfirmed: string | null;
  readonly stalled: boolean;
  /** Central holds another history of an epoch. */
  readonly conflicting: boolean;
  /** Events that are larger than the broker takes: they stay in the log. */
  readonly oversize: number;
  /** What last went wrong with the broker, or null once events have got through again. */
  readonly lastError: string | null;
  readonly logBytes: number;
  readonly disk: DiskState;
  /** A part of logBytes. */
  readonly walBytes: number;
  /** Another program reads the log without an end, so that this part of it grows; absent where none does. */
  readonly walHeld?: boolean;
  readonly diskFreeBytes: number | null;
  readonly diskTotalBytes?: number;
  /** What the card was given for the log since the start; absent where the system does not tell. */
  readonly writtenBytes?: number;
  /** Since the start of the agent. */
  readonly uptimeMs?: number;
  readonly rssBytes: number;
  readonly clock: 'synced' | 'unsynced';
  readonly protocol: '5' | '3.1.1';
  readonly sources: readonly SourceHealth[];
  /** Absent where none are kept. */
  readonly readings?: KeptHealth;
  /** Newest first, at most MAX_HEARD_COLLARS. */
  readonly collars: readonly HeardCollar[];
}

export function encodeSync({ proof, ...extent }: SyncMessage): string {
  return JSON.stringify({ ...extent, chain: chainHex(extent.chain), ...(proof && encodeSyncProof(proof)) });
}

export function encodeStored({ batch, takesGzip, ...message }: StoredMessage): string {
  const echo = batch && { ...batch, chain: chainHex(batch.chain) };
  const more = { batch: echo, accepts: takesGzip === true ? [GZIP] : undefined };
  return JSON.stringify({ ...message, chain: chainHex(message.chain), ...more });
}

/** Null where the payload is no `sync`. */
export function decodeSync(payload: Uint8Array): SyncMessage | null {
  const m = parseObject(payload);
  const chain = parseChainHex(m?.chain);
  if (m === null || chain === null || !isEpoch(m.epoch) || !isCount(m.firstSeq) || !isCount(m.lastSeq)) return null;
  if (m.firstSeq > m.lastSeq + 1) return null;
  const proof = decodeSyncProof(m);
  return { epoch: m.epoch, firstSeq: m.firstSeq, lastSeq: m.lastSeq, chain, ...(proof === null ? {} : { proof }) };
}

/** Null where the payload is no `stored`. */
export function decodeStored(payload: Uint8Array): StoredMessage | null {
  const m = parseObject(payload);
  const chain = parseChainHex(m?.chain);
  if (m === null || chain === null || !isEpoch(m.epoch) || !isCount(m.seq)) return null;
  if (typeof m.incarnation !== 'string' || m.incarnation.length > MAX_INCARNATION_CHARACTERS) return null;
  const need: SeqRange[] = [];
  for (const range of Array.isArray(m.need) ? m.need.slice(0, MAX_NEED_RANGES) : []) {
    if (!Array.isArray(range) || !isCount(range[0]) || !isCount(range[1]) || range[0] < 1 || range[1] < range[0])
      return null;
    need.push([range[0], range[1]]);
  }
  const batch = decodeEcho(m.batch);
  return {
    incarnation: m.incarnation,
    epoch: m.epoch,
    seq: m.seq,
    chain,
    need,
    ...(batch === undefined ? {} : { batch }),
    ...(Array.isArray(m.accepts) && m.accepts.includes(GZIP) ? { takesGzip: true } : {}),
  };
}

/** Undefined where there is none that can be read. */
function decodeEcho(value: unknown): BatchEcho | null | undefined {
  if (typeof value !== 'object' || value === null) return value === null ? null : undefined;
  const { from, to, chain } = value as Readonly<Record<string, unknown>>;
  const hash = parseChainHex(chain);
  return hash !== null && isCount(from) && isCount(to) && from >= 1 && from <= to
    ? { from, to, chain: hash }
    : undefined;
}

/** Null where the payload is no `state`. */
export function decodeState(payload: Uint8Array): StateMessage | null {
  const m = parseObject(payload);
  if (m === null || (m.state !== 'online' && m.state !== 'offline') || !isCount(m.session)) return null;
  const version = typeof m.version === 'string' ? m.version.slice(0, 64) : '';
  return { state: m.state, session: m.session, version };
}

/** The collars of a health message, which is a stranger's: what is none is left out. Times come out as we write them. */
export function decodeHeard(health: Readonly<Record<string, unknown>>): Pick<HeardCollar, 'collar' | 'lastHeard'>[] {
  const items: readonly unknown[] = Array.isArray(health.collars) ? health.collars.slice(0, MAX_HEARD_COLLARS) : [];
  return items.flatMap((item) => {
    const { collar, lastHeard } = (typeof item === 'object' && item !== null ? item : {}) as Record<string, unknown>;
    if (typeof collar !== 'string' || collar === '' || collar.length > MAX_COLLAR_CHARACTERS) return [];
    if (typeof lastHeard !== 'string' || !/^\d{4}-\d\d-\d\dT/.test(lastHeard)) return [];
    const atMs = Date.parse(lastHeard);
    const time = Number.isNaN(atMs) ? '' : new Date(atMs).toISOString();
    // In UTC it may be the year 10000, which is longer than times are.
    return time.length === 24 ? [{ collar, lastHeard: time }] : [];
  });
}

/** A JSON object of at most `maxBytes` and MAX_DEPTH, or null: for health and requests, which central keeps as they came. */
export function parseObject(payload: Uint8Array, maxBytes = 256 * 1024): Record<string, unknown> | null {
  if (payload.byteLength > maxBytes) return null;
  const value = parseJson(payload);
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isEpoch(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(value);
}
