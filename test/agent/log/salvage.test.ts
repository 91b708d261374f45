import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { ASIDE_LIMIT, salvagePaths } from '../../../src/agent/log/aside.ts';
import type { Lost } from '../../../src/agent/log/begin.ts';
import { openHeadWitness } from '../../../src/agent/log/head-witness.ts';
import { salvage } from '../../../src/agent/log/salvage.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import type { StoredEvent } from '../../../src/contract/event.ts';
import { lostRanges } from '../../../src/contract/lost.ts';
import { event, levels, openLog, readAll, tempPath } from './log-fixture.ts';

interface Sound {
  readonly path: string;
  readonly epochs: readonly string[];
  readonly events: readonly StoredEvent[];
}

/** Two epochs of 30 groups of 10 events each, the first one confirmed up to `marked`. */
async function soundLog(marked = 0): Promise<Sound> {
  const path = tempPath();
  const log = await openLog(path);
  const append = async () => {
    for (let group = 0; group < 30; group += 1) await log.append(levels(10, group * 60_000));
  };
  await append();
  await log.startEpoch('test');
  await append();
  const epochs = log.epochs().map(({ epoch }) => epoch);
  if (marked > 0) log.saveMark(epochs[0] ?? '', marked, '01a20867-068a-70da-b9ee-759f41bde6a8');
  const events = await readAll(log);
  await log.close();
  return { path, epochs, events };
}

/** Spoils a closed log by SQL, and marks it as suspected. */
function spoil(path: string, sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
  writeFileSync(`${path}.suspect`, '');
}

async function reopen(path: string) {
  const lost: Lost[] = [];
  const damaged: string[] = [];
  const log = await openLog(
    path,
    {},
    {
      onLost: (one) => lost.push(one),
      onDamaged: (aside, reason) => damaged.push(`${basename(aside)}: ${reason}`),
    },
  );
  return { log, lost, damaged };
}

const only = (events: readonly StoredEvent[], ...types: string[]) => events.filter((e) => types.includes(e.type));
const meows = (events: readonly StoredEvent[]) => only(events, 'collard.meow.started');

