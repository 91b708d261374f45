import { existsSync, statSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { MIN_START_BYTES } from '../../../src/agent/log/ballast.ts';
import { addEpoch, appendRows, type LogCore, loadCore, readEvents, write } from '../../../src/agent/log/core.ts';
import { openLogFile, prepareFile } from '../../../src/agent/log/log-file.ts';
import { createRoom, type Room } from '../../../src/agent/log/room.ts';
import type { NewEvent, StoredEvent } from '../../../src/contract/event.ts';
import { event, GIGABYTE, levels, openLog, readAll, T0, tempPath, timeAt } from './log-fixture.ts';

const MEGABYTE = 1024 * 1024;
const real = Database.prototype.pragma;
const when = { time: timeAt(T0), clock: 'synced', boot: null, monoMs: null } as const;

function newRoom(path: string, budgetBytes = GIGABYTE): { core: LogCore; room: Room; held: string[] } {
  prepareFile(path);
  const core = loadCore(openLogFile(path), path, 'porch');
  if (core.epochs.length === 0) write(core, () => addEpoch(core, 'e', 0, 'test'));
  const limits = { keepDays: 7, keepBytes: GIGABYTE, budgetBytes };
  const held: string[] = [];
  const onHeld = (message: string) => void held.push(message);
  return { core, room: createRoom(core, () => limits, { when: () => when, freeBytes: () => GIGABYTE, onHeld }), held };
}

const moves = (count: number, bytes = 400): NewEvent[] =>
  Array.from({ length: count }, (_, i) => event('cat.moved', { from: null, to: `${i} ${'x'.repeat(bytes)}` }, i));

function eventsOf({ rows, epochs }: LogCore): StoredEvent[] {
  return epochs.flatMap((e) => readEvents(rows, e, { from: 1, to: e.lastSeq, limit: 1e9, maxBytes: 1e9 }));
}

/** SQLite refuses further pages, with the code of a full disk. */
function fillUp({ db }: LogCore): void {
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.pragma(`max_page_count = ${String(db.pragma('page_count', { simple: true }))}`);
}

describe('a disk that is full', () => {
  it('costs the ballast and, where that is not enough, the oldest events: the append goes through, told', async () => {
    const path = tempPath();
    const { core, room } = newRoom(path);
    writeFileSync(`${path}.ballast`, 'x');
    for (let i = 0; i < 10; i += 1) await room.write(() => appendRows(core, moves(400)));
    await room.write(() => appendRows(core, levels(1)));
    fillUp(core);
    const { firstSeq } = await room.write(() => appendRows(core, moves(400)));
    expect(existsSync(`${path}.ballast`)).toBe(false);
    expect(core.failed).toBeNull();
    const told = eventsOf(core).filter(({ type }) => type === 'collard.history.lost');
    expect(told.length).toBeGreaterThan(0);
    expect(firstSeq).toBe(4_001 + 1 + told.length);
    const seqs = eventsOf(core).map(({ seq }) => seq);
    expect(seqs.at(-1)).toBe(firstSeq + 399);
    expect(JSON.parse(told.at(-1)?.data ?? '')).toMatchObject({ fromSeq: 1, toSeq: (seqs[0] ?? 0) - 1 });
    const remembered = core.memory.all();
    core.db.close();
    const again = newRoom(path).core;
    expect(eventsOf(again).map(({ seq }) => seq)).toEqual(seqs);
    expect(again.memory.all()).toEqual(remembered);
    again.db.close();
  });

  it('ends the log where nothing can be freed, with the code, and nothing is doubled or half done', async () => {
    const path = tempPath();
    const { core, room } = newRoom(path);
    await room.write(() => appendRows(core, levels(3)));
    fillUp(core);
    await expect(room.write(() => appendRows(core, moves(400)))).rejects.toMatchObject({ code: 'SQLITE_FULL' });
    expect(core.epochs[0]?.lastSeq).toBe(3);
    await expect(room.write(() => appendRows(core, levels(1)))).rejects.toMatchObject({ code: 'LOG_FAILED' });
    core.db.close();
    const again = newRoom(path);
    expect(eventsOf(again.core).length).toBe(3);
    expect(await again.room.write(() => appendRows(again.core, levels(1)))).toMatchObject({ firstSeq: 4 });
    again.core.db.close();
  });

  it('does not stop a trim that meets it, and leaves the log open', async () => {
    const { core, room } = newRoom(tempPath(), 600_000);
    await room.write(() => appendRows(core, moves(3_000)));
    fillUp(core);
    const { disk } = await room.trim(T0);
    expect(['warn', 'losing']).toContain(disk.state);
    expect(core.failed).toBeNull();
    await room.write(() => appendRows(core, levels(1)));
    core.db.close();
  });

  it('is no start: the ballast is given up for it, and without one it is refused with what to do', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(3));
    await log.trim(T0);
    expect(statSync(`${path}.ballast`).size).toBe(MEGABYTE);
    await log.close();
    const free = () => (existsSync(`${path}.ballast`) ? 0 : MIN_START_BYTES);
    const again = await openLog(path, {}, { freeBytes: free });
    expect(existsSync(`${path}.ballast`)).toBe(false);
    expect((await readAll(again)).length).toBe(3);
    await again.close();
    await expect(openLog(path, {}, { freeBytes: () => 5_000 })).rejects.toMatchObject({
      code: 'ENOSPC',
      message: expect.stringMatching(
        /events\.db: only 4 KiB are free .* 256 KiB are needed .*: free space on that disk/,
      ),
    });
    const after = await openLog(path);
    expect((await readAll(after)).length).toBe(3);
    await after.close();
  });
});

