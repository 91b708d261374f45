/**
 * Brings stored bodies of older versions up to the one that this program reads: pure functions, chained v1 → v2 → ….
 * Nothing that is stored is ever changed: an event is brought up each time that it is read.
 */
import { type EventData, type EventType, fullType, type StoredEvent, WRITTEN_VERSIONS } from './event.ts';

export type Body = Readonly<Record<string, unknown>>;

/** What an event says, typed, for folds. */
export type UpcastEvent = {
  [T in EventType]: { readonly type: T; readonly data: EventData[T] };
}[EventType];

/** What of an event is looked at. */
export type Upcastable = Pick<StoredEvent, 'type' | 'version' | 'data'>;

export type Upcast =
  | { readonly type: 'known'; readonly event: UpcastEvent }
  | { readonly type: 'unknown'; readonly reason: string };

/** What a program that reads one type knows of it. Its newest version is one more than it has steps. */
export interface TypeReader {
  /** What must hold of a body of the newest version before a fold may trust its type. */
  readonly shape: (body: Body) => boolean;
  /** At index n - 1: from version n to n + 1. Each knows its two versions only and is never changed again. */
  readonly steps: readonly ((body: Body) => Body)[];
}

type Check = TypeReader['shape'];
const text: (key: string) => Check = (key) => (body) => typeof body[key] === 'string';
const number: (key: string) => Check = (key) => (body) => typeof body[key] === 'number';
const maybe: (key: string, type: 'string' | 'number') => Check = (key, type) => (body) =>
  body[key] === null || body[key] === undefined || typeof body[key] === type;
const decided = maybe('detector', 'string');
const flag: (key: string) => Check = (key) => (body) => body[key] === undefined || body[key] === true;
const v1: (...checks: Check[]) => TypeReader = (...checks) => ({
  shape: (body) => checks.every((check) => check(body)),
  steps: [],
});

const readers: { readonly [T in EventType]: TypeReader } = {
  'cat.named': v1(number('catId'), maybe('oldName', 'string'), text('newName')),
  'collar.assigned': v1(number('catId'), text('collar')),
  'cat.moved': v1(
    maybe('from', 'string'),
    text('to'),
    maybe('confidence', 'number'),
    maybe('catId', 'number'),
    decided,
  ),
  'collar.sighted': v1(
    text('place'),
    maybe('sensor', 'string'),
    maybe('rssi', 'number'),
    maybe('forMs', 'number'),
    flag('motion'),
  ),
  'meow.started': v1(number('level'), decided),
  'meow.ended': v1(number('durationMs'), number('peakG'), number('readings'), maybe('place', 'string'), decided),
  'collar.silent': v1(text('lastSeen'), decided),
  'collar.heard': v1(text('lastSeen'), decided),
  'battery.low': v1(number('percent'), decided),
  'sensor.failed': v1(text('source'), text('reason')),
  'sensor.recovered': v1(text('source'), text('reason')),
  'clock.synced': v1(text('boot'), number('offsetMs')),
  'history.lost': v1(text('epoch'), number('fromSeq'), number('toSeq'), number('count'), text('reason')),
  'history.conflict': v1(text('epoch'), number('seq'), text('reason')),
  'alert.raised': v1(number('catId'), text('rule'), text('key'), text('text')),
  'alert.cleared': v1(number('catId'), text('rule'), text('key'), text('text')),
  'event.revoked': v1(text('epoch'), number('seq'), text('reason')),
  'event.reassigned': v1(text('epoch'), number('seq'), number('catId'), text('reason')),
};

/** By the full type. A stranger's type is not ours, even where it has the short name of one of ours. */
const known: ReadonlyMap<string, { readonly type: EventType; readonly reader: TypeReader }> = new Map(
  (Object.keys(readers) as EventType[]).map((type) => [fullType(type), { type, reader: readers[type] }]),
);

/** What this program can do with a stored version of a type. */
export type Readable = 'current' | 'older' | 'newer' | 'unknown';

/** By type and version alone; a body may still have another shape. Takes the full type, as it is stored. */
export function readable(type: string, version: number): Readable {
  const ours = known.get(type);
  if (ours === undefined) return 'unknown';
  const newest = WRITTEN_VERSIONS[ours.type];
  if (version === newest) return 'current';
  return version < newest ? 'older' : 'newer';
}

/** The event as a fold reads it, or why no fold may: an unknown type, a newer version, a body of another shape. */
export function upcast(event: Upcastable): Upcast {
  const ours = known.get(event.type);
  if (ours === undefined) return { type: 'unknown', reason: `type ${event.type} is not known` };
  const body = upcastBody(ours.reader, event.version, event.data);
  if (body === 'newer') return { type: 'unknown', reason: `version ${event.version} of ${event.type} is newer` };
  if (body === 'misshapen') return { type: 'unknown', reason: `data of ${event.type} has another shape` };
  return { type: 'known', event: { type: ours.type, data: body } as unknown as UpcastEvent };
}

/** The body in the newest version that `reader` knows. `data` is the compact JSON that is stored. */
export function upcastBody(reader: TypeReader, version: number, data: string): Body | 'newer' | 'misshapen' {
  if (version > reader.steps.length + 1) return 'newer';
  let body: unknown;
  try {
    body = JSON.parse(data);
    for (const step of reader.steps.slice(version - 1)) body = step(body as Body);
  } catch {
    // Whatever a stranger wrote there, it is not what that version was.
    return 'misshapen';
  }
  return typeof body === 'object' && body !== null && reader.shape(body as Body) ? (body as Body) : 'misshapen';
}
