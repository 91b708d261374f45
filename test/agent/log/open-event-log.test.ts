import { existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openLogReader } from '../../../src/agent/log/open-log-reader.ts';
import { chainHex, chainOver, chainStart } from '../../../src/contract/chain.ts';
import type { NewEvent } from '../../../src/contract/event.ts';
import { event, levels, openLog, readAll, T0, tempFolder, tempPath, timeAt } from './log-fixture.ts';

describe('a log', () => {
  it('gives back what was appended, numbered from 1, over a reopen', async () => {
    const path = tempPath();
    const log = await openLog(path);
    const unsynced = {
      ...event('battery.low', { percent: 7.5 }),
      clock: 'unsynced',
      boot: 'b-1',
      monoMs: 12.25,
    } as const;
    const stranger = { ...event('meow.started', { level: 1 }), type: 'org.else.thing', version: 7, subject: null };
    expect(await log.append([unsynced, stranger])).toMatchObject({ firstSeq: 1, lastSeq: 2 });
    expect(await log.append(levels(1))).toMatchObject({ firstSeq: 3, lastSeq: 3 });
    await log.close();
    const again = await openLog(path);
    const [epoch] = again.epochs();
    expect(epoch).toMatchObject({ firstSeq: 1, lastSeq: 3, storedSeq: 0 });
    expect(await readAll(again)).toEqual(
      [unsynced, stranger, ...levels(1)].map((e, i) => ({ ...e, epoch: epoch?.epoch, seq: i + 1 })),
    );
    expect(again.unsyncedBoot).toBe('b-1');
    await again.close();
  });

  it('keeps seq gapless and its chain equal to the contract, whatever the groups and reopenings', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 7 }) }) },
      { weight: 1, arbitrary: fc.constant('reopen' as const) },
      { weight: 1, arbitrary: fc.constant('epoch' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const path = join(tempFolder(), 'events.db');
        let log = await openLog(path);
        for (const one of steps) {
          if (one === 'reopen') {
            await log.close();
            log = await openLog(path);
          } else if (one === 'epoch') await log.startEpoch('test');
          else await log.append(levels(one.append));
        }
        for (const { epoch, lastSeq } of log.epochs()) {
          const events = await log.read(epoch, 1, lastSeq, 1_000, 1e9);
          expect(events.map((e) => e.seq)).toEqual(events.map((_, i) => i + 1));
          expect(events.length).toBe(lastSeq);
          const start = chainStart('porch', epoch);
          for (let seq = 0; seq <= lastSeq; seq += 1) {
            const hash = await log.chainAt(epoch, seq);
            expect(hash && chainHex(hash)).toBe(chainHex(chainOver(start, events.slice(0, seq))));
          }
          expect(await log.chainAt(epoch, lastSeq + 1)).toBeNull();
        }
        await log.close();
      }),
      { numRuns: 25 },
    );
  });

  it('reads a range with its limits', async () => {
    const log = await openLog(tempPath());
    await log.append(levels(10));
    const epoch = log.epochs()[0]?.epoch ?? '';
    const seqs = async (from: number, to: number, limit: number, bytes: number) =>
      (await log.read(epoch, from, to, limit, bytes)).map((e) => e.seq);
    expect(await seqs(3, 5, 100, 1e6)).toEqual([3, 4, 5]);
    expect(await seqs(3, 99, 2, 1e6)).toEqual([3, 4]);
    expect(await seqs(3, 99, 100, 1)).toEqual([3]);
    expect(await seqs(11, 20, 100, 1e6)).toEqual([]);
    expect(await log.read('no such epoch', 1, 9, 9, 9)).toEqual([]);
    await log.close();
  });

  it('refuses an event that central would refuse, and appends nothing of the group', async () => {
    const log = await openLog(tempPath());
    const good = event('meow.started', { level: 1 });
    const bad: NewEvent[] = [
      { ...good, data: '{"1":2}', subject: `collar/${'x'.repeat(300)}` },
      { ...good, data: '{ "level": 1 }' },
      { ...good, data: '{"level":' },
      { ...good, time: '2026-11-23' },
      { ...good, subject: 'collar/\ud800' },
      { ...good, clock: 'unsynced' },
      { ...good, type: '' },
    ];
    for (const one of bad) await expect(log.append([good, one])).rejects.toMatchObject({ code: 'BAD_EVENT' });
    expect(await log.append([good])).toMatchObject({ firstSeq: 1, lastSeq: 1 });
    await log.close();
  });

  it('needs no flush for nothing, and knows nothing of epochs that are not its own', async () => {
    const log = await openLog(tempPath());
    await log.append(levels(3));
    const [head] = log.epochs();
    expect(await log.append([])).toEqual({ epoch: head?.epoch, firstSeq: 4, lastSeq: 3 });
    log.saveMark('no such epoch', 2, 'inc-1');
    expect([log.incarnation, log.epochs()]).toEqual([null, [head]]);
    expect(await log.chainAt('no such epoch', 0)).toBeNull();
    await log.close();
  });

  it('tells waiters of the next append, and lets them go when their signal aborts', async () => {
    const log = await openLog(tempPath());
    const next = log.appended(new AbortController().signal);
    await log.append(levels(1));
    await next;
    const stop = new AbortController();
    const never = log.appended(stop.signal);
    stop.abort();
    await never;
    await log.close();
  });

  it('keeps marks, incarnation and session over a restart', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(5));
    const epoch = log.epochs()[0]?.epoch ?? '';
    log.saveMark(epoch, 4, 'inc-1');
    expect(log.epochs()[0]?.storedSeq).toBe(4);
    const session = await log.nextSession();
    expect(await log.nextSession()).toBe(session + 1);
    await log.close();
    const again = await openLog(path);
    expect(again.epochs()[0]?.storedSeq).toBe(4);
    expect(again.incarnation).toBe('inc-1');
    expect(await again.nextSession()).toBe(session + 2);
    again.saveMark(epoch, 2, 'inc-2');
    expect(again.epochs()[0]?.storedSeq).toBe(2);
    again.saveMark(epoch, 999, 'inc-2');
    expect(again.epochs()[0]?.storedSeq).toBe(5);
    await again.close();
  });

  it('writes a mark by itself after markFlushMs, without an append', async () => {
    const path = tempPath();
    const log = await openLog(path, { markFlushMs: 5 });
    await log.append(levels(5));
    log.saveMark(log.epochs()[0]?.epoch ?? '', 4, 'inc-1');
    const reader = openLogReader(path);
    await expect.poll(() => reader.epochs()[0]?.storedSeq).toBe(4);
    reader.close();
    await log.close();
  });

  it('starts a new epoch behind the old one, which stays readable', async () => {
    const log = await openLog(tempPath());
    await log.append(levels(3));
    const first = log.epochs()[0]?.epoch;
    const second = await log.startEpoch('cloned card');
    expect(await log.append(levels(2))).toMatchObject({ epoch: second, firstSeq: 1, lastSeq: 2 });
    expect(log.epochs()).toMatchObject([
      { epoch: first, firstSeq: 1, lastSeq: 3 },
      { epoch: second, firstSeq: 1, lastSeq: 2 },
    ]);
    expect((await readAll(log)).length).toBe(5);
    await log.close();
  });

  it('begins an epoch with the conflict that is its reason, in one commit', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(3));
    const conflict = { epoch: log.epochs()[0]?.epoch ?? '', seq: 2, reason: 'chains differ' };
    const second = await log.startEpoch('chains differ', conflict);
    expect(log.epochs().at(-1)).toMatchObject({ epoch: second, firstSeq: 1, lastSeq: 1 });
    await log.close();
    const again = await openLog(path);
    const [told] = await again.read(second, 1, 9, 9, 1_000);
    expect([told?.type, JSON.parse(told?.data ?? '')]).toEqual(['collard.history.conflict', conflict]);
    await again.close();
  });

  it('remembers place, open meow, silence and battery of each collar', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append([
      event('cat.moved', { from: null, to: 'kitchen' }, 0, 'A'),
      event('meow.started', { level: 1 }, 1, 'A'),
      event('meow.started', { level: 1 }, 2, 'B'),
      event('meow.ended', { durationMs: 1, peakG: 1, readings: 1, place: null }, 3, 'B'),
      event('collar.silent', { lastSeen: timeAt(T0) }, 4, 'B'),
      event('battery.low', { percent: 3 }, 5, 'B'),
      { ...event('sensor.failed', { source: '/dev/x', reason: 'gone' }, 6), subject: null },
    ]);
    await log.close();
    const again = await openLog(path);
    const b = { collar: 'B', place: null, openMeow: false, silent: true, batteryLow: true, lastEvent: timeAt(T0 + 5) };
    expect(await again.remembered()).toEqual([
      { collar: 'A', place: 'kitchen', openMeow: true, silent: false, batteryLow: false, lastEvent: timeAt(T0 + 1) },
      b,
    ]);
    expect(again.failedSources).toEqual(['/dev/x']);
    await again.append([event('collar.heard', { lastSeen: timeAt(T0) }, 6, 'B')]);
    expect((await again.remembered()).at(-1)).toEqual({ ...b, silent: false, lastEvent: timeAt(T0 + 6) });
    await again.close();
  });
});