describe('a damaged log', () => {
  it('gives back all groups that are whole, under their numbers, and tells the others', async () => {
    const { path, epochs, events } = await soundLog(25);
    spoil(path, `DELETE FROM event WHERE pos IN (44, 45, 96); UPDATE event SET data = '{"level":99}' WHERE pos = 333`);
    const { log, lost, damaged } = await reopen(path);
    const [first, second] = epochs;
    expect(lost).toEqual([
      { epoch: first, fromSeq: 41, toSeq: 100, count: 20, reason: 'damaged log', runs: [10, 40, 10] },
      { epoch: second, fromSeq: 31, toSeq: 40, count: 10, reason: 'damaged log' },
    ]);
    expect(damaged).toEqual([expect.stringMatching(/^events\.db\.damaged-2026.*; 570 events saved$/)]);
    const gone = (e: StoredEvent) =>
      e.epoch === first ? (e.seq > 40 && e.seq <= 50) || (e.seq > 90 && e.seq <= 100) : e.seq > 30 && e.seq <= 40;
    expect(meows(await readAll(log))).toEqual(events.filter((e) => !gone(e)));
    expect(log.epochs()).toMatchObject([
      { epoch: first, firstSeq: 1, lastSeq: 300, storedSeq: 25 },
      { epoch: second, firstSeq: 1, lastSeq: 300, storedSeq: 0 },
      { firstSeq: 1, lastSeq: 2 },
    ]);
    expect(log.incarnation).toBe('01a20867-068a-70da-b9ee-759f41bde6a8');
    await log.close();
    // Whole again: another doubt finds nothing.
    writeFileSync(`${path}.suspect`, '');
    const again = await reopen(path);
    expect(again.damaged).toEqual([]);
    expect(again.log.epochs()).toEqual(log.epochs());
    await again.log.close();
  });

  it('keeps the chain behind a hole', async () => {
    const { path, epochs } = await soundLog();
    const before = await openLog(path);
    const hashes = await Promise.all([100, 105, 300].map((seq) => before.chainAt(epochs[0] ?? '', seq)));
    await before.close();
    spoil(path, 'DELETE FROM event WHERE pos = 95');
    const { log } = await reopen(path);
    const after = await Promise.all([100, 105, 300].map((seq) => log.chainAt(epochs[0] ?? '', seq)));
    expect(after.map((hash) => hash && chainHex(hash))).toEqual(hashes.map((hash) => hash && chainHex(hash)));
    expect(await log.chainAt(epochs[0] ?? '', 95)).toBeNull();
    await log.close();
  });

  it('takes nothing from a witness of another agent but its newest word', async () => {
    const { path, epochs, events } = await soundLog();
    const before = openHeadWitness(path);
    const { found } = before;
    if (found === null) throw new Error('the log had a witness');
    const { ended: _, ...head } = found;
    before.note({ ...head, agent: 'shed' }, [{ ...head, no: 1, lastSeq: 999 }], () => head.chain);
    before.close();
    spoil(path, 'DELETE FROM event WHERE pos = 95');
    const { log, lost } = await reopen(path);
    expect(lost).toEqual([{ epoch: epochs[0], fromSeq: 91, toSeq: 100, count: 10, reason: 'damaged log' }]);
    expect(meows(await readAll(log))).toEqual(
      events.filter((one) => one.epoch !== epochs[0] || one.seq <= 90 || one.seq > 100),
    );
    await log.close();
  });

  it('does not tell what central has confirmed', async () => {
    const { path, epochs } = await soundLog(55);
    spoil(path, 'DELETE FROM event WHERE pos IN (5, 52)');
    const { log, lost } = await reopen(path);
    expect(lost).toMatchObject([{ epoch: epochs[0], fromSeq: 56, toSeq: 60, count: 5 }]);
    await log.close();
  });

  it('loses nothing where only a hash, a name or a place in its tables has changed', async () => {
    for (const sql of [
      'UPDATE chain SET hash = zeroblob(32) WHERE pos = 50',
      'UPDATE chain SET hash = zeroblob(3) WHERE pos = 350',
      "UPDATE epoch SET agent = 'pprch'",
      "UPDATE epoch SET id = '01a20867-068a-70da-b9ee-759f41bde6a8' WHERE no = 1",
      'UPDATE epoch SET base = 301 WHERE no = 2',
      'DELETE FROM epoch',
      'DROP TABLE epoch',
      'PRAGMA application_id = 5',
      'PRAGMA user_version = 9',
    ]) {
      const { path, epochs, events } = await soundLog();
      spoil(path, sql);
      const { log, lost, damaged } = await reopen(path);
      expect([sql, damaged.length, lost]).toEqual([sql, 1, []]);
      expect(await readAll(log)).toEqual(events);
      expect(
        log
          .epochs()
          .map(({ epoch }) => epoch)
          .slice(0, 2),
      ).toEqual(epochs);
      await log.close();
    }
  });

  it('whose pages are broken is read around them', async () => {
    const { path, events } = await soundLog();
    const bytes = readFileSync(path);
    const at = bytes.indexOf('"level":7}', bytes.length / 2);
    bytes.fill(0xa5, at - (at % 4_096), at - (at % 4_096) + 4_096);
    writeFileSync(path, bytes);
    writeFileSync(`${path}.suspect`, '');
    const { log, lost } = await reopen(path);
    const saved = meows(await readAll(log));
    const told = lost.reduce((sum, { count }) => sum + count, 0);
    expect(saved.length + told).toBe(600);
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThan(150);
    expect(events).toEqual(expect.arrayContaining([...saved]));
    await log.close();
  });

  it('tells all by the witness where nothing of it can be read', async () => {
    const { path, epochs } = await soundLog();
    writeFileSync(path, Buffer.alloc(50_000, 0x5a));
    const { log, lost } = await reopen(path);
    const all = epochs.map((epoch) => ({ epoch, fromSeq: 1, toSeq: 300, count: 300, reason: 'damaged log' }));
    expect(lost).toMatchObject(all);
    const ended = epochs.map((epoch) => ({ epoch, firstSeq: 301, lastSeq: 300 }));
    expect(log.epochs()).toMatchObject([...ended, { lastSeq: 2 }]);
    await log.close();
  });

  it('tells only what central has not confirmed, where the witness knows that', async () => {
    const { path, epochs } = await soundLog(25);
    writeFileSync(path, Buffer.alloc(50_000, 0x5a));
    const { log, lost } = await reopen(path);
    expect(lost).toMatchObject([
      { epoch: epochs[0], fromSeq: 26, toSeq: 300, count: 275 },
      { epoch: epochs[1], fromSeq: 1, toSeq: 300, count: 300 },
    ]);
    expect(log.epochs()).toMatchObject([{ storedSeq: 25 }, { storedSeq: 0 }, { lastSeq: 2 }]);
    await log.close();
  });

  it('of many events is saved in several transactions, and belongs to its user alone', async () => {
    const path = tempPath();
    const log = await openLog(path);
    for (let group = 0; group < 10; group += 1) await log.append(levels(500, group * 1_000_000));
    const events = await readAll(log);
    await log.close();
    spoil(path, 'DELETE FROM event WHERE pos = 4700');
    const { log: again, lost } = await reopen(path);
    expect(lost).toMatchObject([{ fromSeq: 4_501, toSeq: 5_000, count: 500 }]);
    expect(meows(await readAll(again))).toEqual(events.slice(0, 4_500));
    await again.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('and says that nobody knows what it held where the witness is gone too', async () => {
    const { path } = await soundLog();
    writeFileSync(path, Buffer.alloc(50_000, 0x5a));
    rmSync(`${path}.head`);
    const { log, lost } = await reopen(path);
    expect(lost).toMatchObject([{ fromSeq: 0, toSeq: 0, count: 0, reason: 'damaged log' }]);
    await log.close();
  });

  it('goes on numbering and remembering as if nothing had been', async () => {
    const { path } = await soundLog();
    spoil(path, 'DELETE FROM event WHERE pos = 590');
    const { log } = await reopen(path);
    expect(await log.remembered()).toMatchObject([{ collar: 'C0FFEE01', openMeow: true }]);
    expect(await log.append(levels(1))).toMatchObject({ firstSeq: 2 });
    await log.close();
  });

  it('is kept, but no more of them than the limit', async () => {
    const { path } = await soundLog();
    for (let i = 1; i <= ASIDE_LIMIT + 2; i += 1) {
      writeFileSync(`${path}.damaged-2026-01-0${i}T00-00-00-000Z`, '');
      writeFileSync(`${path}.damaged-2026-01-0${i}T00-00-00-000Z-wal`, '');
    }
    spoil(path, 'DELETE FROM event WHERE pos = 95');
    await (await reopen(path)).log.close();
    const kept = readdirSync(dirname(path)).filter((name) => name.includes('.damaged-'));
    expect(kept.filter((name) => name.endsWith('Z')).sort()).toEqual([
      expect.stringContaining('2026-01-04'),
      expect.stringContaining('2026-01-05'),
      expect.stringContaining('2026-11-23'),
    ]);
    expect(kept.filter((name) => name.includes('2026-01-01'))).toEqual([]);
  });
});

describe('what the tables of a damaged log say', () => {
  it('is enough where there is no witness: each epoch ends where its last proven event is', async () => {
    const { path, epochs, events } = await soundLog(25);
    rmSync(`${path}.head`);
    spoil(path, 'DELETE FROM event WHERE pos IN (295, 595)');
    const { log, lost } = await reopen(path);
    expect(lost).toMatchObject([
      { epoch: epochs[0], fromSeq: 291, toSeq: 300 },
      { epoch: epochs[1], fromSeq: 291, toSeq: 300 },
    ]);
    // How the first one ended the second one has kept; how the last one ended nobody knows.
    expect(log.epochs()).toMatchObject([
      { epoch: epochs[0], lastSeq: 300, storedSeq: 25 },
      { epoch: epochs[1], lastSeq: 290, storedSeq: 0 },
      { lastSeq: 2 },
    ]);
    expect(await log.chainAt(epochs[0] ?? '', 300)).not.toBeNull();
    expect(meows(await readAll(log))).toHaveLength(events.length - 20);
    await log.close();
  });

  it('is not believed where another story is proved', async () => {
    for (const sql of [
      'UPDATE epoch SET base = 301 WHERE no = 2',
      `UPDATE fact SET value = json_set(value, '$.base', 5) WHERE key = 'epoch/1'`,
      `UPDATE fact SET value = json_set(value, '$.epoch', '01a20867-068a-70da-b9ee-759f41bde6a8') WHERE key = 'epoch/1'`,
    ]) {
      const { path, epochs, events } = await soundLog(40);
      spoil(path, sql);
      const { log, lost, damaged } = await reopen(path);
      expect([sql, damaged.length, lost]).toEqual([sql, 1, []]);
      expect(log.epochs()).toMatchObject([
        { epoch: epochs[0], storedSeq: 40 },
        { epoch: epochs[1], storedSeq: 0 },
        { lastSeq: 0 },
      ]);
      expect(meows(await readAll(log))).toEqual(events);
      await log.close();
    }
  });

  it('may be of epochs that hold nothing: they stay in their order', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.startEpoch('test');
    await log.append(levels(10));
    await log.startEpoch('test');
    await log.startEpoch('test');
    const epochs = log.epochs().map(({ epoch }) => epoch);
    await log.close();
    spoil(path, "DELETE FROM fact WHERE key = 'epoch/4'; UPDATE epoch SET agent = 'qorch' WHERE no = 4");
    const { log: again, lost, damaged } = await reopen(path);
    expect([damaged.length, lost]).toEqual([1, []]);
    expect(again.epochs().map(({ epoch, lastSeq }) => [epoch, lastSeq])).toEqual([
      [epochs[0], 0],
      [epochs[1], 10],
      [epochs[2], 0],
      [epochs[3], 0],
      [expect.any(String), 0],
    ]);
    await again.close();
  });

  it('may tell losses already: they are not told again, to the event', async () => {
    const path = tempPath();
    const log = await openLog(path);
    for (let group = 0; group < 30; group += 1) await log.append(levels(10, group * 60_000));
    const epoch = log.epochs()[0]?.epoch ?? '';
    const tell = (about: string, fromSeq: number, toSeq: number, runs?: number[]) => ({
      ...event('history.lost', { epoch: about, fromSeq, toSeq, count: 0, reason: 'test', ...(runs && { runs }) }),
      subject: null,
    });
    await log.append([
      tell(epoch, 155, 300, [46, 50, 50]),
      tell(epoch, 45, 95),
      tell(epoch, 150, 152),
      tell('another epoch', 1, 300),
      tell(epoch, 0, 0),
    ]);
    await log.close();
    spoil(path, 'DELETE FROM event WHERE pos IN (45, 95, 145, 155, 205, 255)');
    const { log: again, lost } = await reopen(path);
    expect(lost.flatMap((one) => lostRanges({ ...one }) ?? [])).toEqual([
      [41, 44],
      [96, 100],
      [141, 149],
      [153, 154],
      [201, 210],
    ]);
    expect(again.epochs()[0]?.tells).toHaveLength(5);
    await again.close();
  });
});

describe('a damaged log on a disk with little room', () => {
  /** Lets the first `times` tries run into a full disk. */
  function fullAt(times: number) {
    const tries: boolean[] = [];
    const script: typeof salvage = async (options, ports) => {
      tries.push(options.onlyUnconfirmed);
      if (tries.length > times) return salvage(options, ports);
      writeFileSync(options.target, 'as far as it came');
      throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' });
    };
    return { tries, salvage: script };
  }

  it('leaves behind what central holds', async () => {
    const { path, epochs } = await soundLog(95);
    spoil(path, 'DELETE FROM event WHERE pos = 205');
    const { tries, salvage } = fullAt(1);
    const log = await openLog(path, {}, { salvage });
    expect(tries).toEqual([false, true]);
    expect(log.epochs().slice(0, 2)).toMatchObject([
      { epoch: epochs[0], firstSeq: 91, lastSeq: 300, storedSeq: 95 },
      { epoch: epochs[1], firstSeq: 1, lastSeq: 300 },
    ]);
    expect(meows(await readAll(log))).toHaveLength(500);
    await log.close();
  });

  it('starts without anything where even that finds no room, and tells what the witness knows', async () => {
    const { path, epochs } = await soundLog();
    spoil(path, 'DELETE FROM event WHERE pos = 205');
    const { tries, salvage } = fullAt(2);
    const told: string[] = [];
    const lost: Lost[] = [];
    const ports = { salvage, onDamaged: (_: string, reason: string) => told.push(reason) };
    const log = await openLog(path, {}, { ...ports, onLost: (one) => lost.push(one) });
    expect(tries).toEqual([false, true]);
    expect(told).toEqual([expect.stringContaining('no room to save anything')]);
    expect(lost).toMatchObject(epochs.map((epoch) => ({ epoch, fromSeq: 1, toSeq: 300, count: 300 })));
    expect(await log.append(levels(1))).toMatchObject({ firstSeq: 3 });
    expect(readdirSync(dirname(path)).filter((name) => name.includes('salvage'))).toEqual([]);
    await log.close();
  });
});

describe('an event that changed on the card', () => {
  it('never leaves the log: reading stops there, and the next start saves the rest', async () => {
    const { path, events } = await soundLog();
    const db = new Database(path);
    db.exec(`UPDATE event SET data = '{"level":99}' WHERE pos = 95`);
    db.close();
    const log = await openLog(path);
    const epoch = log.epochs()[0]?.epoch ?? '';
    expect(await log.read(epoch, 1, 90, 1_000, 1e9)).toHaveLength(90);
    for (const [from, to] of [
      [91, 91],
      [98, 98],
      [1, 300],
    ] as const)
      await expect(log.read(epoch, from, to, 1_000, 1e9)).rejects.toMatchObject({ code: 'SQLITE_CORRUPT' });
    await log.close();
    const { log: again, lost } = await reopen(path);
    expect(lost).toMatchObject([{ epoch, fromSeq: 91, toSeq: 100, count: 10 }]);
    expect(meows(await readAll(again))).toHaveLength(events.length - 10);
    await again.close();
  });
});

describe('events that are not there any more', () => {
  it.each([
    ['in the middle', 'DELETE FROM event WHERE pos BETWEEN 101 AND 120'],
    ['at the end of an epoch', 'DELETE FROM event WHERE pos BETWEEN 271 AND 300'],
  ])('are not passed over %s, where nothing tells that they were given up', async (_, sql) => {
    const { path } = await soundLog();
    const db = new Database(path);
    db.exec(sql);
    db.close();
    const first = await openLog(path);
    await expect(readAll(first)).rejects.toMatchObject({ code: 'SQLITE_CORRUPT' });
    await first.close();
    const { log, lost } = await reopen(path);
    expect(lost).toHaveLength(1);
    await log.close();
  });

  it('are told at once where they were the oldest', async () => {
    const { path, epochs } = await soundLog();
    const db = new Database(path);
    db.exec('DELETE FROM event WHERE pos BETWEEN 301 AND 320');
    db.close();
    const { log, lost } = await reopen(path);
    expect(lost).toMatchObject([{ epoch: epochs[1], fromSeq: 1, toSeq: 20, count: 20 }]);
    await log.close();
  });
});

describe('a salvage that was stopped', () => {
  /** What lies there once a salvage has been done, kept beside: the damaged files, and the whole new one. */
  async function done() {
    const sound = await soundLog();
    const { path } = sound;
    spoil(path, 'DELETE FROM event WHERE pos = 95');
    const head = readFileSync(`${path}.head`);
    const { log } = await reopen(path);
    const epochs = log.epochs();
    await log.close();
    const folder = dirname(path);
    const aside = join(folder, readdirSync(folder).find((name) => name.includes('.damaged-')) ?? '');
    const keep = join(folder, 'keep');
    mkdirSync(keep);
    renameSync(aside, join(keep, 'damaged'));
    renameSync(path, join(keep, 'made'));
    writeFileSync(`${path}.head`, head);
    return { ...sound, damaged: join(keep, 'damaged'), made: join(keep, 'made'), after: epochs };
  }

  it('in the middle of its work is done again', async () => {
    const { path, damaged, after } = await done();
    copyFileSync(damaged, path);
    writeFileSync(`${path}.suspect`, '');
    for (const suffix of ['', '-wal', '-shm']) writeFileSync(salvagePaths(path).making + suffix, 'half of it');
    const { log, lost } = await reopen(path);
    expect(lost).toMatchObject([{ fromSeq: 91, toSeq: 100 }]);
    expect(log.epochs().slice(0, 2)).toEqual(after.slice(0, 2));
    expect(readdirSync(dirname(path)).filter((name) => name.includes('salvage'))).toEqual([]);
    await log.close();
  });

  it.each([
    ['before the damaged file was moved', true],
    ['after it', false],
  ])('%s is taken as it was made', async (_, isThere) => {
    const { path, damaged, made, after } = await done();
    if (isThere) copyFileSync(damaged, path);
    copyFileSync(made, salvagePaths(path).made);
    const { log, lost, damaged: told } = await reopen(path);
    expect(lost).toEqual([]);
    expect(told).toEqual([expect.stringContaining('a salvage that was interrupted is finished')]);
    expect(log.epochs()).toEqual(after);
    expect(existsSync(salvagePaths(path).made)).toBe(false);
    await log.close();
  });
});
