/**
 * CloudEvents 1.0 in structured JSON, both directions. On the wire always a JSON array of 1..N events of one epoch with
 * consecutive `seq`; the last one carries `chain` and, where the agent signs, its proof. Limits are those of the topic contract.
 */
import { type ChainHash, chainHex, parseChainHex } from './chain.ts';
import type { StoredEvent } from './event.ts';
import { parseJson } from './json.ts';
import { type BatchProof, decodeBatchProof, encodeBatchProof } from './signature.ts';

export const MAX_BATCH_EVENTS = 500;
export const MAX_BATCH_BYTES = 256 * 1024;
/** The longest compact `data` of one event. */
export const MAX_DATA_BYTES = 64 * 1024;

export interface EventBatch {
  readonly agent: string;
  readonly events: readonly StoredEvent[];
  /** chain at the last event. */
  readonly chain: ChainHash;
  /** Who wrote it, where that can be read; what it proves says `signature.ts`. */
  readonly proof?: BatchProof;
}

/** What the last event of a batch carries besides. */
export type BatchEnd = Pick<EventBatch, 'chain' | 'proof'>;

export type DecodedBatch =
  | { readonly ok: true; readonly batch: EventBatch }
  | { readonly ok: false; readonly reason: string };

/** One event as a CloudEvent in compact JSON text. */
export function encodeEvent(agent: string, event: StoredEvent, end?: BatchEnd): string {
  return eventEncoder(agent)(event, end);
}

/**
 * Events of an agent, each as `encodeEvent` gives it. Put together by hand: an object of so many fields costs more than its text. What an
 * event has in common with the one before it is quoted once.
 */