describe('the file of a log', () => {
  it('is WAL with synchronous=FULL, for its owner only', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(1));
    for (const suffix of ['', '-wal', '-shm', '.lock']) expect(statSync(path + suffix).mode & 0o777).toBe(0o600);
    expect(log.bytes()).toBeGreaterThan(4_096);
    await log.close();
    const db = new Database(path, { readonly: true });
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(db.pragma('application_id', { simple: true })).toBe(0x636f6c6c);
    db.close();
  });

  it('takes about 100 bytes for an event', async () => {
    const path = tempPath();
    const log = await openLog(path);
    const meow = event('meow.ended', { durationMs: 430, peakG: 1.84, readings: 17, place: 'kitchen' });
    for (let i = 0; i < 20; i += 1) await log.append(Array.from({ length: 500 }, () => meow));
    await log.close();
    expect(statSync(path).size / 10_000).toBeLessThan(125);
  });

  it('belongs to one process at a time, and is readable beside it', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(2));
    await expect(openLog(path)).rejects.toMatchObject({ code: 'LOG_IN_USE', message: expect.stringContaining(path) });
    const reader = openLogReader(path);
    expect(reader.agent).toBe('porch');
    expect((await readAll(reader)).length).toBe(2);
    await log.append(levels(1));
    expect((await readAll(reader)).length).toBe(3);
    const epoch = log.epochs()[0]?.epoch ?? '';
    expect(await reader.chainAt(epoch, 3)).toEqual(await log.chainAt(epoch, 3));
    await log.close();
    expect((await readAll(reader)).length).toBe(3);
    reader.close();
    await (await openLog(path)).close();
  });

  it('opens where its witness cannot be read, and says so', async () => {
    const path = tempPath();
    const before = await openLog(path);
    await before.append(levels(3));
    await before.close();
    rmSync(`${path}.head`);
    // Reads of it fail as those of a bad sector do.
    symlinkSync('/proc/self/mem', `${path}.head`);
    const told: string[] = [];
    const log = await openLog(path, {}, { onBlind: (message) => told.push(message) });
    expect(told).toEqual([expect.stringContaining(`log ${path}.head: EIO`)]);
    expect(await log.append(levels(2))).toMatchObject({ firstSeq: 4, lastSeq: 5 });
    await log.close();
  });

  it('names path and fix where its folder cannot be written', async () => {
    const file = join(tempFolder(), 'a-file');
    writeFileSync(file, '');
    await expect(openLog(join(file, 'events.db'))).rejects.toMatchObject({
      code: expect.stringMatching(/^(ENOTDIR|EEXIST)$/),
      message: expect.stringMatching(/a-file.*set log\.path/),
    });
  });

  it('refuses the log of another agent', async () => {
    const path = tempPath();
    await (await openLog(path)).close();
    await expect(openLog(path, { agent: 'garden' })).rejects.toMatchObject({ code: 'LOG_OTHER_AGENT' });
  });

  it('leaves the database of another program alone', async () => {
    const path = tempPath();
    const db = new Database(path);
    db.exec('CREATE TABLE theirs (x)');
    db.close();
    await expect(openLog(path)).rejects.toMatchObject({ code: 'LOG_FOREIGN' });
    expect(() => openLogReader(path)).toThrow(expect.objectContaining({ code: 'LOG_FOREIGN' }));
    expect(existsSync(path)).toBe(true);
  });

  it('says that there is no log to read', () => {
    expect(() => openLogReader(tempPath())).toThrow(expect.objectContaining({ code: 'LOG_MISSING' }));
  });
});

