/** Brings stored bodies of older versions up to the one that this program reads: pure functions, chained v1 → v2 → …. */
import { type EventData, type EventType, type StoredEvent, shortType, WRITTEN_VERSION } from './event.ts';

type Body = Readonly<Record<string, unknown>>;

/** An event with typed data, for folds. */
export type UpcastEvent = {
  [T in EventType]: Omit<StoredEvent, 'type' | 'data' | 'version'> & { readonly type: T; readonly data: EventData[T] };
}[EventType];

export type Upcast =
  | { readonly type: 'known'; readonly event: UpcastEvent }
  | { readonly type: 'unknown'; readonly reason: string };

type Check = (body: Body) => boolean;
const text: (key: string) => Check = (key) => (body) => typeof body[key] === 'string';
const number: (key: string) => Check = (key) => (body) => typeof body[key] === 'number';
const maybe: (key: string, type: 'string' | 'number') => Check = (key, type) => (body) =>
  body[key] === null || body[key] === undefined || typeof body[key] === type;
const all: (...checks: Check[]) => Check =
  (...checks) =>
  (body) =>
    checks.every((check) => check(body));

/** What must hold of a body of the current version before a fold may trust its type. */
const shapes: { readonly [T in EventType]: Check } = {
  'cat.named': all(number('catId'), maybe('oldName', 'string'), text('newName')),
  'collar.assigned': all(number('catId'), text('collar')),
  'cat.moved': all(maybe('from', 'string'), text('to'), maybe('confidence', 'number'), maybe('catId', 'number')),
  'meow.started': number('level'),
  'meow.ended': all(number('durationMs'), number('peakG'), number('readings'), maybe('place', 'string')),
  'collar.silent': text('lastSeen'),
  'collar.heard': text('lastSeen'),
  'battery.low': number('percent'),
  'sensor.failed': all(text('source'), text('reason')),
  'sensor.recovered': all(text('source'), text('reason')),
  'clock.synced': all(text('boot'), number('offsetMs')),
  'history.lost': all(text('epoch'), number('fromSeq'), number('toSeq'), number('count'), text('reason')),
  'history.conflict': all(text('epoch'), number('seq'), text('reason')),
  'event.revoked': all(text('epoch'), number('seq'), text('reason')),
};

/** Steps from version n to n + 1 of a type, at index n - 1. Empty while every type is at version 1. */
const steps: { readonly [T in EventType]?: readonly ((body: Body) => Body)[] } = {};

/** The event as a fold reads it, or why no fold may: an unknown type, a newer version, a body of another shape. */
export function upcast(event: StoredEvent): Upcast {
  const type = shortType(event.type);
  if (!isEventType(type)) return { type: 'unknown', reason: `type ${event.type} is not known` };
  if (event.version > WRITTEN_VERSION)
    return { type: 'unknown', reason: `version ${event.version} of ${event.type} is newer` };
  let body = JSON.parse(event.data) as Body;
  for (const step of (steps[type] ?? []).slice(event.version - 1)) body = step(body);
  if (!shapes[type](body)) return { type: 'unknown', reason: `data of ${event.type} has another shape` };
  return { type: 'known', event: { ...event, type, data: body } as unknown as UpcastEvent };
}

function isEventType(type: string): type is EventType {
  return Object.hasOwn(shapes, type);
}
