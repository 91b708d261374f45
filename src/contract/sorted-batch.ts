/**
 * A batch of which some items are no events of ours: the good ones are told from the bad. A bad item has its place from its
 * neighbours, so that it can be put aside as just this number, and stops neither what comes before nor what comes after it.
 */
import { type ChainHash, parseChainHex } from './chain.ts';
import { decodeBatch, decodeEvent, decodeItems, encodeEvent, placeOf, sourceOf } from './envelope.ts';
import type { StoredEvent } from './event.ts';
import { unpack } from './packed.ts';
import { type BatchProof, decodeBatchProof } from './signature.ts';

export interface BadItem {
  readonly epoch: string;
  readonly seq: number;
  readonly reason: string;
  /** The item in compact JSON. */
  readonly text: string;
}

export interface SortedBatch {
  readonly agent: string;
  /** In order; bad items leave holes. Empty where all are bad. */
  readonly events: readonly StoredEvent[];
  /** In order. Empty in a batch that is sound. */
  readonly bad: readonly BadItem[];
  /** chain at the last item; null where it is a bad one without. */
  readonly chain: ChainHash | null;
  readonly proof?: BatchProof;
  /**
   * All items as far as they can be read, to be hashed and for nothing else. Null where one is no event at all, or is spoilt only
   * outside of what is hashed: then others than its agent may have done it.
   */
  readonly chained: readonly StoredEvent[] | null;
}

export type Sorted =
  | { readonly ok: true; readonly batch: SortedBatch }
  | { readonly ok: false; readonly reason: string };

/** Reads a stranger's payload. Not ok: it has no frame in which each item would have its number. */
export function sortBatch(bytes: Uint8Array): Sorted {
  const payload = unpack(bytes);
  if (payload === null) return { ok: false, reason: 'payload is broken gzip, or too large when it is unpacked' };
  const whole = decodeBatch(payload);
  if (whole.ok) return { ok: true, batch: { ...whole.batch, bad: [], chained: whole.batch.events } };
  const items = decodeItems(payload);
  const frame = typeof items === 'string' ? null : frameOf(items);
  if (typeof items === 'string' || frame === null) return whole;
  const events: StoredEvent[] = [];
  const bad: BadItem[] = [];
  for (const [index, item] of items.entries()) {
    const [epoch, seq] = [frame.epoch, frame.first + index];
    const event = decodeEvent(item);
    const put = (reason: string) => bad.push({ epoch, seq, reason, text: JSON.stringify(item) });
    if (typeof event === 'string') put(event);
    else if (sourceOf(item) !== frame.agent) put('source is not one agent');
    else events.push(event);
  }
  // The frame is sound and so is every item: it lacks the chain, which is no fault of one event.
  if (bad.length === 0) return whole;
  const end = asObject(items.at(-1));
  const proof = decodeBatchProof(end);
  const spoilt = new Set(bad.map(({ seq }) => seq));
  const chained = items.map((item, index) => {
    const event = hashable(item, frame.epoch, frame.first + index);
    if (event === null || !spoilt.has(event.seq)) return event;
    return typeof decodeEvent(JSON.parse(encodeEvent(frame.agent, event))) === 'string' ? event : null;
  });
  return {
    ok: true,
    batch: {
      agent: frame.agent,
      events,
      bad,
      chain: parseChainHex(end.chain),
      ...(proof === null ? {} : { proof }),
      chained: chained.some((event) => event === null) ? null : (chained as StoredEvent[]),
    },
  };
}

interface Frame {
  readonly agent: string;
  readonly epoch: string;
  /** seq of the first item. */
  readonly first: number;
}

/** What all items agree on that tell their agent and number; null where they do not, or none tells. */
function frameOf(items: readonly unknown[]): Frame | null {
  let frame: Frame | null = null;
  for (const [index, item] of items.entries()) {
    const [place, agent] = [placeOf(item), sourceOf(item)];
    if (place === null || agent === '') continue;
    const { epoch, seq } = place;
    frame ??= { agent, epoch, first: seq - index };
    if (frame.agent !== agent || frame.epoch !== epoch || frame.first !== seq - index) return null;
  }
  const most = Number.MAX_SAFE_INTEGER - (items.length - 1);
  return frame === null || frame.first < 1 || frame.first > most ? null : frame;
}

/** The fields that go into the chain, with whatever they hold; null where one could be no part of an event. */
function hashable(item: unknown, epoch: string, seq: number): StoredEvent | null {
  const { type, subject = null, time, dataschema, clock, boot = null, monoMs = null, data } = asObject(item);
  const version = typeof dataschema === 'string' ? Number(/:(\d{1,6})$/.exec(dataschema)?.[1]) : Number.NaN;
  const texts = [type, time, clock, subject ?? '', boot ?? ''].every((value) => typeof value === 'string');
  const isData = typeof data === 'object' && data !== null && !Array.isArray(data);
  if (!texts || !isData || Number.isNaN(version) || (monoMs !== null && typeof monoMs !== 'number')) return null;
  const fields = { epoch, seq, type, version, subject, time, clock, boot, monoMs, data: JSON.stringify(data) };
  return fields as StoredEvent;
}

function asObject(item: unknown): Readonly<Record<string, unknown>> {
  return typeof item === 'object' && item !== null ? (item as Record<string, unknown>) : {};
}
