/**
 * How an open log begins: the first epoch of a new file, and another one where the witness has seen events that are not there
 * any more. Their numbers were heard of, so they are never used again, and `history.lost` says what they were.
 */
import { type ChainHash, chainHex, parseChainHex } from '../../contract/chain.ts';
import { type EventData, newEvent, type StoredEvent } from '../../contract/event.ts';
import {
  addEpoch,
  appendRows,
  currentEpoch,
  type EpochState,
  flushMarks,
  type LogCore,
  readFact,
  saveFact,
  write,
} from './core.ts';
import { chainOfEpoch } from './epoch-chain.ts';
import type { FoundHead, Head } from './head-witness.ts';

export type Lost = EventData['history.lost'];

export interface BeginPorts {
  readonly when: () => Pick<StoredEvent, 'time' | 'clock' | 'boot' | 'monoMs'>;
  readonly newEpochId: () => string;
}

/** Why the log has a new epoch. */
const REASONS = {
  tail: 'tail of the log lost',
  log: 'log lost',
  other: 'another history',
  damage: 'damaged log',
} as const;

/** Why the file before this one was put aside. */
export interface Damage {
  /** What of it could not be saved. */
  readonly lost: readonly Lost[];
  /** Something was in it, and nobody knows what. */
  readonly unknown: boolean;
}

/**
 * Sees to it that there is an epoch whose next number was never used, and tells in it what was lost. Returns what it told.
 * `damage`: null for a file that was found sound.
 */
export function beginLog(
  core: LogCore,
  head: FoundHead | null,
  damage: Damage | null,
  ports: BeginPorts,
): readonly Lost[] {
  const mine = head?.agent === core.agent ? head : null;
  const missing = mine === null ? null : missingOf(core, mine);
  if (core.epochs.length > 0 && missing === null && damage === null) return [];
  const reason = damage !== null ? REASONS.damage : (missing?.reason ?? 'new file');
  return write(core, () => {
    const before = mine !== null && missing !== null ? closeBehind(core, mine, missing.epoch) : [];
    const epoch = ports.newEpochId();
    const when = ports.when();
    addEpoch(core, epoch, Date.parse(when.time), reason);
    // Starts at the time in seconds: so it is above what the broker remembers of the file before.
    if (readFact(core.db, 'session') === null)
      saveFact(core.db, 'session', String(Math.floor(Date.parse(when.time) / 1_000)));
    const ofBefore = before.flatMap(({ end, through }) => lostOf(end, through, reason));
    const ofNewest = mine === null || missing === null ? [] : lostOf(mine, missing.through, reason);
    const lost = [...(damage?.lost ?? []), ...ofBefore, ...ofNewest];
    if (lost.length === 0 && damage?.unknown === true) lost.push({ epoch, fromSeq: 0, toSeq: 0, count: 0, reason });
    if (lost.length > 0) {
      appendRows(
        core,
        lost.map((one) => newEvent('history.lost', null, one, when)),
      );
    }
    // A log that was saved from a damaged one brings its marks along.
    flushMarks(core);
    return lost;
  });
}

interface Missing {
  readonly reason: string;
  /** The epoch of the witness as far as it is in the file, or null. */
  readonly epoch: EpochState | null;
  /** What is held of it ends here. */
  readonly through: number;
}

/** What the witness has seen and the log has not; null where the log holds all of it. */
function missingOf(core: LogCore, head: FoundHead): Missing | null {
  const epoch = core.epochs.find((one) => one.epoch === head.epoch) ?? null;
  if (epoch === null) return { reason: core.epochs.length === 0 ? REASONS.log : REASONS.tail, epoch, through: 0 };
  if (head.lastSeq > epoch.lastSeq) return { reason: REASONS.tail, epoch, through: epoch.lastSeq };
  const chain = chainOfEpoch(core.rows, core.chains, epoch, head.lastSeq);
  if (chain === null || chainHex(chain) === head.chain) return null;
  // Other events under the same numbers: a file from elsewhere. Which of them differ nobody knows.
  return epoch === core.epochs.at(-1) ? { reason: REASONS.other, epoch, through: 0 } : null;
}

