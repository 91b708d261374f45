import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  checkFile,
  clearSuspicion,
  fileBytes,
  isSuspect,
  lockLog,
  openLogFile,
  openLogFileReadOnly,
  prepareFile,
  SCHEMA_VERSION,
  sizeOf,
  trySuspect,
} from '../../../src/agent/log/log-file.ts';
import { openFiles, tempFolder, tempPath } from './log-fixture.ts';

const real = Database.prototype.pragma;

/** A closed file of a log, changed by SQL. */
function fileWith(sql: string): string {
  const path = tempPath();
  prepareFile(path);
  openLogFile(path).close();
  const db = new Database(path);
  db.exec(sql);
  db.close();
  return path;
}

describe('the file of a log', () => {
  it('is made with its folder, for its owner only, and never made anew', () => {
    const path = join(tempFolder(), 'var', 'lib', 'events.db');
    prepareFile(path);
    expect([statSync(path).mode & 0o777, statSync(path).size, statSync(dirname(path)).mode & 0o777]).toEqual([
      0o600, 0, 0o700,
    ]);
    writeFileSync(path, 'kept');
    prepareFile(path);
    expect(readFileSync(path, 'utf8')).toBe('kept');
  });

  it('is a WAL with a limit that is flushed at each commit', () => {
    const path = tempPath();
    prepareFile(path);
    const db = openLogFile(path);
    const pragma = (name: string) => db.pragma(name, { simple: true });
    expect(['journal_mode', 'synchronous', 'wal_autocheckpoint', 'journal_size_limit'].map(pragma)).toEqual([
      'wal',
      2,
      1_000,
      8 * 1024 * 1024,
    ]);
    expect(['application_id', 'user_version', 'busy_timeout'].map(pragma)).toEqual([
      0x636f_6c6c,
      SCHEMA_VERSION,
      60_000,
    ]);
    const files = ['', '-wal', '-shm'].map((suffix) => statSync(path + suffix).size);
    expect(Math.min(...files)).toBeGreaterThan(0);
    expect(fileBytes(path)).toBe(files.reduce((a, b) => a + b, 0));
    db.close();
    expect([sizeOf(`${path}-wal`), fileBytes(path)]).toEqual([0, statSync(path).size]);
  });

  it.each([
    ['PRAGMA application_id = 7', 'SQLITE_CORRUPT', 'the header of the file is damaged'],
    ['PRAGMA application_id = 7; DROP TABLE chain', 'LOG_FOREIGN', 'is the database of another program'],
    ['PRAGMA user_version = 2', 'LOG_NEWER', 'written by a newer collard'],
    ['PRAGMA user_version = 0', 'SQLITE_CORRUPT', 'tables are missing'],
    ['DROP TABLE event', 'SQLITE_CORRUPT', 'tables are missing'],
  ])('with %s is refused: %s', (sql, code, message) => {
    const path = fileWith(sql);
    const before = openFiles();
    const refused = expect.objectContaining({
      code,
      message: expect.stringMatching(new RegExp(`${path}.*${message}`)),
    });
    expect(() => openLogFile(path)).toThrow(refused);
    expect(() => openLogFileReadOnly(path)).toThrow(refused);
    expect(openFiles()).toBe(before);
  });

  it('is read beside its writer and never made or written by who reads it', () => {
    const path = fileWith('SELECT 1');
    const db = openLogFileReadOnly(path);
    expect(() => db.exec("INSERT INTO fact VALUES ('a', 'b')")).toThrow(
      expect.objectContaining({ code: 'SQLITE_READONLY' }),
    );
    expect(db.pragma('busy_timeout', { simple: true })).toBe(5_000);
    db.close();
    const missing = tempPath();
    expect(() => openLogFileReadOnly(missing)).toThrow(
      expect.objectContaining({
        code: 'LOG_MISSING',
        message: `there is no log at ${missing}: has the agent ever run with this log.path?`,
      }),
    );
    expect(existsSync(missing)).toBe(false);
  });

  it('is refused where SQLite does not take a setting: it is asked, not hoped', () => {
    const path = fileWith('SELECT 1');
    const pragma = vi.spyOn(Database.prototype, 'pragma');
    onTestFinished(() => pragma.mockRestore());
    pragma.mockImplementation(function (this: Database.Database, source, options) {
      return real.call(this, source === 'synchronous = FULL' ? 'synchronous = NORMAL' : source, options);
    });
    const before = openFiles();
    expect(() => openLogFile(path)).toThrow(
      expect.objectContaining({ code: 'LOG_UNSAFE', message: expect.stringContaining('synchronous 1') }),
    );
    expect(openFiles()).toBe(before);
  });

  it('that has no place is an error of the disk that says what to do', () => {
    const file = tempPath();
    writeFileSync(file, '');
    const path = join(file, 'events.db');
    expect(() => prepareFile(path)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^E(NOTDIR|EXIST)$/),
        message: expect.stringMatching(new RegExp(`^log ${path}: .*set log.path to one that is$`)),
      }),
    );
  });

  it('that cannot be is refused by the disk, not for the way it is opened', () => {
    const file = tempPath();
    writeFileSync(file, '');
    expect(() => openLogFile(join(file, 'events.db'))).toThrow(expect.objectContaining({ code: 'SQLITE_CANTOPEN' }));
  });

  it('holds together or is damaged', () => {
    const path = fileWith('CREATE TABLE more (x); CREATE INDEX its ON more (x)');
    const db = new Database(path);
    checkFile(db, path);
    db.unsafeMode();
    // The index is another one now.
    db.exec(`PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'fact') WHERE name = 'its'`);
    db.close();
    const again = new Database(path);
    expect(() => checkFile(again, path)).toThrow(
      expect.objectContaining({ code: 'SQLITE_CORRUPT', message: expect.stringContaining(`log ${path}: `) }),
    );
    again.close();
  });
});