export function eventEncoder(agent: string): (event: StoredEvent, end?: BatchEnd) => string {
  const source = quoted(`/collard/agent/${agent}`);
  let before: Pick<StoredEvent, 'epoch' | 'type' | 'version'> | null = null;
  let [head, kind, schema] = ['', '', ''];
  return (event, end) => {
    const { epoch, seq, type, version, subject, time, clock, boot, monoMs, data } = event;
    if (before === null || before.epoch !== epoch || before.type !== type || before.version !== version) {
      const name = quoted(epoch).slice(1, -1);
      head = `{"specversion":"1.0","id":"${name}/`;
      kind = `","source":${source},"type":${quoted(type)},`;
      schema = `,"dataschema":${quoted(schemaOf(event))},"epoch":"${name}","seq":`;
      before = { epoch, type, version };
    }
    const about = subject === null ? '"time":' : `"subject":${quoted(subject)},"time":`;
    const text = `${head}${seq}${kind}${about}${quoted(time)}${schema}${seq},"clock":"${clock}"`;
    const ofBoot = boot === null ? text : `${text},"boot":${quoted(boot)}`;
    const since = monoMs === null ? ofBoot : `${ofBoot},"monoMs":${JSON.stringify(monoMs)}`;
    return `${since}${end === undefined ? '' : encodeEnd(end)},"data":${data}}`;
  };
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function encodeEnd({ chain, proof }: BatchEnd): string {
  return `,${JSON.stringify({ chain: chainHex(chain), ...(proof === undefined ? {} : encodeBatchProof(proof)) }).slice(1, -1)}`;
}

/**
 * One event for readers that know CloudEvents, and not us: names of attributes are lower-case letters and digits, numbers among
 * them are integers of 32 bits, no text is empty, and `dataschema` is a URI whatever a stranger calls his type. Agents and central
 * speak as `encodeEvent` does.
 */
export function encodeCloudEvent(agent: string, event: StoredEvent): string {
  const { subject, monoMs } = event;
  const text = encodeEvent(agent, { ...event, subject: subject === '' ? null : subject, monoMs: null });
  const schema = JSON.stringify(schemaOf(event));
  const uri = JSON.stringify(encodeURI(schemaOf(event)));
  const named = uri === schema ? text : text.replace(`"dataschema":${schema}`, () => `"dataschema":${uri}`);
  return monoMs === null ? named : `{"monoms":${JSON.stringify(String(monoMs))},${named.slice(1)}`;
}

function schemaOf({ type, version }: Pick<StoredEvent, 'type' | 'version'>): string {
  return `urn:${type.replace(/^collard\./, 'collard:')}:${version}`;
}

/**
 * The payload of `events` and `backlog`. The caller keeps to the limits. `texts`: each event as `encodeEvent` gives it, by whoever has
 * needed them already.
 */
export function encodeBatch(batch: EventBatch, texts?: readonly string[]): string {
  const { agent, events } = batch;
  const encode = eventEncoder(agent);
  const all = texts?.slice(0, -1) ?? events.slice(0, -1).map((event) => encode(event));
  const last = events.at(-1);
  if (last !== undefined) all.push(encode(last, batch));
  return `[${all.join(',')}]`;
}

/** Reads a stranger's payload. Unknown types, newer versions and further attributes pass; a broken rule names itself. */
export function decodeBatch(payload: Uint8Array): DecodedBatch {
  const items = decodeItems(payload);
  if (typeof items === 'string') return bad(items);
  const events: StoredEvent[] = [];
  let agent = '';
  let chain: ChainHash | null = null;
  let proof: BatchProof | null = null;
  for (const [index, item] of items.entries()) {
    const event = decodeEvent(item);
    if (typeof event === 'string') return bad(`event ${index}: ${event}`);
    const name = sourceOf(item);
    if (name === '' || (agent !== '' && name !== agent)) return bad(`event ${index}: source is not one agent`);
    agent = name;
    const before = events.at(-1);
    if (before !== undefined && (event.epoch !== before.epoch || event.seq !== before.seq + 1)) {
      return bad(`event ${index}: ${event.epoch}/${event.seq} does not follow ${before.epoch}/${before.seq}`);
    }
    events.push(event);
    if (index === items.length - 1) {
      chain = parseChainHex((item as Record<string, unknown>).chain);
      proof = decodeBatchProof(item as Record<string, unknown>);
    }
  }
  if (chain === null) return bad('the last event carries no chain');
  return { ok: true, batch: { agent, events, chain, ...(proof === null ? {} : { proof }) } };
}

/** The items of a batch, whatever they are; or why it is no array of them. */
export function decodeItems(payload: Uint8Array): readonly unknown[] | string {
  if (payload.byteLength > 4 * MAX_BATCH_BYTES) return `payload of ${payload.byteLength} bytes is too large`;
  const items = parseJson(payload);
  if (items === undefined) return 'payload is not JSON in UTF-8, or nested too deeply';
  if (!Array.isArray(items) || items.length === 0) return 'payload is not an array of events';
  if (items.length > MAX_BATCH_EVENTS) return `${items.length} events, at most ${MAX_BATCH_EVENTS} are allowed`;
  return items;
}

/** The agent that an item names as its source; '' where it names none. */
export function sourceOf(item: unknown): string {
  const source = typeof item === 'object' && item !== null && 'source' in item ? item.source : null;
  return typeof source === 'string' ? (/^\/collard\/agent\/([^/]{1,64})$/.exec(source)?.[1] ?? '') : '';
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const MAX_VERSION = 999_999;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** One CloudEvent of ours, or why it is none. */
export function decodeEvent(item: unknown): StoredEvent | string {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return 'not an object';
  const e = item as Record<string, unknown>;
  if (e.specversion !== '1.0') return 'specversion is not "1.0"';
  const { epoch, seq, type, subject = null, time, dataschema, clock, boot = null, monoMs = null, data } = e;
  if (typeof epoch !== 'string' || !UUID.test(epoch)) return 'epoch is not a UUID';
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1) return 'seq is not a whole number from 1';
  if (e.id !== `${epoch}/${seq}`) return 'id is not epoch/seq';
  const version = typeof dataschema === 'string' ? Number(/:(\d{1,6})$/.exec(dataschema)?.[1]) : Number.NaN;
  const head = { type, subject, time, version, clock, boot, monoMs };
  const reason = whyNoHead(head);
  if (reason !== null) return reason;
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return 'data is not an object';
  const text = JSON.stringify(data);
  if (text.length > MAX_DATA_BYTES) return `data of ${text.length} characters is too long`;
  return { epoch, seq, ...(head as EventHead), data: text };
}

/** What an event says besides its number and its data. */
export type EventHead = Omit<StoredEvent, 'epoch' | 'seq' | 'data'>;

/** Why a store would not take it, or null: then it is an `EventHead`. */
export function whyNoHead(head: { readonly [K in keyof EventHead]: unknown }): string | null {
  const { type, subject, time, version, clock, boot, monoMs } = head;
  if (typeof type !== 'string' || type.length === 0 || type.length > 128)
    return 'type is not a text of 1 to 128 characters';
  if (subject !== null && (typeof subject !== 'string' || subject.length > 256))
    return 'subject is not a text of up to 256 characters';
  if (typeof time !== 'string' || !TIME.test(time) || Number.isNaN(Date.parse(time)))
    return 'time is not RFC 3339 in UTC with milliseconds';
  if (!Number.isInteger(version) || Number(version) < 1 || Number(version) > MAX_VERSION)
    return 'dataschema does not end in :version';
  if (clock !== 'synced' && clock !== 'unsynced') return 'clock is neither synced nor unsynced';
  if (boot !== null && (typeof boot !== 'string' || boot.length > 64))
    return 'boot is not a text of up to 64 characters';
  if (monoMs !== null && (typeof monoMs !== 'number' || !Number.isFinite(monoMs))) return 'monoMs is not a number';
  // A store would give back other text, and with it another chain. In `data` JSON has escaped it.
  if (!type.isWellFormed() || subject?.isWellFormed() === false || boot?.isWellFormed() === false)
    return 'type, subject or boot is not well-formed Unicode';
  return null;
}

/** The number that an item bears by its epoch, seq and id together; null where they tell none. */
export function placeOf(item: unknown): { readonly epoch: string; readonly seq: number } | null {
  const { epoch, seq, id } = (typeof item === 'object' && item !== null ? item : {}) as Record<string, unknown>;
  if (typeof epoch !== 'string' || !UUID.test(epoch)) return null;
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1 || id !== `${epoch}/${seq}`) return null;
  return { epoch, seq };
}

function bad(reason: string): DecodedBatch {
  return { ok: false, reason };
}
