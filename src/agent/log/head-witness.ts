/**
 * The witness of a log: a small file beside it that says how far the log had come. It is rewritten in place after each commit
 * and flushed at close only, so it may be behind the log but never ahead: what it has seen was acknowledged. A record that
 * does not match its checksum says nothing. Two places take turns, so that a card that destroys one leaves the other. Behind them
 * stands how each of the newest epochs before ended: a log that is put back from an old copy may know none of them.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, constants, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs';
import { explainDisk, type LogError, tryDisk } from './log-error.ts';

/** Where the log stood. All of one epoch, the one that was written. */
export interface Head {
  /** Of the file's tables. */
  readonly version: number;
  readonly agent: string;
  readonly epoch: string;
  /** Of the epoch in its file: number, and pos = base + seq. */
  readonly no: number;
  readonly base: number;
  /** The epoch before it in the file, or ''; and chain at its end, in hex. Absent in a record of an older version. */
  readonly previous: string;
  readonly closed?: string;
  readonly lastSeq: number;
  readonly storedSeq: number;
  /** chain at lastSeq, in hex. */
  readonly chain: string;
  /** Of one that ended: central holds another history of it, and storedSeq is the lowest mark that was noted. */
  readonly disowned?: true;
}

/** As it was found. */
export interface FoundHead extends Head {
  /** How epochs before it ended, oldest first, as far as that was noted. */
  readonly ended: readonly Head[];
}

/** An epoch that is not written any more. */
export type Ended = Pick<Head, 'epoch' | 'no' | 'base' | 'lastSeq' | 'storedSeq'> & { readonly disowned?: true };

export interface HeadWitness {
  /** The newest readable record when it was opened, with the ends of epochs before it, or null. */
  readonly found: FoundHead | null;
  /** Why some of it could not be read, which says nothing then, or null. */
  readonly unreadable: LogError | null;
  /**
   * Writes where the log stands, and what is new of the epochs before: `chainAtEnd` is asked once for each. What it says must be
   * durable. Never throws for the disk's sake: an old record stays true.
   */
  note(head: Head, before: readonly Ended[], chainAtEnd: (no: number) => string | null): void;
  /** Flushes and closes. */
  close(): void;
}

const RECORD_BYTES = 512;
/** Apart as far as a card destroys at once. */
const PLACES = [0, 4_096] as const;
/** Ends of epochs lie here, each at the place of its number: the newest MAX_ENDED. */
const ENDS_AT = 8_192;
export const MAX_ENDED = 32;
const SUM_CHARS = 32;

interface Turned extends Head {
  /** Rises with each record. */
  readonly turn: number;
}

/** Opens or makes `<path>.head`. Throws the disk's code. */
export function openHeadWitness(path: string): HeadWitness {
  const fd = openFile(path);
  let unreadable: LogError | null = null;
  // One bad sector keeps no agent from its log, which is sound.
  const readable = (place: number) => {
    try {
      return readRecord(fd, place);
    } catch (error) {
      unreadable = explainDisk(`${path}.head`, error);
      return null;
    }
  };
  const newest = PLACES.map(readable).reduce((a, b) => ((a?.turn ?? -1) > (b?.turn ?? -1) ? a : b));
  const ends = new Map(readEnds(readable).map((end) => [end.no, end]));
  const found = newest === null ? null : { ...newest, ended: endedBefore(newest, ends) };
  let turn = newest?.turn ?? 0;
  let works = true;
  let closed = false;
  const attempt = (work: () => void) => {
    if (works) works = tryDisk(work);
  };
  const noteEnd = (head: Head, span: Ended, chainAtEnd: (no: number) => string | null) => {
    const { epoch, no, base, lastSeq } = span;
    const noted = ends.get(no);
    const isSame = noted?.epoch === epoch && noted.lastSeq === lastSeq;
    const disowned = span.disowned === true || (isSame && noted.disowned === true);
    // A later mark of such an epoch says that nothing of it waits any more, not that central holds it under its numbers.
    const storedSeq = disowned && isSame ? Math.min(noted.storedSeq, span.storedSeq) : span.storedSeq;
    if (isSame && noted.storedSeq === storedSeq && disowned === (noted.disowned ?? false)) return;
    const chain = isSame ? noted.chain : (chainAtEnd(no) ?? '');
    const { version, agent } = head;
    const spanned = { version, agent, epoch, no, base, previous: '', lastSeq, storedSeq, chain };
    const end: Head = disowned ? { ...spanned, disowned } : spanned;
    ends.set(no, end);
    attempt(() => {
      writeSync(fd, encode({ ...end, turn: 0 }), 0, RECORD_BYTES, placeOfEnd(no));
    });
  };
  return {
    found,
    unreadable,
    note(head, before, chainAtEnd) {
      for (const span of before.slice(-MAX_ENDED)) noteEnd(head, span, chainAtEnd);
      turn += 1;
      const record = encode({ ...head, turn });
      attempt(() => {
        writeSync(fd, record, 0, record.length, turn % 2 === 0 ? PLACES[0] : PLACES[1]);
      });
    },
    close() {
      if (closed) return;
      closed = true;
      attempt(() => fdatasyncSync(fd));
      closeSync(fd);
    },
  };
}

function openFile(path: string): number {
  try {
    return openSync(`${path}.head`, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    throw explainDisk(`${path}.head`, error);
  }
}

function readRecord(fd: number, place: number): Turned | null {
  const bytes = Buffer.alloc(RECORD_BYTES);
  if (readSync(fd, bytes, 0, RECORD_BYTES, place) !== RECORD_BYTES) return null;
  const text = bytes.toString('utf8');
  const body = text.slice(SUM_CHARS).trim();
  return text.slice(0, SUM_CHARS) === checksum(body) ? (JSON.parse(body) as Turned) : null;
}

function readEnds(readable: (place: number) => Head | null): Head[] {
  const records = Array.from({ length: MAX_ENDED }, (_, no) => readable(placeOfEnd(no)));
  return records.filter((record) => record !== null);
}

function placeOfEnd(no: number): number {
  return ENDS_AT + (no % MAX_ENDED) * RECORD_BYTES;
}

/** Of the same log: what stands at the place of a later number is left from another. */
function endedBefore(head: Head, ends: ReadonlyMap<number, Head>): readonly Head[] {
  return [...ends.values()].filter(({ agent, no }) => agent === head.agent && no < head.no).sort((a, b) => a.no - b.no);
}

function encode(head: Turned): Buffer {
  const body = JSON.stringify(head);
  const record = Buffer.from(`${(checksum(body) + body).padEnd(RECORD_BYTES - 1)}\n`);
  assert(record.length === RECORD_BYTES, 'a head fits its record');
  return record;
}

function checksum(body: string): string {
  return createHash('sha256').update(body, 'utf8').digest('hex').slice(0, SUM_CHARS);
}
