/** What must be true when all faults are over: each event that an agent's card holds is in central once, or its loss is told. */
import type Database from 'better-sqlite3';
import { foldEvents } from '../../src/central/models/fold.ts';
import type { CentralEvent } from '../../src/central/store/store.ts';
import { type EventData, fullType } from '../../src/contract/event.ts';
import type { AgentMachine } from './agent-machine.ts';
import type { CentralMachine } from './central-machine.ts';
import { bodyOf } from './ledger.ts';

export interface Findings {
  readonly breaches: readonly string[];
  /** Committed on a card that was not taken away. */
  readonly events: number;
  /** Of these: not in central, and told. */
  readonly told: number;
  /** Kept apart, because another event had the same number. */
  readonly conflicts: number;
}

interface EventRow extends Omit<CentralEvent, 'monoMs' | 'originalTime' | 'revoked' | 'reassignedTo' | 'correction'> {
  readonly mono_ms: number | null;
  readonly original_time: string | null;
  readonly taken_back: number;
}

/** Has central all that the cards hold, and are its models up to date? Cheap: asked again and again while things heal. */
export function isSettled(agents: readonly AgentMachine[], central: CentralMachine): boolean {
  for (const { log } of agents) {
    if (log === null) return false;
    // Also by the agent's own word: numbers that were used twice are all at central before what differs has come.
    for (const { epoch, lastSeq, storedSeq } of log.epochs())
      if (storedSeq < lastSeq || central.markOf(epoch) < lastSeq) return false;
  }
  return central.folded;
}

export function judge(agents: readonly AgentMachine[], central: CentralMachine): Findings {
  const db = central.observer;
  const breaches: string[] = [];
  const stored = readEvents(db);
  const conflicts = readConflicts(db);
  let events = 0;
  let told = 0;
  for (const agent of agents) {
    const own = stored.filter((event) => event.agent === agent.name);
    const found = judgeEvents(agent, own, conflicts, central);
    breaches.push(...found.breaches, ...judgeMarks(agent, central));
    events += found.events;
    told += found.told;
  }
  const torn = new Set(agents.flatMap(({ ledger }) => [...ledger.tornEpochs]));
  breaches.push(...judgeOrder(stored, torn), ...judgeModels(stored, db));
  return { breaches, events, told, conflicts: conflicts.size };
}

/** D2 and D3: nothing lost, nothing that nobody wrote. */
function judgeEvents(
  { name, ledger }: AgentMachine,
  stored: readonly CentralEvent[],
  conflicts: ReadonlySet<string>,
  central: CentralMachine,
) {
  const breaches: string[] = [];
  const bodies = new Map(stored.map((event) => [`${event.epoch}/${event.seq}`, receivedBody(event)]));
  const losses = stored
    .filter(({ type }) => type === fullType('history.lost'))
    .map(({ data }) => JSON.parse(data) as EventData['history.lost']);
  // Beyond a restore, what the agent had trimmed before is told as a gap by central itself.
  if (central.restores > 0) losses.push(...readGaps(central.observer));
  let events = 0;
  let told = 0;
  for (const { epoch, seq, body, abandoned } of ledger.entries) {
    if (abandoned) continue;
    events += 1;
    if (bodies.get(`${epoch}/${seq}`) === body) continue;
    told += 1;
    if (losses.some((lost) => lost.epoch === epoch && lost.fromSeq <= seq && seq <= lost.toSeq)) continue;
    // An older card went on with numbers that were used before: both are kept.
    if (conflicts.has(body)) continue;
    breaches.push(`lost: ${name} ${epoch}/${seq} ${body}`);
  }
  for (const event of stored) {
    const known = ledger.entriesOf(event.epoch, event.seq);
    if (!known.some(({ body }) => body === receivedBody(event))) breaches.push(`phantom: ${receivedBody(event)}`);
  }
  return { breaches, events, told };
}

/** Both sides hold the same history, and know it. */
function judgeMarks({ name, ledger, log }: AgentMachine, central: CentralMachine): string[] {
  if (log === null) return [`${name} does not run`];
  const breaches: string[] = [];
  for (const { epoch, lastSeq } of log.epochs()) {
    const mark = central.markOf(epoch);
    const torn = ledger.tornEpochs.has(epoch);
    if (mark < lastSeq || (mark > lastSeq && !torn))
      breaches.push(`mark ${mark} of ${epoch}, the log ends at ${lastSeq}`);
    if (!torn && isFlagged(central.observer, epoch)) breaches.push(`central takes ${epoch} for another history`);
  }
  return breaches;
}

