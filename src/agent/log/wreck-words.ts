/**
 * The dictionary of a damaged file. Its table and the index of that hold the same words, so that one bad page takes none; where
 * they disagree, the hashes of the events tell which of them is right. Without it no event has a type: all would be lost.
 */
import { codeOf } from './log-error.ts';
import type { Db } from './log-file.ts';

type Texts = ReadonlyMap<number, string>;
export type Trusted = 'table' | 'index';

/** Types and boot ids of years. Of rows that are read: a damaged tree may give some of them over and over. */
const MAX_WORDS = 65_536;
const TABLE = 'SELECT no, text FROM word NOT INDEXED ORDER BY no';
const INDEX = 'SELECT no, text FROM word INDEXED BY sqlite_autoindex_word_1 ORDER BY text';

export interface FoundWords {
  readonly texts: Texts;
  /** Table and index contradict each other. */
  readonly isDoubtful: boolean;
}

/** `trusted`: which of the two is right where both say something. */
export function readWords(db: Db, trusted: Trusted): FoundWords {
  const [table, index] = [fromBothEnds(db, TABLE), fromBothEnds(db, INDEX)];
  const texts = new Map(trusted === 'table' ? [...index, ...table] : [...table, ...index]);
  return { texts, isDoubtful: [...table].some(([no, text]) => (index.get(no) ?? text) !== text) };
}

/** What lies on either side of a broken place. */
function fromBothEnds(db: Db, sql: string): Texts {
  return new Map([...untilError(db, `${sql} DESC`), ...untilError(db, sql)]);
}

function untilError(db: Db, sql: string): Texts {
  const texts = new Map<number, string>();
  let rows = 0;
  try {
    for (const { no, text } of db.prepare<[], { no: number; text: unknown }>(sql).iterate()) {
      if (typeof text === 'string') texts.set(no, text);
      rows += 1;
      if (rows === MAX_WORDS) break;
    }
  } catch (error) {
    // What came before it counts: the file is known to be damaged.
    if (!codeOf(error).startsWith('SQLITE_')) throw error;
  }
  return texts;
}
