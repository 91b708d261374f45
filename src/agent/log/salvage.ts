/**
 * Saves from a damaged file what can be proved: commit groups whose events give the kept hashes. They go into a new file under
 * their own epochs and numbers, so that central knows them again; what is missing between them is told by `history.lost`, in
 * an epoch of its own. Works beside the damaged file and leaves it as it is: an interrupted salvage is done again.
 */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { parseChainHex } from '../../contract/chain.ts';
import { type StoredEvent, shortType } from '../../contract/event.ts';
import { lostData, lostRanges } from '../../contract/lost.ts';
import type { SeqRange } from '../../contract/message.ts';
import { type BeginPorts, beginLog, type Lost } from './begin.ts';
import { addEpoch, currentEpoch, type LogCore, loadCore, write } from './core.ts';
import type { FoundHead, Head } from './head-witness.ts';
import { openLogFile, prepareFile } from './log-file.ts';
import { type Group, type Kept, provenGroups } from './prove.ts';
import { without } from './without.ts';
import { type EpochGuess, openWreck, type Wreck } from './wreck.ts';

/** Events in one transaction, which the WAL holds until they are in the file as well: fewer where there is little room. */
const BATCH_EVENTS = 2_000;
const SMALL_BATCH_EVENTS = 100;
/** Groups that are tried to tell which of two stories about an epoch is true. */
const TRIED_GROUPS = 20;

export interface SalvageOptions {
  readonly path: string;
  /** The file that is made. */
  readonly target: string;
  readonly agent: string;
  readonly head: FoundHead | null;
  /** Leaves behind what central holds: for a disk with little room. */
  readonly onlyUnconfirmed: boolean;
  /** It was made at this start: nothing was in it. */
  readonly isNew?: boolean;
}

export interface Salvaged {
  readonly saved: number;
  readonly lost: readonly Lost[];
}

/** Resolves when `target` is a whole log, flushed and closed. Rejects with the disk's code where it takes no more. */
export async function salvage(options: SalvageOptions, ports: BeginPorts): Promise<Salvaged> {
  const { path, target, agent, head, isNew = false } = options;
  prepareFile(target);
  const core = loadCore(openLogFile(target), target, agent);
  const opened = openWreck(path);
  try {
    const wreck = likelier(opened, agent, head);
    const found: SavedEpoch[] = [];
    for (const guess of wreck === null ? guessesOf(head) : chosen(wreck, agent, head)) {
      found.push(await saveEpoch(core, wreck, guess, options));
    }
    core.incarnation = wreck?.incarnation() ?? null;
    core.marksDirty = true;
    const unknown = found.length === 0 && !isNew;
    const lost = beginLog(core, head, { lost: lostOf(found), unknown }, ports);
    bringOver(core);
    return { saved: found.reduce((sum, { saved }) => sum + saved, 0), lost };
  } finally {
    opened?.close();
    core.db.close();
  }
}

/** By the dictionary under which more is proven. */
function likelier(wreck: Wreck | null, agent: string, head: FoundHead | null): Wreck | null {
  if (!wreck?.byIndex) return wreck;
  const other = wreck.byIndex();
  return provenEvents(other, agent, head) > provenEvents(wreck, agent, head) ? other : wreck;
}

function provenEvents(wreck: Wreck, agent: string, head: FoundHead | null): number {
  let count = 0;
  for (const guess of chosen(wreck, agent, head))
    for (const { events } of provenGroups(wreck, { ...guess, agent }, guess.end)) count += events.length;
  return count;
}

interface SavedEpoch {
  readonly epoch: string;
  readonly saved: number;
  readonly missing: readonly SeqRange[];
  /** What saved `history.lost` events tell, of any epoch. */
  readonly told: readonly (readonly [epoch: string, ranges: readonly SeqRange[]])[];
}

interface Guess extends EpochGuess {
  /** The last position that it can have. */
  readonly end: number;
}

function guessesOf(head: FoundHead | null): readonly Guess[] {
  return head === null ? [] : [...head.ended, head].map((one) => ({ ...one, end: one.base + one.lastSeq }));
}

/** One story for each epoch, in order of their places. */
function chosen(wreck: Wreck, agent: string, head: FoundHead | null): readonly Guess[] {
  const byNo = new Map<number, EpochGuess[]>();
  const mine = head?.agent === agent ? [head] : [];
  for (const guess of [...wreck.epochs(head?.no ?? 0), ...mine]) {
    const stories = byNo.get(guess.no) ?? [];
    if (!stories.some(({ epoch, base }) => epoch === guess.epoch && base === guess.base)) stories.push(guess);
    byNo.set(guess.no, stories);
  }
  const last = Math.max(wreck.last, ...mine.map(({ base, lastSeq }) => base + lastSeq));
  const likely = [...byNo.values()].map((stories) => likeliest(wreck, agent, stories, last));
  likely.sort((a, b) => a.base - b.base || a.no - b.no);
  const single = likely.filter(
    ({ epoch, base }, i) => base <= last && likely.findIndex((one) => one.epoch === epoch) === i,
  );
  return single.map((guess, i) => ({ ...guess, end: single[i + 1]?.base ?? last }));
}

/** Of several stories about one epoch the one under which most is proven; a later one is a copy that was not written since. */
function likeliest(wreck: Wreck, agent: string, stories: readonly EpochGuess[], end: number): EpochGuess {
  const proven = stories.map((guess) => {
    let groups = 0;
    if (stories.length === 1) return { guess, groups };
    for (const _ of provenGroups(wreck, { ...guess, agent }, end)) if (++groups >= TRIED_GROUPS) break;
    return { guess, groups };
  });
  const best = proven.reduce((a, b) => (b.groups >= a.groups ? b : a));
  const storedSeq = Math.max(...stories.map((guess) => guess.storedSeq));
  return { ...best.guess, storedSeq };
}