/**
 * Ends the epoch of the witness where the witness has seen it, and so those before, so that central can be asked about them.
 * Its mark stays as the file has it: the central that confirmed more may have been put back with the file. Within `write`. Returns
 * those before it of which the file knows less.
 */
function closeBehind(core: LogCore, head: FoundHead, known: EpochState | null): readonly Behind[] {
  const behind = known === null ? endThoseBefore(core, head) : [];
  endNewest(core, head, known);
  return behind;
}

/** What ended further on than the file knows it. */
interface Behind {
  readonly end: Span;
  /** The last seq that it knows. */
  readonly through: number;
}

type Span = Pick<Head, 'epoch' | 'lastSeq' | 'storedSeq'>;

function endThoseBefore(core: LogCore, head: FoundHead): readonly Behind[] {
  const behind: Behind[] = [];
  const endCurrent = (end: Span, chain: ChainHash) => {
    const epoch = currentEpoch(core);
    // Not left to central to ask for: of an epoch of which nothing is held, or is soon trimmed, it asks for none. What told of it once
    // may be gone, too: where the same copy is put back for the second time.
    if (end.lastSeq > epoch.lastSeq) behind.push({ end, through: epoch.lastSeq });
    endAt(core, epoch, end.lastSeq, chain);
  };
  for (const end of head.ended) {
    const chain = parseChainHex(end.chain);
    if (chain === null || end.lastSeq === 0) continue;
    if (!core.epochs.some(({ epoch }) => epoch === end.epoch)) addEpoch(core, end.epoch, 0, REASONS.tail);
    if (currentEpoch(core).epoch === end.epoch) endCurrent(end, chain);
  }
  const closed = parseChainHex(head.closed);
  const last = core.epochs.at(-1);
  // A witness of an older version notes no ends.
  const isNoted = head.ended.some((end) => end.epoch === head.previous && end.chain !== '');
  if (!isNoted && last?.epoch === head.previous && closed !== null)
    endCurrent({ ...last, lastSeq: head.base - last.base }, closed);
  return behind;
}

function endNewest(core: LogCore, head: FoundHead, known: EpochState | null): void {
  const chain = parseChainHex(head.chain);
  if (chain === null || head.lastSeq === 0) return;
  if (known === null) addEpoch(core, head.epoch, 0, REASONS.tail);
  const epoch = currentEpoch(core);
  if (epoch.epoch !== head.epoch) return;
  endAt(core, epoch, head.lastSeq, chain);
}

/** The current epoch ends at `seq`, though not all events up to there are held. Within `write`. */
function endAt(core: LogCore, epoch: EpochState, seq: number, chain: ChainHash): void {
  if (seq <= epoch.lastSeq) return;
  // Where its end was not held, what is not held goes on: a hash within would be the trace of damage.
  const end = epoch.base + epoch.lastSeq;
  if (epoch.lastSeq > 0 && core.rows.first(end - 1, end) === null) core.chains.remove(end, end);
  core.chains.save(epoch.base + seq, chain);
  if (epoch.firstSeq > epoch.lastSeq) epoch.firstSeq = seq + 1;
  epoch.lastSeq = seq;
  core.lastPos = epoch.base + seq;
  core.lastChain = chain;
}

function lostOf({ epoch, lastSeq, storedSeq }: Span, through: number, reason: string): Lost[] {
  const fromSeq = Math.max(through, storedSeq) + 1;
  if (fromSeq > lastSeq) return [];
  return [{ epoch, fromSeq, toSeq: lastSeq, count: lastSeq - fromSeq + 1, reason }];
}

/** Another epoch while the log is open, with the event that says why where another history is the reason. Within `write`. Returns its name. */
export function beginEpoch(
  core: LogCore,
  reason: string,
  conflict: EventData['history.conflict'] | undefined,
  ports: BeginPorts,
): string {
  const [epoch, when] = [ports.newEpochId(), ports.when()];
  addEpoch(core, epoch, Date.parse(when.time), reason);
  if (conflict !== undefined) appendRows(core, [newEvent('history.conflict', null, conflict, when)]);
  return epoch;
}
