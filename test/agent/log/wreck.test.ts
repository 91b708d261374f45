import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadCore } from '../../../src/agent/log/core.ts';
import { openLogFile, prepareFile } from '../../../src/agent/log/log-file.ts';
import { openWreck, type Wreck } from '../../../src/agent/log/wreck.ts';
import { levels, openLog, tempFolder, tempPath } from './log-fixture.ts';

const INCARNATION = '01a20867-068a-70da-b9ee-759f41bde6a8';

/** A closed log of two epochs of `groups` groups of 100 events each. */
async function closedLog(groups = 2): Promise<{ path: string; epochs: readonly string[] }> {
  const path = tempPath();
  const log = await openLog(path);
  for (let group = 0; group < groups; group += 1) await log.append(levels(100));
  await log.startEpoch('test');
  for (let group = 0; group < groups; group += 1) await log.append(levels(100));
  const epochs = log.epochs().map(({ epoch }) => epoch);
  log.saveMark(epochs[0] ?? '', 7, INCARNATION);
  await log.close();
  return { path, epochs };
}

function change(path: string, sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

function open(path: string): Wreck {
  const wreck = openWreck(path);
  if (wreck === null) throw new Error('nothing can be read');
  onTestFinished(() => wreck.close());
  return wreck;
}

/** The pages of a table, all but its root, are garbage. */
function spoilPages(path: string, table: string): void {
  const db = new Database(path, { readonly: true });
  const root = db.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(table);
  const pages = db.prepare<[string], number>('SELECT pageno FROM dbstat WHERE name = ?').pluck().all(table);
  db.close();
  const bytes = readFileSync(path);
  for (const page of pages) if (page !== root) bytes.fill(0xa5, (page - 1) * 4_096, page * 4_096);
  writeFileSync(path, bytes);
}

describe('what can be read of a damaged log', () => {
  it('is all of a sound one: epochs by table and copies, events, hashes, how an epoch ended', async () => {
    const { path, epochs } = await closedLog();
    const wreck = open(path);
    const [first, second] = epochs.map((epoch, i) => ({ no: i + 1, epoch, base: 200 * i }));
    expect(wreck.epochs(0)).toEqual([
      { ...first, storedSeq: 7 },
      { ...second, storedSeq: 0 },
      { ...first, storedSeq: 0 },
      { ...second, storedSeq: 0 },
    ]);
    expect([wreck.last, wreck.incarnation()]).toEqual([400, INCARNATION]);
    const span = { no: 1, epoch: epochs[0] ?? '', agent: 'porch', base: 0 };
    expect(wreck.events(span, 99, 102).map(({ seq, epoch }) => [seq, epoch])).toEqual(
      [99, 100, 101, 102].map((seq) => [seq, epochs[0]]),
    );
    const chains = wreck.chains(1, 400);
    expect(chains.map(({ pos }) => pos)).toEqual([100, 200, 300, 400]);
    expect(wreck.closing(1)).toEqual(chains[1]?.hash);
    expect([wreck.closing(2), wreck.closing(3)]).toEqual([null, null]);
    expect([0, 1, 399].map((pos) => wreck.next(pos))).toEqual([1, 2, 400]);
    expect(wreck.next(400)).toBe(Number.POSITIVE_INFINITY);
  });

  it('is nothing of a file that is no database, and an error where there is no folder for one', () => {
    const path = tempPath();
    writeFileSync(path, 'not a database at all '.repeat(1_000));
    expect(openWreck(path)).toBeNull();
    expect(openWreck(join(tempFolder(), 'missing.db'))).toBeNull();
    expect(() => openWreck(join(tempFolder(), 'no', 'such', 'folder.db'))).toThrow(TypeError);
  });

  it('is nothing of a log that was just made', () => {
    const path = tempPath();
    prepareFile(path);
    const core = loadCore(openLogFile(path), path, 'porch');
    core.db.close();
    const wreck = open(path);
    expect([wreck.last, wreck.epochs(0), wreck.incarnation(), wreck.next(0)]).toEqual([
      0,
      [],
      null,
      Number.POSITIVE_INFINITY,
    ]);
  });

  it.each([
    ["UPDATE epoch SET id = 'no uuid' WHERE no = 1", [2, 1, 2]],
    ["UPDATE epoch SET id = id || '0' WHERE no = 1", [2, 1, 2]],
    ['UPDATE epoch SET base = -1 WHERE no = 2', [1, 1, 2]],
    ['UPDATE epoch SET no = -3 WHERE no = 1', [2, 1, 2]],
    ['DELETE FROM epoch', [1, 2]],
    ["UPDATE fact SET value = '{' WHERE key = 'epoch/1'", [1, 2, 2]],
    ["UPDATE fact SET value = 'null' WHERE key = 'epoch/1'", [1, 2, 2]],
    ["UPDATE fact SET value = '7' WHERE key = 'epoch/1'", [1, 2, 2]],
    ["UPDATE fact SET value = NULL WHERE key = 'epoch/1'", [1, 2, 2]],
    [`UPDATE fact SET value = json_set(value, '$.base', '0') WHERE key = 'epoch/1'`, [1, 2, 2]],
    [`UPDATE fact SET value = json_set(value, '$.no', 1.5) WHERE key = 'epoch/1'`, [1, 2, 2]],
    [`UPDATE fact SET value = json_set(value, '$.epoch', 5) WHERE key = 'epoch/1'`, [1, 2, 2]],
  ])('leaves out what cannot be an epoch: %s', async (sql, nos) => {
    const { path } = await closedLog(1);
    change(path, sql);
    expect(
      open(path)
        .epochs(2)
        .map(({ no }) => no),
    ).toEqual(nos);
  });

  it('takes a mark that is none for nothing confirmed, and an incarnation that is none for unknown', async () => {
    const { path } = await closedLog(1);
    change(path, "UPDATE epoch SET stored = -5; UPDATE fact SET value = 'no uuid' WHERE key = 'incarnation'");
    const wreck = open(path);
    expect(wreck.epochs(2)[0]?.storedSeq).toBe(0);
    expect(wreck.incarnation()).toBeNull();
  });

  it('looks for as many copies as there must have been', async () => {
    const { path } = await closedLog(1);
    change(path, 'DELETE FROM epoch');
    const copies = (count: number) =>
      open(path)
        .epochs(count)
        .map(({ no }) => no);
    expect([copies(0), copies(1), copies(9)]).toEqual([[1], [1, 2], [1, 2]]);
  });

  it('is what lies around the pages that are broken', async () => {
    const { path, epochs } = await closedLog(10);
    const bytes = readFileSync(path);
    const at = bytes.indexOf('"level":50}', bytes.length / 2);
    bytes.fill(0xa5, at - (at % 4_096), at - (at % 4_096) + 4_096);
    writeFileSync(path, bytes);
    const wreck = open(path);
    const span = { no: 1, epoch: epochs[0] ?? '', agent: 'porch', base: 0 };
    const read = wreck.events(span, 1, 2_000).map(({ seq }) => seq);
    expect(read.length).toBeGreaterThan(1_800);
    expect(read.length).toBeLessThan(2_000);
    expect(read).toEqual([...read].sort((a, b) => a - b));
    expect(wreck.last).toBe(2_000);
    const gap = read.findIndex((seq, i) => seq !== i + 1);
    // Behind the last one before the gap there may be a row at once.
    expect(wreck.next(gap)).toBe(gap + 1);
  });

  it('ends where too much of it is broken: each try costs a search', async () => {
    const { path, epochs } = await closedLog(20);
    spoilPages(path, 'event');
    const wreck = open(path);
    const span = { no: 1, epoch: epochs[0] ?? '', agent: 'porch', base: 0 };
    expect(wreck.next(0)).toBe(1);
    expect(wreck.events(span, 1, 100_000)).toEqual([]);
    expect(wreck.next(0)).toBe(Number.POSITIVE_INFINITY);
    // The hashes are sound: the last of them is found all the same.
    expect(wreck.last).toBe(4_000);
  });

  it('finds the last row also where the way to it is broken', async () => {
    const { path } = await closedLog(10);
    const sound = readFileSync(path);
    change(path, 'DELETE FROM chain');
    const bytes = readFileSync(path);
    const at = bytes.lastIndexOf('"level":100}');
    // The last page of all events, where the search for the highest begins.
    const last = sound.length > 0 ? at - (at % 4_096) : 0;
    bytes.fill(0xa5, last, last + 4_096);
    writeFileSync(path, bytes);
    const found = open(path).last;
    expect(found).toBeGreaterThan(1_000);
    expect(found).toBeLessThan(2_000);
  });

  it('has no last row further behind the first than its bytes could hold', async () => {
    const { path } = await closedLog();
    change(path, 'INSERT INTO chain SELECT 1125899906842624, hash FROM chain LIMIT 1');
    expect(open(path).last).toBe(400);
    // Nor where the first rows are gone, as after months of trimming.
    change(
      path,
      'UPDATE event SET pos = pos + 1000000000; UPDATE chain SET pos = pos + 1000000000 WHERE pos < 1000000',
    );
    expect(open(path).last).toBe(1_000_000_400);
  });

  it.runIf(existsSync('/proc/self/fd'))('is read without keeping the file open, or making one', async () => {
    const { path } = await closedLog();
    openWreck(path)?.close();
    const garbage = join(tempFolder(), 'events.db');
    writeFileSync(garbage, Buffer.alloc(50_000, 0x5a));
    expect(openWreck(garbage)).toBeNull();
    const missing = join(tempFolder(), 'events.db');
    expect(openWreck(missing)).toBeNull();
    expect(existsSync(missing)).toBe(false);
    const held = readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        // The one by which the folder was read.
        return '';
      }
    });
    expect(held.filter((name) => name.startsWith(path) || name.startsWith(garbage))).toEqual([]);
  });
});