describe('a damaged log', () => {
  const damages: readonly [string, (bytes: Buffer) => Buffer][] = [
    ['is no database', () => Buffer.from('this is not a database, it is a shopping list '.repeat(100))],
    ['has another header', (bytes) => Buffer.concat([Buffer.alloc(100), bytes.subarray(100)])],
    ['was cut short', (bytes) => bytes.subarray(0, 4_096)],
    ['has pages of zeros', (bytes) => Buffer.concat([bytes.subarray(0, 4_096), Buffer.alloc(bytes.length - 4_096)])],
  ];
  it.each(damages)('that %s is moved aside; a new one begins and says so', async (_, harm) => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(100));
    await log.close();
    writeFileSync(path, harm(readFileSync(path)));
    const asides: string[] = [];
    const again = await openLog(path, {}, { onDamaged: (aside) => asides.push(aside) });
    expect(asides).toHaveLength(1);
    expect(existsSync(asides[0] ?? '')).toBe(true);
    expect(await readAll(again)).toMatchObject([
      { seq: 1, type: 'collard.history.lost', data: expect.stringContaining('"reason":"damaged log"') },
    ]);
    await again.close();
    const third = await openLog(path);
    expect(third.epochs()).toEqual(again.epochs());
    await third.close();
  });

  it('with an end that does not match its chain is moved aside', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(10));
    await log.close();
    const db = new Database(path);
    db.exec(`UPDATE event SET data = '{"level":77}' WHERE pos = 10`);
    db.close();
    const again = await openLog(path);
    expect(await readAll(again)).toMatchObject([
      { type: 'collard.history.lost', data: expect.stringContaining('"count":10') },
    ]);
    expect(readdirSync(dirname(path)).filter((name) => name.includes('.damaged-')).length).toBeGreaterThan(0);
    await again.close();
  });

  it('that was suspected is read from end to end before it is trusted again', async () => {
    const path = tempPath();
    const log = await openLog(path);
    for (let i = 0; i < 20; i += 1) await log.append(levels(100));
    await log.close();
    const bytes = readFileSync(path);
    bytes.fill(0xff, 4_096 * 8, 4_096 * 9);
    writeFileSync(path, bytes);
    writeFileSync(`${path}.suspect`, '');
    const told: string[] = [];
    const again = await openLog(path, {}, { onDamaged: (_, reason) => told.push(reason) });
    expect(told).toHaveLength(1);
    const lost = (await readAll(again)).filter(({ type }) => type === 'collard.history.lost');
    const gone = lost.reduce((sum, { data }) => sum + JSON.parse(data).count, 0);
    expect((await readAll(again)).length - lost.length + gone).toBe(2_000);
    await again.close();
    writeFileSync(`${path}.suspect`, '');
    const third = await openLog(path, {}, { onDamaged: (_, reason) => expect.unreachable(reason) });
    expect(third.epochs()).toEqual(again.epochs());
    await third.close();
  });
});

