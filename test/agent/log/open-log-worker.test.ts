/** What only a log in a thread of its own can do. All else is asked in `log-in-thread.test.ts`. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { MAX_CALLS } from '../../../src/agent/log/open-log-worker.ts';
import { event, levels, openLogInThread as openLog, readAll, T0, tempPath, timeAt } from './log-fixture.ts';

/** Keeps the thread waiting in its next write, as a slow card does, until released. */
function holdDisk(path: string): { release(): void } {
  const other = new Database(path);
  other.exec('BEGIN IMMEDIATE');
  return {
    release() {
      other.exec('ROLLBACK');
      other.close();
    },
  };
}

describe('a log in a thread of its own', () => {
  it('lets its caller go on while the disk is slow, and answers in the order of the calls', async () => {
    const path = tempPath();
    const log = await openLog(path);
    const disk = holdDisk(path);
    const order: string[] = [];
    const append = log.append(levels(2)).then(() => order.push('append'));
    const epoch = log.epochs()[0]?.epoch ?? '';
    const read = log.read(epoch, 1, 9, 9, 1e9).then((events) => order.push(`read ${events.length}`));
    // The wheel turns while the thread stands still.
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual([]);
    expect(log.epochs()[0]?.lastSeq).toBe(0);
    disk.release();
    await Promise.all([append, read]);
    expect(order).toEqual(['append', 'read 2']);
    expect(log.epochs()[0]?.lastSeq).toBe(2);
    await log.close();
  });

  it('takes more calls than its limit at once, and keeps their order', async () => {
    const log = await openLog(tempPath());
    const many = Array.from({ length: MAX_CALLS * 3 }, (_, i) => log.append([event('meow.started', { level: i })]));
    const seqs = (await Promise.all(many)).map(({ lastSeq }) => lastSeq);
    expect(seqs).toEqual(many.map((_, i) => i + 1));
    expect((await readAll(log)).map(({ data }) => data)).toEqual(many.map((_, i) => `{"level":${i}}`));
    await log.close();
  });

  it('knows a mark at once, and no answer that is older takes it back', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(5));
    const epoch = log.epochs()[0]?.epoch ?? '';
    const disk = holdDisk(path);
    const append = log.append(levels(1));
    for (const seq of [1, 2, 4, 3]) log.saveMark(epoch, seq, `inc-${seq}`);
    expect(log.epochs()[0]?.storedSeq).toBe(3);
    expect(log.incarnation).toBe('inc-3');
    disk.release();
    await append;
    expect(log.epochs()[0]).toMatchObject({ lastSeq: 6, storedSeq: 3 });
    await log.nextSession();
    expect(log.epochs()[0]?.storedSeq).toBe(3);
    expect(log.incarnation).toBe('inc-3');
    await log.close();
    const again = await openLog(path);
    expect(again.epochs()[0]?.storedSeq).toBe(3);
    expect(again.incarnation).toBe('inc-3');
    await again.close();
  });

  it('takes the time of events from its caller', async () => {
    const path = tempPath();
    let now = T0;
    const ports = { when: () => ({ time: timeAt(now), clock: 'synced', boot: null, monoMs: null }) as const };
    const log = await openLog(path, { budgetBytes: 100_000 }, ports);
    for (let i = 0; i < 30; i += 1) await log.append(levels(100));
    now = T0 + 77_000;
    expect((await log.trim(now)).lost).toBeGreaterThan(0);
    expect((await readAll(log)).at(-1)).toMatchObject({ type: 'collard.history.lost', time: timeAt(now) });
    await log.close();
  });
});

describe('a thread of the log that ends by itself', () => {
  const program = new URL('./dying-worker.ts', import.meta.url);
  const refused = { code: 'LOG_THREAD', message: expect.stringContaining('the thread of the log has ended') };

  it.each([
    ['an error that nobody catches', 'throw'],
    ['the end of its program', 'exit'],
    ['too little memory', 'memory'],
  ])('by %s fails all calls that wait or come later', async (_, reason) => {
    const log = await openLog(tempPath(), {}, { program });
    const calls = [log.appended(new AbortController().signal), log.append(levels(1)), log.startEpoch(reason)];
    for (let i = 0; i < MAX_CALLS; i += 1) calls.push(log.append(levels(1)));
    await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(refused)));
    await expect(log.append(levels(1))).rejects.toMatchObject(refused);
    await expect(log.appended(new AbortController().signal)).rejects.toMatchObject(refused);
    log.saveMark(log.epochs()[0]?.epoch ?? '', 1, 'inc');
    log.holdTrimming();
    await expect(log.close()).rejects.toMatchObject(refused);
  });

  it('is no error to those who no longer wait', async () => {
    const log = await openLog(tempPath(), {}, { program });
    const stop = new AbortController();
    const waiting = log.appended(stop.signal);
    stop.abort();
    await expect(log.startEpoch('exit')).rejects.toMatchObject(refused);
    expect(await waiting).toBeUndefined();
  });
});