describe('a full disk with more trouble besides', () => {
  /** A log of 400 events of which all are confirmed, on a disk that is full. */
  async function fullOf(count: number, budgetBytes = GIGABYTE) {
    const { core, room } = newRoom(tempPath(), budgetBytes);
    await room.write(() => appendRows(core, moves(count)));
    const [epoch] = core.epochs;
    if (epoch !== undefined) epoch.storedSeq = count;
    fillUp(core);
    onTestFinished(() => void core.db.close());
    return { core, room };
  }
  const spoil = ({ db }: LogCore) => db.exec('UPDATE event SET time = 9e15 WHERE pos = 1');
  /** So many collars to remember that the card has no room for them: the trim itself finds the disk full. */
  const crowd = ({ memory }: LogCore) =>
    memory.note(
      Array.from({ length: 2_000 }, (_, i) => event('cat.moved', { from: null, to: 'x'.repeat(40) }, i, `C${i}`)),
      1_000_000,
    );

  it('gives up what it can, and ends with the code where the trim finds it full as well', async () => {
    const { core, room } = await fullOf(2_000);
    crowd(core);
    await expect(room.write(() => appendRows(core, moves(400)))).rejects.toMatchObject({ code: 'SQLITE_FULL' });
    expect(core.failed).toMatchObject({ code: 'SQLITE_FULL' });
    expect(eventsOf(core)).toHaveLength(2_000);
  });

  it('is no reason to pass over damage that is met while room is made', async () => {
    const { core, room } = await fullOf(2_000);
    spoil(core);
    await expect(room.write(() => appendRows(core, moves(400)))).rejects.toMatchObject({ code: 'SQLITE_CORRUPT' });
    await expect(room.trim(T0)).rejects.toMatchObject({ code: 'SQLITE_CORRUPT' });
  });

  it('is told by a trim that it stops, which gives up the ballast and goes on with the next', async () => {
    const { core, room } = await fullOf(2_000, 600_000);
    crowd(core);
    writeFileSync(`${core.path}.ballast`, 'x');
    expect(await room.trim(T0)).toMatchObject({ deleted: 0, lost: 0, disk: { state: 'warn' } });
    expect([existsSync(`${core.path}.ballast`), core.failed]).toEqual([false, null]);
    core.db.pragma('max_page_count = 1000000');
    expect(await room.trim(T0)).toMatchObject({ deleted: 2_000, disk: { state: 'ok' } });
  });

  it('may be so full that the write-ahead log cannot be emptied: that alone ends nothing', async () => {
    const { core, room } = await fullOf(2_000);
    const pragma = vi.spyOn(core.db, 'pragma');
    const failWith = (code: string) =>
      pragma.mockImplementation((source, options) => {
        if (source !== 'wal_checkpoint(PASSIVE)') return real.call(core.db, source, options);
        throw Object.assign(new Error('no checkpoint'), { code });
      });
    failWith('SQLITE_FULL');
    await room.write(() => appendRows(core, moves(400)));
    expect(eventsOf(core).at(-1)?.seq).toBe(core.epochs[0]?.lastSeq);
    fillUp(core);
    failWith('SQLITE_IOERR_WRITE');
    await expect(room.write(() => appendRows(core, moves(400)))).rejects.toMatchObject({
      code: 'SQLITE_IOERR_WRITE',
      message: expect.stringContaining(`log ${core.path}: no checkpoint`),
    });
    expect(core.failed).toMatchObject({ code: 'SQLITE_IOERR_WRITE' });
  });

  it('leaves a log alone that is too small to win anything', async () => {
    const { core, room } = await fullOf(60);
    await expect(room.write(() => appendRows(core, moves(400)))).rejects.toMatchObject({ code: 'SQLITE_FULL' });
    expect(eventsOf(core)).toHaveLength(60);
  });
});