describe('the lock of a log', () => {
  it('is held by one, and free when that one closes', () => {
    const path = tempPath();
    const lock = lockLog(path);
    expect(statSync(`${path}.lock`).mode & 0o777).toBe(0o600);
    expect(() => lockLog(path)).toThrow(
      expect.objectContaining({
        code: 'LOG_IN_USE',
        message: `log ${path} is in use by another agent: stop that one, or give this one its own log.path`,
      }),
    );
    lock.close();
    lockLog(path).close();
  });

  it('is made anew where its file is damaged', () => {
    const path = tempPath();
    writeFileSync(`${path}.lock`, 'not a database at all '.repeat(100));
    const lock = lockLog(path);
    expect(() => lockLog(path)).toThrow(expect.objectContaining({ code: 'LOG_IN_USE' }));
    lock.close();
  });

  it('that cannot be opened is an error of the disk', () => {
    const path = tempPath();
    mkdirSync(`${path}.lock`);
    expect(() => lockLog(path)).toThrow(
      expect.objectContaining({ code: 'SQLITE_CANTOPEN', message: expect.stringContaining(`log ${path}: `) }),
    );
  });
});

describe('the suspicion of a log', () => {
  it('is noted for its owner only, kept, and cleared once', () => {
    const path = tempPath();
    expect(isSuspect(path)).toBe(false);
    trySuspect(path);
    trySuspect(path);
    expect(isSuspect(path)).toBe(true);
    expect(statSync(`${path}.suspect`).mode & 0o777).toBe(0o600);
    clearSuspicion(path);
    clearSuspicion(path);
    expect(isSuspect(path)).toBe(false);
  });

  it('that the disk does not take is no error', () => {
    const path = join(tempPath(), 'no such folder', 'events.db');
    trySuspect(path);
    expect(existsSync(dirname(path))).toBe(false);
  });
});
