/** The dictionary of the log: types and boot ids as small numbers. */
import { logError } from './log-error.ts';
import type { Db } from './log-file.ts';

export interface Words {
  number(text: string): number;
  text(no: number): string;
  forget(): void;
}

/** More than types and boots of years. */
const WORDS_KEPT = 1_000;

/** Few words, much used: kept in memory, written when new. `known`: what is known from elsewhere. */
export function createWords(db: Db, known: ReadonlyMap<number, string> = new Map()): Words {
  const byNo = db.prepare<[number], string>('SELECT text FROM word WHERE no = ?').pluck();
  const byText = db.prepare<[string], number>('SELECT no FROM word WHERE text = ?').pluck();
  const insert = db.prepare('INSERT INTO word (text) VALUES (?)');
  const texts = new Map(known);
  const numbers = new Map<string, number>();
  return {
    number(text) {
      const known = numbers.get(text) ?? byText.get(text) ?? Number(insert.run(text).lastInsertRowid);
      if (numbers.size < WORDS_KEPT) numbers.set(text, known);
      return known;
    },
    forget() {
      numbers.clear();
      texts.clear();
    },
    text(no) {
      const known = texts.get(no) ?? byNo.get(no);
      if (known === undefined) throw logError('SQLITE_CORRUPT', `the log's dictionary has no word ${no}`);
      if (texts.size < WORDS_KEPT) texts.set(no, known);
      return known;
    },
  };
}