describe('damage in the middle of a log', () => {
  /** `at`: of an event in the middle of the file. */
  async function longLog(): Promise<{ path: string; bytes: Buffer; at: number }> {
    const path = tempPath();
    const log = await openLog(path);
    for (let i = 0; i < 20; i += 1) await log.append(levels(100));
    await log.close();
    const bytes = readFileSync(path);
    const at = bytes.indexOf('"level":55}', bytes.length / 2);
    expect(at).toBeGreaterThan(0);
    return { path, bytes, at };
  }

  it('ends the first start that reads it, and is put aside by the next', async () => {
    const { path, bytes, at } = await longLog();
    const page = at - (at % 4_096);
    writeFileSync(path, bytes.fill(0xff, page, page + 4_096));
    const log = await openLog(path);
    await expect(readAll(log)).rejects.toMatchObject({
      code: 'SQLITE_CORRUPT',
      message: expect.stringContaining(path),
    });
    await log.close();
    const again = await openLog(path);
    expect((await readAll(again)).at(-1)).toMatchObject({ type: 'collard.history.lost' });
    await again.close();
  });

  it('that changed an event shows in the chain when the log is suspected', async () => {
    const { path, bytes, at } = await longLog();
    bytes.write('"level":56}', at);
    writeFileSync(path, bytes);
    writeFileSync(`${path}.suspect`, '');
    const told: string[] = [];
    const log = await openLog(path, {}, { onDamaged: (_, reason) => told.push(reason) });
    expect(told).toEqual([expect.stringMatching(/missing or have changed; 1900 events saved/)]);
    await log.close();
  });
});

describe('a log whose disk fails', () => {
  it('refuses everything after the first failed write', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(1));
    const other = new Database(path);
    other.exec("CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'no more'); END");
    other.close();
    await expect(log.append(levels(1))).rejects.toMatchObject({ code: expect.stringMatching(/^SQLITE_/) });
    await expect(log.append(levels(1))).rejects.toMatchObject({ code: 'LOG_FAILED' });
    await log.close();
  });
});
