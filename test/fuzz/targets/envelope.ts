/**
 * Batches of events, and single ones on their way into the log. What is read is written and read again unchanged, and can be
 * hashed, upcast and folded; what the log takes, central takes.
 * The first byte of an input tells which: a batch as it comes, or an event to be stored.
 */
import { whyNotStorable } from '../../../src/agent/log/rows.ts';
import { foldEvents } from '../../../src/central/models/fold.ts';
import { chainHex, chainOver, chainStart } from '../../../src/contract/chain.ts';
import {
  type DecodedBatch,
  decodeBatch,
  decodeEvent,
  encodeBatch,
  encodeEvent,
  MAX_BATCH_EVENTS,
} from '../../../src/contract/envelope.ts';
import type { NewEvent, StoredEvent } from '../../../src/contract/event.ts';
import { sortBatch } from '../../../src/contract/sorted-batch.ts';
import { upcast } from '../../../src/contract/upcast.ts';
import { bytes, type FuzzTarget, hold } from '../target.ts';
import { CHAIN, EPOCH } from './message.ts';

const TIME = '2026-11-23T06:14:09.842Z';

export function open(): FuzzTarget {
  const batch = (events: readonly Partial<StoredEvent>[]) => {
    const run = events.map((event, i): StoredEvent => ({ ...meow, ...event, seq: i + 1 }));
    return bytes(`b${encodeBatch({ agent: 'porch', events: run, chain: chainOver(chainStart('porch', EPOCH), run) })}`);
  };
  const last = Number.MAX_SAFE_INTEGER;
  const kinds: Partial<StoredEvent>[] = [
    { type: 'collard.cat.named', subject: 'cat/1', data: '{"catId":1,"oldName":null,"newName":"Mia"}' },
    { type: 'collard.collar.assigned', subject: 'cat/1', data: '{"catId":1,"collar":"C0FFEE01"}' },
    { type: 'collard.cat.moved', data: '{"from":null,"to":"hall","confidence":0.5}' },
    { type: 'collard.battery.low', data: '{"percent":14}' },
    {
      type: 'collard.clock.synced',
      subject: null,
      clock: 'unsynced',
      boot: 'b7',
      monoMs: 12.5,
      data: '{"boot":"b7","offsetMs":-12}',
    },
    { type: 'org.example.purr', version: 7, data: '{"1":-0,"a":{"b":[1,2]},"__proto__":1}' },
  ];
  return {
    seeds: [
      batch([{}]),
      batch([{}, { time: 'noon' }, {}]),
      batch(kinds),
      bytes(`b[${encodeEvent('porch', { ...meow, seq: last })},null]`),
      ...kinds.map((kind) => bytes(`e${encodeEvent('porch', { ...meow, ...kind })}`)),
    ],
    words: [
      '"data":',
      '"time":',
      '"seq":',
      '"epoch":',
      '"source":',
      '"subject":',
      '"boot":',
      '"monoMs":',
      '\\ud800',
      TIME,
      EPOCH,
      CHAIN,
    ],
    maxBytes: 4_096,
    usualBytes: 1_000,
    run(input) {
      if (input[0] === 0x65) storable(input.subarray(1));
      else readable(input.subarray(1));
    },
  };
}

const meow: StoredEvent = {
  epoch: EPOCH,
  seq: 1,
  type: 'collard.meow.ended',
  version: 1,
  subject: 'collar/C0FFEE01',
  time: TIME,
  clock: 'synced',
  boot: null,
  monoMs: null,
  data: '{"durationMs":430,"peakG":1.84,"readings":17,"place":"kitchen"}',
};

