/** What the cards held and what central holds, compared event by event after the nemesis has gone. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { openLogReader } from '../../src/agent/log/open-log-reader.ts';
import { chainHex } from '../../src/contract/chain.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { lostRanges } from '../../src/contract/lost.ts';
import { copyDatabase } from './copies.ts';
import { AGENT } from './house.ts';
import { unsound } from './oracle.ts';

const ALL = Number.MAX_SAFE_INTEGER;

/** epoch → seq → bodies: a card that was put back may have two events of one number. */
type Bodies = Map<string, Map<number, Set<string>>>;

export interface Card {
  readonly epochs: readonly { readonly epoch: string; readonly firstSeq: number; readonly lastSeq: number }[];
  readonly events: readonly StoredEvent[];
  /** chain at the end of each epoch. */
  readonly chains: ReadonlyMap<string, string>;
}

/** Reads a log that nobody has open, from a copy: reading it in place would recover it before the agent does. */
export async function readCard(path: string, scratch: string): Promise<Card> {
  mkdirSync(scratch, { recursive: true });
  const copy = join(scratch, 'card.db');
  copyDatabase(path, copy);
  const reader = openLogReader(copy);
  try {
    const epochs = reader.epochs();
    const chains = new Map<string, string>();
    const events: StoredEvent[] = [];
    for (const { epoch, firstSeq, lastSeq } of epochs) {
      events.push(...(await reader.read(epoch, firstSeq, lastSeq, ALL, ALL)));
      const chain = await reader.chainAt(epoch, lastSeq);
      if (chain !== null) chains.set(epoch, chainHex(chain));
    }
    return { epochs, events, chains };
  } finally {
    reader.close();
    rmSync(scratch, { recursive: true });
  }
}

export interface Held {
  readonly events: readonly StoredEvent[];
  /** Other bodies under a number that is taken: kept as evidence. */
  readonly conflicts: readonly StoredEvent[];
  readonly marks: ReadonlyMap<string, { readonly mark: number; readonly chain: string; readonly chainOk: boolean }>;
  /** Numbers of central's own order that are missing or given twice. */
  readonly disorder: string | null;
}

/** As they were received: of a clock that was set later central knows a better time. */
export const EVENTS = `SELECT epoch.epoch, seq, type, event.version, subject, coalesce(original_time, time) AS time, clock, boot,
  mono_ms AS "monoMs", data, arrival, position
  FROM event JOIN epoch ON epoch.no = event.epoch_no JOIN agent ON agent.no = epoch.agent_no WHERE agent.name = ? ORDER BY arrival`;

export const MARKS = 'SELECT epoch, mark, mark_chain AS chain, chain_ok AS ok FROM epoch';

export type EventRow = StoredEvent & { readonly arrival: number; readonly position: number | null };
export interface MarkRow {
  readonly epoch: string;
  readonly mark: number;
  readonly chain: string;
  readonly ok: number;
}

export function readStore(path: string): Held {
  const db = new Database(path, { readonly: true });
  try {
    const conflicts = db.prepare<[], { body: string }>('SELECT body FROM conflict').all();
    const marks = db.prepare<[], MarkRow>(MARKS).all();
    return heldOf(db.prepare<[string], EventRow>(EVENTS).all(AGENT), conflicts, marks);
  } finally {
    db.close();
  }
}

/** From the rows of any database. */
export function heldOf(
  events: readonly EventRow[],
  conflicts: readonly { readonly body: string }[],
  marks: readonly MarkRow[],
): Held {
  return {
    events,
    conflicts: conflicts.map(({ body }) => JSON.parse(body) as StoredEvent),
    marks: new Map(marks.map(({ epoch, mark, chain, ok }) => [epoch, { mark, chain, chainOk: ok === 1 }])),
    disorder: disorderOf(events),
  };
}

/** Events and conflicts that a store holds, also while central works. */
export function rowsIn(path: string): number {
  const db = new Database(path, { readonly: true });
  try {
    return Number(db.prepare('SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM conflict)').pluck().get());
  } finally {
    db.close();
  }
}

function disorderOf(rows: readonly { readonly arrival: number; readonly position: number | null }[]): string | null {
  const gapless = (numbers: readonly number[]) => numbers.every((n, i) => i === 0 || n === (numbers[i - 1] ?? 0) + 1);
  if (!gapless(rows.map(({ arrival }) => arrival))) return 'arrival numbers have gaps';
  const positions = rows.flatMap(({ position }) => position ?? []).sort((a, b) => a - b);
  return gapless(positions) ? null : 'positions have gaps or repeat';
}

function bodyOf(event: StoredEvent): string {
  const { type, version, subject, time, clock, boot, monoMs, data } = event;
  return JSON.stringify([type, version, subject, time, clock, boot, monoMs, data]);
}

function addTo(bodies: Bodies, event: StoredEvent): void {
  const seqs = bodies.get(event.epoch) ?? new Map<number, Set<string>>();
  bodies.set(event.epoch, seqs);
  const known = seqs.get(event.seq) ?? new Set<string>();
  seqs.set(event.seq, known.add(bodyOf(event)));
}

