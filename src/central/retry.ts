/** Takes a message from quarantine in again, as if it came now: after an update of central, or of who may write what. */
import { decodeEvent, sourceOf } from '../contract/envelope.ts';
import { parseJson } from '../contract/json.ts';
import type { Retried } from './api/parts.ts';
import type { KeptMessage, QuarantineStore } from './store/kept.ts';
import type { IngestResult, IngestStore } from './store/store.ts';
import { decodeIncoming } from './subscriber/message.ts';
import type { Trust } from './trust.ts';

export interface RetryParts {
  readonly store: IngestStore & QuarantineStore;
  readonly base: string;
  /** What was not believed then is believed now only where a key says so. */
  readonly trust?: Trust;
  readonly clock: () => Date;
  readonly ingested: (result: IngestResult) => void;
  /** After a commit that others may want to see. */
  readonly changed: () => void;
}

/** Null: there is no such message. Rejects with what the store rejects with, apart from REFUSED. */
export async function retry(parts: RetryParts, no: number): Promise<Retried | null> {
  const { store } = parts;
  const message = await store.quarantinedMessage(no);
  if (message === null) return null;
  const now = parts.clock().toISOString();
  const outcome = await takeIn(parts, message, now);
  if (typeof outcome === 'string') {
    await store.stillRefused(no, outcome, now);
    return { ok: false, reason: outcome };
  }
  const reason = await whyItStays(store, message, outcome);
  // A crash in between leaves it here: tried once more, all of it is known.
  if (reason === null) await store.dropQuarantined(no);
  else await store.stillRefused(no, reason, now);
  // Of a batch that stays some may be stored.
  parts.ingested(outcome);
  parts.changed();
  const { inserted, duplicates, conflicts } = outcome;
  return reason === null ? { ok: true, inserted, duplicates, conflicts } : { ok: false, reason };
}

/** Null: all of it is kept elsewhere. */
async function whyItStays(
  store: QuarantineStore,
  { no, kind }: KeptMessage,
  { unkept }: IngestResult,
): Promise<string | null> {
  const what = 'export it before you drop it';
  if (unkept > 0) return `${unkept} of its numbers belong to other events, and no more conflicts are kept: ${what}`;
  if (kind !== 'rejected' || !(await store.isOnlyCopy(no))) return null;
  return `the events around its place are sealed in a segment, which takes no more: ${what}`;
}

/** A text is the reason why not. */
async function takeIn(
  { store, base, trust }: RetryParts,
  message: KeptMessage,
  now: string,
): Promise<IngestResult | string> {
  if (message.kind === 'rejected') return takeInOne(store, message, now);
  const decoded = decodeIncoming(base, message);
  const received = trust === undefined ? decoded : await trust.admit(decoded);
  if (received.type === 'doubted') return received.reason;
  if (received.type === 'unreadable') return received.reason;
  if (received.type !== 'batch') return 'it holds no events, and what it says of then is of no use now: drop it';
  try {
    return await store.ingest(received.batch, now);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'REFUSED') return error.message;
    throw error;
  }
}

/** One event, into the place that it has left empty. Its batch was believed when it came. */
async function takeInOne(store: IngestStore, message: KeptMessage, now: string): Promise<IngestResult | string> {
  const { agent, place, payload } = message;
  const item = parseJson(payload);
  if (item === undefined) return 'too little of it is left to be read';
  const event = decodeEvent(item);
  if (typeof event === 'string') return event;
  if (sourceOf(item) !== agent) return 'source is not one agent';
  if (event.epoch !== place?.epoch || event.seq !== place.seq) return 'it bears another number than its place';
  return store.ingest({ agent, events: [event], chain: null }, now);
}
