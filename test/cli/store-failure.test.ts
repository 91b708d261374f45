/** What a person reads where the file of central's store cannot be worked with, over the real command line. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { READ_ONLY_DISK } from '../../src/agent/log/mount.ts';
import { openStore } from '../../src/central/open-store.ts';
import { checkDatabase } from '../../src/cli/doctor-network.ts';
import { EXIT } from '../../src/cli/exit.ts';
import { explainStoreFile, tellEmpty } from '../../src/cli/store-failure.ts';
import { openExistingStore } from '../../src/cli/verify.ts';
import { collard } from './run.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
const PAGE_BYTES = 4_096;

let whole: string;
let path: string;
let config: string;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-whole-'));
  whole = join(folder, 'central.db');
  await (await openStore({ url: `sqlite:${whole}` })).close();
  return () => rmSync(folder, { recursive: true });
});
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-damaged-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  path = join(folder, 'central.db');
  config = join(folder, 'central.yaml');
  copyFileSync(whole, path);
  const settings = { store: { url: `sqlite:${path}` }, mqtt: { url: 'mqtt://127.0.0.1:1' }, http: { port: 0 } };
  writeFileSync(config, JSON.stringify(settings), { mode: 0o600 });
});

/** Writes noise over `[from, to)`. */
function destroy(from: number, to: number): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0xa5, from, to));
}

describe('a store that is damaged', () => {
  it.each([
    ['its header is destroyed', () => destroy(0, 100)],
    ['the page of its schema is destroyed', () => destroy(100, PAGE_BYTES)],
    ['all pages but the first are destroyed', () => destroy(PAGE_BYTES, statSync(path).size)],
    ['it is cut', () => truncateSync(path, 3 * PAGE_BYTES + 100)],
  ])(
    'is said to be so, with what to do, and is left as it is: %s',
    async (_, damage) => {
      damage();
      const before = readFileSync(path);
      const { status, stderr } = await collard(['central', '--config', config]);
      expect([status, stderr]).toEqual([EXIT.io, expect.stringContaining(`error: the store ${path} is damaged: `)]);
      expect(stderr).toContain(`fix: stop central and put ${path} aside with its -wal and -shm, delete none of them`);
      expect(stderr).toContain('agents send again what they still hold (log.keepDays)');
      expect(stderr).not.toMatch(/^ +at /m);
      expect(readFileSync(path).equals(before)).toBe(true);
    },
    120_000,
  );

  it('says so to commands that read it, and to doctor', async () => {
    destroy(0, 100);
    const url = `sqlite:${path}`;
    await expect(openExistingStore({ url })).rejects.toMatchObject({
      exitCode: EXIT.io,
      message: `the store ${path} is damaged: file is not a database`,
    });
    expect(await checkDatabase(url, undefined)).toMatchObject([
      { result: 'fail', message: `the store ${path} is damaged: file is not a database`, fix: expect.any(String) },
    ]);
  });
});

describe('a file of no bytes', () => {
  it('is no store to a command, and becomes none by looking at it', async () => {
    truncateSync(path, 0);
    await expect(openExistingStore({ url: `sqlite:${path}` })).rejects.toMatchObject({
      message: `there is no store at ${path}: the file is empty`,
    });
    expect((await checkDatabase(`sqlite:${path}`, undefined)).map(({ result }) => result)).toEqual(['ok', 'warn']);
    expect(statSync(path).size).toBe(0);
  });

  it('becomes a new store at a start of central, which says so', async () => {
    truncateSync(path, 0);
    const child = spawn(process.execPath, [BIN, 'central', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
    const told = text(child.stderr);
    for await (const _ of createInterface({ input: child.stdout })) child.kill('SIGTERM');
    expect((await told).split(`the file ${path} is empty: a new store begins in it`)).toHaveLength(2);
    expect(statSync(path).size).toBeGreaterThan(0);
  }, 120_000);

  it('is warned of, and a store that is whole, or was never there, is not', () => {
    const warned: string[] = [];
    const logger = { warn: (_: object, message: string) => void warned.push(message) };
    tellEmpty(`sqlite:${path}`, logger);
    tellEmpty('postgres://db/collard', logger);
    rmSync(path);
    tellEmpty(`sqlite:${path}`, logger);
    expect(warned).toEqual([]);
    writeFileSync(path, '');
    tellEmpty(`sqlite:${path}`, logger);
    expect(warned).toEqual([expect.stringContaining('put a backup in its place')]);
  });
});

describe('an error of SQLite', () => {
  const withCode = (code: string, cause?: unknown) => Object.assign(new Error('it broke', { cause }), { code });

  it.each([
    ['SQLITE_CORRUPT_INDEX', EXIT.io, 'the store /s/c.db is damaged: it broke', 'put /s/c.db aside'],
    ['SQLITE_NOTADB', EXIT.io, 'the store /s/c.db is damaged: it broke', 'put /s/c.db aside'],
    [
      'SQLITE_BUSY',
      EXIT.retry,
      'another program holds the store /s/c.db: it broke',
      'end it: fuser /s/c.db tells which',
    ],
    ['SQLITE_FULL', EXIT.io, 'the store /s/c.db has no room: it broke', 'free space on its disk'],
    [
      'SQLITE_CANTOPEN',
      EXIT.io,
      'the store /s/c.db cannot be opened',
      'its folder must exist, and this user must own it',
    ],
    ['SQLITE_READONLY', EXIT.io, 'the store /s/c.db cannot be written to: it broke', 'this user must own the file'],
    ['SQLITE_IOERR', EXIT.io, 'the store /s/c.db fails: it broke', 'look at its disk (dmesg)'],
  ])('%s is told in words that help, also from below', (code, exitCode, message, fix) => {
    const words = { exitCode, message, fix: expect.stringContaining(fix) };
    const mountinfo = mounted('rw');
    expect(explainStoreFile(withCode(code), '/s/c.db', mountinfo)).toEqual(words);
    const below = withCode('STORE_FAILED', withCode('SCHEMA', withCode(code)));
    expect(explainStoreFile(below, '/s/c.db', mountinfo)).toEqual(words);
  });

  it.each(['SQLITE_CANTOPEN', 'SQLITE_READONLY_DBMOVED', 'SQLITE_IOERR_WRITE', 'SQLITE_PROTOCOL'])(
    '%s on a disk that the kernel has made read-only is that of the disk',
    (code) => {
      expect(explainStoreFile(withCode(code), '/s/c.db', mounted('ro'))).toEqual({
        exitCode: EXIT.io,
        message: `the store /s/c.db cannot be written to: ${READ_ONLY_DISK.what}`,
        fix: READ_ONLY_DISK.fix,
      });
    },
  );

  it('is none where another part failed', () => {
    expect(explainStoreFile(withCode('STORE_AWAY', withCode('ECONNREFUSED')), '/s/c.db')).toBeNull();
    expect(explainStoreFile('text', '/s/c.db')).toBeNull();
  });
});

function mounted(disk: 'ro' | 'rw'): string {
  const file = `${config}.mountinfo`;
  writeFileSync(file, `41 26 7:0 / / ${disk} - ext4 /dev/x ${disk}\n`);
  return file;
}
