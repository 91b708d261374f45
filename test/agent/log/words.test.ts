import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { createWords } from '../../../src/agent/log/words.ts';

function open() {
  const db = new Database(':memory:');
  db.exec('CREATE TABLE word (no INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)');
  return { db, words: createWords(db) };
}

describe('the dictionary of the log', () => {
  it('gives a word one number, and a number its word', () => {
    const { words } = open();
    const [a, b] = [words.number('collard.meow.started'), words.number('boot-1')];
    expect(a).not.toBe(b);
    expect(words.number('collard.meow.started')).toBe(a);
    expect([a, b].map(words.text)).toEqual(['collard.meow.started', 'boot-1']);
  });

  it('knows nothing of what was rolled back, once it has been told', () => {
    const { db, words } = open();
    db.exec('BEGIN');
    const lost = words.number('never');
    expect(words.text(lost)).toBe('never');
    db.exec('ROLLBACK');
    words.forget();
    const next = words.number('instead');
    expect(next).toBe(lost);
    expect(words.text(next)).toBe('instead');
    expect(words.number('never')).not.toBe(lost);
    expect(db.prepare('SELECT text FROM word ORDER BY no').pluck().all()).toEqual(['instead', 'never']);
  });

  it('keeps no more in memory than it must, and gives the same numbers beyond it', () => {
    const { db, words } = open();
    const numbers = Array.from({ length: 1_200 }, (_, i) => words.number(`word ${i}`));
    expect(new Set(numbers).size).toBe(1_200);
    expect([words.number('word 0'), words.number('word 1199')]).toEqual([numbers[0], numbers[1_199]]);
    expect(numbers.map(words.text)).toEqual(numbers.map((_, i) => `word ${i}`));
    // What the file says no longer, and is known all the same.
    db.exec('DELETE FROM word');
    const inMemory = (no: number) => {
      try {
        return words.text(no) !== '';
      } catch {
        return false;
      }
    };
    expect(numbers.filter(inMemory)).toEqual(numbers.slice(0, 1_000));
    const kept = numbers.filter((no, i) => words.number(`word ${i}`) === no && inMemory(no));
    expect(kept).toEqual(numbers.slice(0, 1_000));
  });

  it('finds what an earlier run has written, and names a number that is none', () => {
    const { db, words } = open();
    const no = words.number('kept');
    expect(createWords(db).number('kept')).toBe(no);
    expect(() => createWords(db).text(99)).toThrow('no word 99');
  });
});
