/** The dictionary gives every event its type: what damages it must not take all of them. */
import { readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { readWords } from '../../../src/agent/log/wreck-words.ts';
import type { NewEvent, StoredEvent } from '../../../src/contract/event.ts';
import { event, levels, openLog, readAll, tempPath } from './log-fixture.ts';

const PAGE = 4_096;
const INDEX = 'sqlite_autoindex_word_1';
const TYPE = 'collard.meow.started';

/** A closed log of `boots` boots of 20 events each. */
async function soundLog(boots: number): Promise<{ path: string; events: readonly StoredEvent[] }> {
  const path = tempPath();
  const log = await openLog(path);
  for (let no = 0; no < boots; no += 1) {
    const of = (one: NewEvent): NewEvent => ({ ...one, clock: 'unsynced', boot: bootOf(no), monoMs: 1 });
    await log.append(
      [event('meow.ended', { durationMs: no, peakG: 1, readings: 1, place: null }), ...levels(19, no * 60_000)].map(of),
    );
  }
  const events = await readAll(log);
  await log.close();
  return { path, events };
}

const bootOf = (no: number) => `01a20867-068a-70da-b9ee-${String(no).padStart(12, '0')}`;

/** The pages of a table or an index, its root first. */
function pagesOf(path: string, name: string): readonly number[] {
  const db = new Database(path, { readonly: true });
  const root = db.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(name) ?? 0;
  const pages = db.prepare<[string], number>('SELECT pageno FROM dbstat WHERE name = ?').pluck().all(name);
  db.close();
  return [root, ...pages.filter((page) => page !== root)];
}

function spoilPage(path: string, page: number, change: (bytes: Buffer) => unknown): void {
  const bytes = readFileSync(path);
  change(bytes.subarray((page - 1) * PAGE, page * PAGE));
  writeFileSync(path, bytes);
}

/** One bit of one letter. */
function misspell(bytes: Buffer, text: string): void {
  const at = bytes.indexOf(text) + text.length - 1;
  expect(at).toBeGreaterThan(text.length);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
}

/** What the next start has, and how much it says is lost. */
async function salvaged(path: string): Promise<{ saved: readonly StoredEvent[]; lost: number }> {
  writeFileSync(`${path}.suspect`, '');
  let [lost, damaged] = [0, 0];
  const log = await openLog(
    path,
    {},
    {
      onDamaged() {
        damaged += 1;
      },
      onLost({ count }) {
        lost += count;
      },
    },
  );
  expect(damaged).toBe(1);
  const saved = await readAll(log);
  await log.close();
  return { saved, lost };
}

describe('a log whose dictionary is damaged', () => {
  it.each([
    ['the table is garbage', 'word', (bytes: Buffer) => bytes.fill(0xa5)],
    ['the table is empty', 'word', (bytes: Buffer) => bytes.fill(0)],
    ['the index is garbage', INDEX, (bytes: Buffer) => bytes.fill(0xa5)],
    ['a letter of a type is another one in the table', 'word', (bytes: Buffer) => misspell(bytes, TYPE)],
    ['a letter of a type is another one in the index', INDEX, (bytes: Buffer) => misspell(bytes, TYPE)],
    ['a boot has another id in the table', 'word', (bytes: Buffer) => misspell(bytes, bootOf(4))],
    ['a boot has another id in the index', INDEX, (bytes: Buffer) => misspell(bytes, bootOf(4))],
  ])('gives back every event: %s', async (_, name, change) => {
    const { path, events } = await soundLog(5);
    const [root = 0] = pagesOf(path, name);
    spoilPage(path, root, change);
    const { saved, lost } = await salvaged(path);
    expect(lost).toBe(0);
    expect(saved.slice(0, events.length)).toEqual(events);
  });

  it.each(['word', INDEX])('of many pages gives back every event, whichever page of %s is garbage', async (name) => {
    const { path, events } = await soundLog(400);
    const sound = readFileSync(path);
    const pages = pagesOf(path, name);
    expect(pages.length).toBeGreaterThan(4);
    for (const page of [pages[0], pages[1], pages[2], pages.at(-1)]) {
      writeFileSync(path, sound);
      spoilPage(path, page ?? 0, (bytes) => bytes.fill(0xa5));
      const { saved, lost } = await salvaged(path);
      expect([page, lost]).toEqual([page, 0]);
      expect(saved.slice(0, events.length)).toEqual(events);
    }
  });

  it('tells what is lost where both are: the events of the words that nobody knows any more', async () => {
    const { path } = await soundLog(5);
    for (const name of ['word', INDEX]) spoilPage(path, pagesOf(path, name)[0] ?? 0, (bytes) => bytes.fill(0xa5));
    const { lost } = await salvaged(path);
    expect(lost).toBeGreaterThanOrEqual(100);
  });
});

describe('the words of a damaged file', () => {
  function openWords(sql = '') {
    const db = new Database(':memory:');
    db.exec(`CREATE TABLE word (no INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE); ${sql}`);
    return db;
  }

  it('are what both say, and not doubtful', () => {
    const db = openWords("INSERT INTO word (text) VALUES ('b'), ('a')");
    for (const trusted of ['table', 'index'] as const)
      expect(readWords(db, trusted)).toEqual({
        texts: new Map([
          [1, 'b'],
          [2, 'a'],
        ]),
        isDoubtful: false,
      });
  });

  it('are none where that is no text', () => {
    const db = openWords("INSERT INTO word (text) VALUES (x'00'), ('a')");
    expect(readWords(db, 'table').texts).toEqual(new Map([[2, 'a']]));
  });

  it('are no more than a log can have', () => {
    const db = openWords(
      "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 140000) INSERT INTO word (text) SELECT 'w' || i FROM n",
    );
    // So many from each end.
    expect(readWords(db, 'table').texts.size).toBeGreaterThanOrEqual(131_072);
  });

  it('are no reason to hide another error', () => {
    const db = openWords();
    db.close();
    expect(() => readWords(db, 'table')).toThrow(TypeError);
  });
});
