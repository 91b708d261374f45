/** Places in the store's orders as text for clients: safe in a URL, strict when read. */
import { SHARDS } from '../../contract/topic.ts';
import type { Cursor } from './store.ts';

/** A place in the order of time, newest first. */
export interface TimePlace {
  readonly time: string;
  readonly epochNo: number;
  readonly seq: number;
}

/** `p17-400.33-12`: after number 400 of shard 17 and 12 of shard 33; `p` alone is the beginning. */
export function encodeCursor(cursor: Cursor): string {
  const parts = [...cursor].sort(([a], [b]) => a - b).map(([shard, number]) => `${shard}-${number}`);
  return `p${parts.join('.')}`;
}

/** `0` is the beginning too, for whoever expects a number. Throws with code `BAD_CURSOR` where the text is none of ours. */
export function decodeCursor(text: string): Cursor {
  if (text === '0') return new Map();
  if (!/^p(\d{1,2}-\d{1,15}(\.\d{1,2}-\d{1,15}){0,63})?$/.test(text)) throw noCursor(text);
  const cursor = new Map<number, number>();
  for (const part of text.length === 1 ? [] : text.slice(1).split('.')) {
    const [shard = -1, number = -1] = part.split('-').map(Number);
    if (shard >= SHARDS || cursor.has(shard)) throw noCursor(text);
    cursor.set(shard, number);
  }
  return cursor;
}

/** Throws with code `BAD_CURSOR` where a place is ahead of the `ends` of its shards: nothing that comes up to there would ever be given. */
export function refuseAhead(cursor: Cursor, ends: Cursor): void {
  for (const [shard, number] of cursor) {
    if (number <= (ends.get(shard) ?? 0)) continue;
    const text = `the cursor is ahead of shard ${shard}: it is of another store, or of this one before it was put back`;
    throw badCursor(`${text}. Begin without a cursor`);
  }
}

export function comparePlaces(a: TimePlace, b: TimePlace): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  return a.epochNo - b.epochNo || a.seq - b.seq;
}

/** `t2026-11-23T06-14-09-842Z.3.18231`: what follows is older. */
export function encodeTimePlace(place: TimePlace): string {
  return `t${place.time.replaceAll(/[:.]/g, '-')}.${place.epochNo}.${place.seq}`;
}

/** Throws with code `BAD_CURSOR` where the text is none of ours. */
export function decodeTimePlace(text: string): TimePlace {
  const match = /^t(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d)-(\d{3}Z)\.(\d{1,15})\.(\d{1,15})$/.exec(text);
  if (match === null) throw noCursor(text);
  const [, hour, minute, second, rest, epochNo, seq] = match;
  return { time: `${hour}:${minute}:${second}.${rest}`, epochNo: Number(epochNo), seq: Number(seq) };
}

function noCursor(text: string): Error {
  return badCursor(`"${text.slice(0, 80)}" is no cursor`);
}

function badCursor(message: string): Error {
  return Object.assign(new Error(message), { code: 'BAD_CURSOR' });
}