function has(bodies: Bodies, event: StoredEvent): boolean {
  return bodies.get(event.epoch)?.get(event.seq)?.has(bodyOf(event)) === true;
}

export interface Comparison {
  /** Events on the last card, or on one that was replaced. */
  readonly acked: number;
  readonly lost: number;
  readonly doubled: number;
  /** Kept by central as another event of a taken number. */
  readonly conflicting: number;
  /** On a card that was replaced, and nowhere else: no program can bring them back. */
  readonly gone: number;
  /** Of these, what a `history.lost` at central tells. */
  readonly told: number;
  readonly breach: string | null;
}

/** `replaced`: cards that are no more, each with the numbers that the card in its place knew. */
export interface Replaced {
  readonly card: Card;
  readonly knew: ReadonlyMap<string, number>;
}

/** `whole`: no card was replaced and no mark forged, so that nothing may conflict and one epoch is all. */
export function compareAll(card: Card, replaced: readonly Replaced[], held: Held, whole: boolean): Comparison {
  const stored: Bodies = new Map();
  const aside: Bodies = new Map();
  const known: Bodies = new Map();
  for (const event of held.events) addTo(stored, event);
  for (const event of held.conflicts) addTo(aside, event);
  for (const event of card.events) addTo(known, event);
  for (const before of replaced) for (const event of before.card.events) addTo(known, event);
  const tells = rangesOf(held.events);
  let [lost, gone, told, conflicting, acked] = [0, 0, 0, 0, card.events.length];
  let breach = held.disorder ?? (whole ? gapIn(card) : null);
  const miss = (event: StoredEvent, place: string) => {
    lost += 1;
    breach ??= `event ${event.seq} of epoch ${event.epoch} is on ${place} and not at central`;
  };
  for (const event of card.events) {
    if (has(stored, event)) continue;
    if (!whole && has(aside, event)) conflicting += 1;
    else miss(event, 'the card');
  }
  const seen = new Set(card.events.map((event) => `${event.epoch} ${event.seq} ${bodyOf(event)}`));
  for (const { card: before, knew } of replaced) {
    for (const event of before.events) {
      const key = `${event.epoch} ${event.seq} ${bodyOf(event)}`;
      if (seen.has(key)) continue;
      seen.add(key);
      acked += 1;
      if (has(stored, event)) continue;
      if (has(aside, event)) conflicting += 1;
      else if (event.seq > (knew.get(event.epoch) ?? 0)) {
        gone += 1;
        if (tells.some(([epoch, from, to]) => epoch === event.epoch && from <= event.seq && event.seq <= to)) told += 1;
      } else miss(event, 'a card that was replaced');
    }
  }
  for (const event of held.events)
    if (!has(known, event)) breach ??= `event ${event.seq} of epoch ${event.epoch} is at central and on no card`;
  if (whole) breach ??= chainsDiffer(card, held);
  return { acked, lost, doubled: repeatedReadings(held.events), conflicting, gone, told, breach };
}

/** What `history.lost` events tell. */
function rangesOf(events: readonly StoredEvent[]): (readonly [epoch: string, from: number, to: number])[] {
  return events
    .filter(({ type }) => type === 'collard.history.lost')
    .map(({ data }) => JSON.parse(data) as Readonly<Record<string, unknown>>)
    .flatMap((body) => (lostRanges(body) ?? []).map(([from, to]) => [String(body.epoch), from, to] as const));
}

/** A number that is missing in the middle of an epoch. */
function gapIn({ epochs, events }: Card): string | null {
  for (const { epoch, firstSeq, lastSeq } of epochs) {
    const count = events.reduce((sum, event) => sum + (event.epoch === epoch ? 1 : 0), 0);
    if (count !== lastSeq - firstSeq + 1) return `epoch ${epoch} has ${count} events in ${firstSeq}..${lastSeq}`;
  }
  return null;
}

function chainsDiffer({ epochs, chains }: Card, { marks, conflicts }: Held): string | null {
  if (conflicts.length > 0) return `${conflicts.length} events conflict`;
  if (epochs.length !== 1) return `${epochs.length} epochs where one belongs`;
  for (const { epoch, lastSeq } of epochs) {
    const held = marks.get(epoch);
    if (held === undefined || held.mark !== lastSeq)
      return `central's mark is ${held?.mark}, the card ends at ${lastSeq}`;
    if (!held.chainOk || held.chain !== chains.get(epoch)) return `the chains differ at ${lastSeq}`;
  }
  return null;
}

/** Each reading names a place of its own: an event that comes twice under two numbers shows here. */
function repeatedReadings(events: readonly StoredEvent[]): number {
  const places = events.flatMap(({ data }) => /"to":"(n\d+|c\d+-\d+)"/.exec(data)?.[1] ?? []);
  return places.length - new Set(places).size;
}

/** D4 on both sides, from copies. */
export function unsoundCopies(paths: readonly string[], scratch: string): string | null {
  mkdirSync(scratch, { recursive: true });
  try {
    for (const path of paths) {
      const copy = join(scratch, 'check.db');
      copyDatabase(path, copy);
      const why = unsound(copy);
      if (why !== null) return `${path}: ${why}`;
    }
    return null;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