/**
 * Arrivals and positions of each shard are 1, 2, 3 … An event has no position only where what came before it went with a card.
 */
function judgeOrder(stored: readonly CentralEvent[], torn: ReadonlySet<string>): string[] {
  const breaches: string[] = [];
  const shards = new Map<number, CentralEvent[]>();
  for (const event of stored) shards.set(event.shard, [...(shards.get(event.shard) ?? []), event]);
  for (const [shard, events] of shards) {
    const placed = events.filter(({ epoch, position }) => position !== null || !torn.has(epoch));
    const orders = {
      arrival: events.map(({ arrival }) => arrival),
      position: placed.map(({ position }) => position ?? 0),
    };
    for (const [name, given] of Object.entries(orders)) {
      const sorted = given.sort((a, b) => a - b);
      if (sorted.some((value, i) => value !== i + 1)) breaches.push(`${name} of shard ${shard}: ${sorted.join(' ')}`);
    }
  }
  return breaches;
}

function judgeModels(stored: readonly CentralEvent[], db: Database.Database): string[] {
  const { cats, meowing } = foldEvents(stored);
  const states = db.prepare<[], string>('SELECT state FROM cat_v1 WHERE name IS NOT NULL ORDER BY id').pluck().all();
  const breaches: string[] = [];
  const expected = cats.map((cat) => JSON.stringify(cat));
  const given = states.map((state) => JSON.stringify(JSON.parse(state)));
  if (!sameTexts(expected, given)) breaches.push(`cats are ${given.join(' ')}, the fold says ${expected.join(' ')}`);
  const named = new Set(cats.map(({ catId }) => catId));
  const rows = db.prepare<[], { id: string; cat_id: number }>('SELECT id, cat_id FROM meowing_v1').all();
  const told = (all: readonly { id: string; catId: number }[]) =>
    all
      .filter(({ catId }) => named.has(catId))
      .map(({ id, catId }) => `${catId} ${id}`)
      .sort();
  if (!sameTexts(told(meowing), told(rows.map(({ id, cat_id }) => ({ id, catId: cat_id })))))
    breaches.push('the model meowing differs from its fold');
  return breaches;
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => sameKeys(text, b[i] ?? ''));
}

/** Equal as objects, whatever the order of their keys. */
function sameKeys(a: string, b: string): boolean {
  if (a === b || !a.startsWith('{') || !b.startsWith('{')) return a === b;
  const sorted = (text: string) => JSON.stringify(Object.entries(JSON.parse(text) as object).sort());
  return sorted(a) === sorted(b);
}

function isFlagged(db: Database.Database, epoch: string): boolean {
  return db.prepare<[string], number>('SELECT chain_ok FROM epoch WHERE epoch = ?').pluck().get(epoch) === 0;
}

function readEvents(db: Database.Database): CentralEvent[] {
  const rows = db
    .prepare<[], EventRow>(
      `SELECT event.*, epoch.epoch AS epoch, agent.name AS agent,
         (SELECT count(*) FROM correction c WHERE c.epoch_no = event.epoch_no AND c.seq = event.seq AND c.in_force = 1
           AND c.cat_id IS NULL) AS taken_back
       FROM event JOIN epoch ON epoch.no = event.epoch_no JOIN agent ON agent.no = epoch.agent_no`,
    )
    .all();
  // Nobody gives events to other cats here.
  const unassigned = { reassignedTo: null, correction: null };
  return rows.map((row) => ({
    ...row,
    monoMs: row.mono_ms,
    originalTime: row.original_time,
    revoked: row.taken_back > 0,
    ...unassigned,
  }));
}

/** Of a clock that was set later central knows a better time; what is held is what was received. */
function receivedBody(event: CentralEvent): string {
  return bodyOf({ ...event, time: event.originalTime ?? event.time });
}

/** The bodies of events that were kept apart. */
function readConflicts(db: Database.Database): ReadonlySet<string> {
  const rows = db.prepare<[], string>('SELECT body FROM conflict').pluck().all();
  return new Set(rows.map((text) => bodyOf(JSON.parse(text) as CentralEvent)));
}

function readGaps(db: Database.Database): EventData['history.lost'][] {
  return db
    .prepare<[], EventData['history.lost']>(
      `SELECT epoch.epoch AS epoch, from_seq AS fromSeq, to_seq AS toSeq, 0 AS count, reason
       FROM gap JOIN epoch ON epoch.no = gap.epoch_no WHERE reason = 'trimmed by the agent'`,
    )
    .all();
}