function readable(payload: Uint8Array): void {
  const decoded = decodeBatch(payload);
  sortable(payload, decoded);
  if (!decoded.ok) {
    hold(decoded.reason.length < 1_000, () => `a reason of ${decoded.reason.length} characters`);
    return;
  }
  const { batch } = decoded;
  hold(batch.events.length > 0 && batch.events.length <= MAX_BATCH_EVENTS, () => `${batch.events.length} events`);
  const again = decodeBatch(bytes(encodeBatch(batch)));
  hold(
    JSON.stringify(again) === JSON.stringify(decoded),
    () => `written and read again it is ${JSON.stringify(again)}`,
  );
  const start = chainStart(batch.agent, batch.events[0]?.epoch ?? '');
  hold(chainHex(chainOver(start, batch.events)).length === 64, () => 'no chain');
  for (const event of batch.events) {
    const texts = [event.type, event.subject ?? '', event.boot ?? '', event.data];
    hold(
      texts.every((text) => text.isWellFormed()),
      () => 'text that no store gives back as it was',
    );
    known(event);
  }
  const events = batch.events.map((event, i) => ({
    ...event,
    agent: batch.agent,
    shard: 0,
    arrival: i,
    position: i,
    revoked: false,
    reassignedTo: null,
    correction: null,
  }));
  foldEvents(events);
}

/** With bad items told from good ones: each item is one of both, with a number of its own. */
function sortable(payload: Uint8Array, whole: DecodedBatch): void {
  const sorted = sortBatch(payload);
  if (!sorted.ok) {
    hold(!whole.ok, () => `a sound batch is refused: ${sorted.reason}`);
    return;
  }
  const { events, bad, chained, agent } = sorted.batch;
  if (whole.ok)
    hold(bad.length === 0 && events.length === whole.batch.events.length, () => 'a sound batch has bad items');
  const items = JSON.parse(Buffer.from(payload).toString('utf8')) as unknown[];
  hold(items.length === events.length + bad.length, () => `${items.length} items: ${events.length} and ${bad.length}`);
  const seqs = [...events, ...bad].map(({ seq }) => seq).sort((a, b) => a - b);
  const first = seqs[0] ?? 0;
  hold(
    seqs.every((seq, i) => seq === first + i && Number.isSafeInteger(seq) && seq > 0),
    () => `numbers ${seqs.join()}`,
  );
  hold(new Set([...events, ...bad].map(({ epoch }) => epoch)).size === 1, () => 'not one epoch');
  hold(agent.length > 0 && agent.length <= 64, () => `an agent of ${agent.length} characters`);
  for (const { reason, text } of bad) {
    hold(reason.length > 0 && reason.length < 1_000, () => `a reason of ${reason.length} characters`);
    hold(JSON.stringify(JSON.parse(text)) === text, () => 'a bad item that does not come back');
  }
  if (chained === null) return;
  hold(chained.length === items.length, () => `${chained.length} of ${items.length} are hashed`);
  hold(chainOver(chainStart(agent, ''), chained).length === 32, () => 'no chain');
}

function known(event: StoredEvent): void {
  const { type } = upcast(event);
  hold(type === 'known' || type === 'unknown', () => 'upcast says neither');
}

/** The event in the input as somebody might hand it to the log, with the types that TypeScript asks for. */
function storable(input: Uint8Array): void {
  const event = newEventOf(Buffer.from(input).toString('utf8'));
  if (event === null || whyNotStorable(event) !== null) return;
  const stored: StoredEvent = { epoch: EPOCH, seq: 3, ...event };
  const decoded = decodeEvent(JSON.parse(encodeEvent('porch', stored)));
  hold(typeof decoded !== 'string', () => `the log takes what central refuses: ${decoded}`);
  const fields = (one: StoredEvent) => JSON.stringify(Object.entries(one).sort());
  hold(fields(decoded as StoredEvent) === fields(stored), () => `central reads ${JSON.stringify(decoded)}`);
  known(stored);
}

function newEventOf(text: string): NewEvent | null {
  let item: Record<string, unknown>;
  try {
    item = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
  if (typeof item !== 'object' || item === null) return null;
  const { type, subject, time, clock, boot, monoMs, data, seq } = item;
  const textOr = <T>(value: unknown, other: T) => (typeof value === 'string' ? value : other);
  return {
    type: textOr(type, ''),
    version: typeof seq === 'number' ? seq : 1,
    subject: textOr(subject, null),
    time: textOr(time, TIME),
    clock: clock === 'unsynced' ? 'unsynced' : 'synced',
    boot: textOr(boot, null),
    monoMs: typeof monoMs === 'number' ? monoMs : null,
    data: typeof data === 'string' ? data : (JSON.stringify(data) ?? ''),
  };
}