describe('the ballast', () => {
  it('is smaller on a small disk, is not made on a full one, and comes back when there is room', async () => {
    const path = tempPath();
    let free = 3 * MEGABYTE;
    const log = await openLog(path, {}, { freeBytes: () => free });
    await log.trim(T0);
    expect(existsSync(`${path}.ballast`)).toBe(false);
    free = 8 * MEGABYTE;
    await log.trim(T0);
    expect(statSync(`${path}.ballast`)).toMatchObject({ size: MEGABYTE / 2, blocks: MEGABYTE / 2 / 512 });
    expect(statSync(`${path}.ballast`).mode & 0o777).toBe(0o600);
    await log.close();
  });
});

describe('the disk budget', () => {
  it('warns before anything is given up, and is well again once central has confirmed', async () => {
    const log = await openLog(tempPath(), { budgetBytes: 1_000_000 });
    expect((await log.trim(T0)).disk?.state).toBe('ok');
    await log.append(moves(1_700));
    expect(await log.trim(T0)).toMatchObject({ lost: 0, disk: { state: 'warn' } });
    log.saveMark(log.epochs()[0]?.epoch ?? '', 1_700, 'i');
    expect(await log.trim(T0)).toMatchObject({ deleted: 0, lost: 0, disk: { state: 'ok' } });
    await log.close();
  });

  it('does not give a small log up because others have filled the disk', async () => {
    const log = await openLog(tempPath(), {}, { freeBytes: () => 0x5_0000 });
    await log.append(moves(500));
    expect(await log.trim(T0)).toMatchObject({ lost: 0 });
    await log.close();
  });
});

describe('another program at the file', () => {
  it('that locks it for a while is waited for', async () => {
    const path = tempPath();
    const { core, room, held } = newRoom(path);
    core.db.pragma('busy_timeout = 1');
    const other = new Database(path);
    const appended = () => {
      other.exec('BEGIN IMMEDIATE');
      const writing = room.write(() => appendRows(core, levels(2)));
      other.exec('COMMIT');
      return writing;
    };
    expect(await appended()).toMatchObject({ firstSeq: 1 });
    expect(core.failed).toBeNull();
    const told = `log ${path}: database is locked: end the program that holds it, such as a backup or an SQL shell`;
    expect(held).toEqual([told]);
    await appended();
    expect(held).toEqual([told, told]);
    other.close();
    core.db.close();
  });

  it('that locks it for good ends the log, with what to do', async () => {
    const path = tempPath();
    const { core, room, held } = newRoom(path);
    core.db.pragma('busy_timeout = 1');
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(room.write(() => appendRows(core, levels(2)))).rejects.toMatchObject({
      code: expect.stringMatching(/^SQLITE_BUSY/),
      message: expect.stringContaining('end the program that holds it'),
    });
    expect(core.failed).not.toBeNull();
    expect(held).toHaveLength(1);
    other.close();
    core.db.close();
  }, 20_000);

  it('that locks it while it is trimmed is let be: the next trim goes on', async () => {
    const path = tempPath();
    const { core, room, held } = newRoom(path, 600_000);
    core.db.pragma('busy_timeout = 1');
    await room.write(() => appendRows(core, moves(3_000)));
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    writeFileSync(`${path}.ballast`, 'x');
    expect(await room.trim(T0)).toMatchObject({ deleted: 0, lost: 0, disk: { state: 'warn' } });
    expect([existsSync(`${path}.ballast`), core.failed, held.length]).toEqual([true, null, 1]);
    other.close();
    expect((await room.trim(T0)).lost).toBeGreaterThan(0);
    core.db.close();
  });

  it('that backs it up copies whole events and stops nobody', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(moves(2_000));
    const other = new Database(path, { readonly: true });
    const copied = other.backup(`${path}.copy`, { progress: () => 10 });
    for (let i = 0; i < 20; i += 1) await log.append(levels(5));
    await copied;
    other.close();
    await log.close();
    const copy = await openLog(`${path}.copy`);
    const seqs = (await readAll(copy)).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    expect(seqs.length).toBeGreaterThanOrEqual(2_000);
    await copy.close();
  });

  it('that reads without an end makes the write-ahead log grow: it is said, and over when the reader is', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(10));
    const other = new Database(path, { readonly: true });
    const held = other.prepare('SELECT * FROM event').iterate();
    held.next();
    for (let i = 0; i < 30; i += 1) await log.append(moves(10, 60_000));
    const { disk } = await log.trim(T0);
    expect(disk?.walBytes).toBeGreaterThan(16 * MEGABYTE);
    expect(disk?.walHeld).toBe(true);
    held.return?.();
    other.close();
    for (let i = 0; i < 3; i += 1) await log.append(moves(10, 60_000));
    const after = (await log.trim(T0)).disk;
    expect(after?.walBytes).toBeLessThanOrEqual(8 * MEGABYTE);
    expect(after?.walHeld).toBe(false);
    await log.close();
  });
});