/** Imports the proven groups of one epoch, and notes what is missing between them. */
async function saveEpoch(
  core: LogCore,
  wreck: Wreck | null,
  guess: Guess,
  { agent, head, onlyUnconfirmed }: SalvageOptions,
): Promise<SavedEpoch> {
  const known = head === null ? [] : [head, ...(head.agent === agent ? head.ended : [])];
  const witness = known.find(({ epoch }) => epoch === guess.epoch) ?? null;
  const storedSeq = witness?.storedSeq ?? guess.storedSeq;
  const missing: SeqRange[] = [];
  const told: SavedEpoch['told'][number][] = [];
  // What central has confirmed is not missing.
  let next = storedSeq + 1;
  let saved = 0;
  write(core, () => addEpoch(core, guess.epoch, 0, 'salvaged'));
  const span = { ...guess, agent };
  const groups = wreck === null ? [] : provenGroups(wreck, span, guess.end);
  for (const batch of batchesOf(groups, onlyUnconfirmed ? SMALL_BATCH_EVENTS : BATCH_EVENTS)) {
    const wanted = onlyUnconfirmed ? batch.filter(({ after }) => after.pos - guess.base > storedSeq) : batch;
    write(core, () => {
      for (const group of wanted) saved += importGroup(core, guess.base, group);
      core.memory.save(false);
    });
    bringOver(core);
    for (const { before, events, after } of batch) {
      const [from, to] = [before.pos - guess.base + 1, after.pos - guess.base];
      if (from > next) missing.push([next, from - 1]);
      next = Math.max(next, to + 1);
      told.push(...events.flatMap(toldBy));
    }
    // A long salvage must not keep the process from being stopped.
    await setImmediate();
  }
  const end = guess.end - guess.base;
  if (next <= end) missing.push([next, end]);
  write(core, () => closeEpoch(core, storedSeq, closingOf(wreck, guess, witness)));
  return { epoch: guess.epoch, saved, missing, told };
}

/**
 * Everything into the file itself, which alone gets another name: for what `close` cannot bring over, the disk being full, it leaves
 * the WAL behind and says nothing. After each batch, so that the WAL takes little room. Throws SQLITE_FULL.
 */
function bringOver({ db }: LogCore): void {
  const busy = db.pragma('wal_checkpoint(TRUNCATE)', { simple: true });
  assert(busy === 0, 'nobody else knows the file that is being made');
}

function* batchesOf(groups: Iterable<Group>, batchEvents: number): Generator<Group[]> {
  let batch: Group[] = [];
  let events = 0;
  for (const group of groups) {
    batch.push(group);
    events += group.events.length;
    if (events < batchEvents) continue;
    yield batch;
    [batch, events] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** Within `write`. Returns how many events it saved. */
function importGroup(core: LogCore, oldBase: number, { before, events, after }: Group): number {
  const epoch = currentEpoch(core);
  const keep = ({ pos, hash }: Kept) => core.chains.save(pos - oldBase + epoch.base, hash);
  if (before.pos - oldBase > epoch.lastSeq) keep(before);
  for (const event of events) core.rows.insert(epoch.base + event.seq, [event]);
  keep(after);
  const firstSeq = before.pos - oldBase + 1;
  core.tells.note(events, epoch.base + firstSeq);
  if (epoch.lastSeq === 0) epoch.firstSeq = firstSeq;
  epoch.lastSeq = after.pos - oldBase;
  core.lastPos = epoch.base + epoch.lastSeq;
  core.lastChain = after.hash;
  core.memory.note(events, core.lastPos);
  return events.length;
}

/** chain at the end of an epoch, by the witness or by the one that followed it. */
function closingOf(wreck: Wreck | null, guess: Guess, witness: Head | null): Kept | null {
  const pos = witness === null ? guess.end - guess.base : witness.lastSeq;
  const hash = witness === null ? wreck?.closing(guess.no) : parseChainHex(witness.chain);
  return hash == null ? null : { pos, hash };
}

/** Ends it where it ended, so that central can be asked about all of it; where nobody knows the chain there, at the last proven event. */
function closeEpoch(core: LogCore, storedSeq: number, closing: Kept | null): void {
  const epoch = currentEpoch(core);
  if (closing !== null && closing.pos > epoch.lastSeq) {
    if (epoch.lastSeq === 0) epoch.firstSeq = closing.pos + 1;
    epoch.lastSeq = closing.pos;
    core.lastPos = epoch.base + epoch.lastSeq;
    core.lastChain = closing.hash;
    core.chains.save(core.lastPos, closing.hash);
  }
  epoch.storedSeq = Math.min(storedSeq, epoch.lastSeq);
  core.marksDirty = true;
}

function toldBy(event: StoredEvent): SavedEpoch['told'] {
  if (shortType(event.type) !== 'history.lost') return [];
  const body = JSON.parse(event.data) as Readonly<Record<string, unknown>>;
  return [[String(body.epoch), lostRanges(body) ?? []]];
}

function lostOf(found: readonly SavedEpoch[]): Lost[] {
  const told = found.flatMap((one) => one.told);
  return found.flatMap(({ epoch, missing }) => {
    const before = told.filter(([about]) => about === epoch).flatMap(([, ranges]) => ranges);
    return lostData(epoch, without(missing, before), 'damaged log');
  });
}
