/** What only a log in a thread of its own can do. All else is asked in `log-in-thread.test.ts`. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openHeadWitness } from '../../../src/agent/log/head-witness.ts';
import { MAX_CALLS } from '../../../src/agent/log/log-thread.ts';
import { openLogReader } from '../../../src/agent/log/open-log-reader.ts';
import { openLogWorker } from '../../../src/agent/log/open-log-worker.ts';
import { startLogThread } from '../../../src/agent/log/start-log-thread.ts';
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
  it('knows of an epoch that it is disowned before it knows of its mark', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(2));
    const epoch = await log.startEpoch('chains differ');
    const left = log.epochs()[0]?.epoch ?? '';
    log.disown(left);
    log.saveMark(left, 2, 'incarnation');
    expect((await log.append(levels(1))).epoch).toBe(epoch);
    await log.close();
    const witness = openHeadWitness(path);
    witness.close();
    expect(witness.found?.ended).toMatchObject([{ epoch: left, lastSeq: 2, storedSeq: 0, disowned: true }]);
  });

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

  it('tells what was just appended while the thread waits for the disk, as the file has it', async () => {
    const path = tempPath();
    const log = await openLog(path);
    const epoch = log.epochs()[0]?.epoch ?? '';
    for (const count of [3, 1, 4]) await log.append(levels(count));
    const disk = holdDisk(path);
    const waiting = log.append(levels(1));
    const [read, chains] = [
      await log.read(epoch, 2, 99, 5, 1e9),
      [await log.chainAt(epoch, 4), await log.chainAt(epoch, 8)],
    ];
    expect(log.epochs()[0]?.lastSeq).toBe(8);
    disk.release();
    await waiting;
    await log.close();
    const again = await openLog(path);
    expect(read.map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6]);
    expect(read).toEqual(await again.read(epoch, 2, 99, 5, 1e9));
    expect(chains).toEqual([await again.chainAt(epoch, 4), await again.chainAt(epoch, 8)]);
    await again.close();
  });

  it('tells of what was deleted nothing from memory', async () => {
    const log = await openLog(tempPath(), { keepDays: 0 });
    const epoch = log.epochs()[0]?.epoch ?? '';
    await log.append(levels(5));
    expect(await log.read(epoch, 1, 5, 9, 1e9)).toHaveLength(5);
    log.saveMark(epoch, 4, 'one');
    expect((await log.trim(T0 + 86_400_000)).deleted).toBe(4);
    expect((await log.read(epoch, 1, 5, 9, 1e9)).map(({ seq }) => seq)).toEqual([5]);
    expect(await log.read('nobody', 1, 5, 9, 1e9)).toEqual([]);
    expect(await log.chainAt('nobody', 1)).toBeNull();
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

  it('has no more calls with the thread at once than its limit', async () => {
    const thread = () => startLogThread(new URL('./waiting-worker.ts', import.meta.url));
    const log = await openLog(tempPath(), {}, { thread });
    const many = await Promise.all(Array.from({ length: MAX_CALLS * 3 }, () => log.append(levels(1))));
    expect(many).toEqual(Array(MAX_CALLS * 3).fill(MAX_CALLS));
  });

  it('sends one mark at a time, and then the newest of those that came meanwhile', async () => {
    const thread = () => startLogThread(new URL('./waiting-worker.ts', import.meta.url));
    const log = await openLog(tempPath(), {}, { thread });
    const epoch = log.epochs()[0]?.epoch ?? '';
    for (const seq of [1, 2, 3, 4]) log.saveMark(epoch, seq, `inc-${seq}`);
    expect(await log.remembered()).toEqual([`saveMark ${epoch} 1 inc-1`]);
    expect([log.epochs()[0]?.storedSeq, log.incarnation]).toEqual([4, 'inc-4']);
    await log.nextSession();
    const rest = ['nextSession', `saveMark ${epoch} 4 inc-4`];
    expect((await log.remembered()).slice(1)).toEqual(rest);
    // The newest is with the thread: what it says from then on counts again.
    await log.nextSession();
    expect((await log.remembered()).slice(1)).toEqual([...rest, 'nextSession']);
    expect([log.epochs()[0]?.storedSeq, log.incarnation]).toEqual([0, null]);
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

describe('what the thread tells', () => {
  it('comes to its caller: damage, what is lost by it, and the log that takes its place', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(20));
    await log.append(levels(20));
    const [head] = log.epochs();
    const hash = await log.chainAt(head?.epoch ?? '', 20);
    expect(Buffer.isBuffer(hash)).toBe(true);
    expect(await log.chainAt('no such epoch', 1)).toBeNull();
    await log.close();
    const db = new Database(path);
    db.exec('DELETE FROM event WHERE pos = 35');
    db.close();
    const told: string[] = [];
    const again = await openLog(
      path,
      {},
      {
        onDamaged: (_, reason) => told.push(reason),
        onLost: ({ fromSeq, toSeq }) => told.push(`${fromSeq} to ${toSeq}`),
      },
    );
    expect(told).toEqual([expect.stringContaining('20 events saved'), '21 to 40']);
    expect(again.epochs()).toMatchObject([{ lastSeq: 40 }, { lastSeq: 1 }]);
    expect(await again.chainAt(head?.epoch ?? '', 20)).toEqual(hash);
    expect(await again.chainAt(head?.epoch ?? '', 30)).toBeNull();
    await again.append(levels(1));
    const { epoch = '', lastSeq = 0 } = again.epochs().at(-1) ?? {};
    expect(await again.chainAt(epoch, lastSeq)).not.toBeNull();
    await again.close();
    // What is still in memory is no answer of a log that is closed.
    await expect(again.chainAt(epoch, lastSeq)).rejects.toMatchObject({ code: 'LOG_THREAD' });
  });

  it('is why it cannot be opened', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await expect(openLog(path)).rejects.toMatchObject({ code: 'LOG_IN_USE', message: expect.stringContaining(path) });
    await expect(log.append([{ ...event('meow.started', { level: 1 }), data: '' }])).rejects.toMatchObject({
      code: 'BAD_EVENT',
    });
    expect(await log.append(levels(1))).toMatchObject({ lastSeq: 1 });
    await log.close();
  });

  it('is all of the log: marks of each epoch, sources, boot, sessions and its size', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(4));
    const first = log.epochs()[0]?.epoch ?? '';
    const second = await log.startEpoch('test');
    const failed = { ...event('sensor.failed', { source: 's', reason: 'gone' }), subject: null };
    await log.append([{ ...failed, clock: 'unsynced', boot: 'b-1', monoMs: 1 }, ...levels(4)]);
    expect([log.agent, log.unsyncedBoot, log.failedSources]).toEqual(['porch', 'b-1', ['s']]);
    expect(log.bytes()).toBeGreaterThan(4_096);
    log.saveMark('no such epoch', 3, 'inc-0');
    expect(log.incarnation).toBeNull();
    log.saveMark(first, 9, 'inc-1');
    log.saveMark(second, -1, 'inc-2');
    const shown = [
      { epoch: first, storedSeq: 4 },
      { epoch: second, storedSeq: 0 },
    ];
    expect(log.epochs()).toMatchObject(shown);
    const session = await log.nextSession();
    expect(await log.nextSession()).toBe(session + 1);
    expect(log.epochs()).toMatchObject(shown);
    expect(await log.remembered()).toMatchObject([{ collar: 'C0FFEE01', openMeow: true }]);
    await log.close();
    const again = await openLog(path);
    expect([again.epochs(), again.incarnation]).toMatchObject([shown, 'inc-2']);
    await again.close();
  });

  it('wakes those who wait for an append or a new epoch', async () => {
    const log = await openLog(tempPath());
    const never = new AbortController();
    const waiting = () => log.appended(never.signal);
    for (const wake of [() => log.append(levels(1)), () => log.startEpoch('test')]) {
      let isAwake = false;
      const woken = waiting().then(() => {
        isAwake = true;
      });
      // What leaves the log as it is wakes nobody.
      log.saveMark(log.epochs()[0]?.epoch ?? '', 1, 'inc');
      for (let i = 0; i < 3; i += 1) await log.nextSession();
      expect(isAwake).toBe(false);
      await wake();
      await woken;
    }
    await log.close();
  });

  it('reads nothing from memory that was given up since', async () => {
    const path = tempPath();
    const log = await openLog(path, { budgetBytes: 80_000 });
    const pad = 'x'.repeat(400);
    for (let n = 0; n < 30; n += 1) {
      const moved = event('cat.moved', { from: null, to: `${n} ${pad}` }, n);
      await log.append([moved, ...levels(60, n * 60_000)]);
    }
    expect((await log.trim(T0)).lost).toBeGreaterThan(100);
    const reader = openLogReader(path);
    // As forward asks, for what was there before the trim and told it.
    const asked = [log.epochs()[0]?.epoch ?? '', 1, 30 * 61, 10_000, 1e9] as const;
    const held = await reader.read(...asked);
    reader.close();
    expect(held.length).toBeLessThan(1_000);
    expect(await log.read(...asked)).toEqual(held);
    await log.close();
  });

  it('has no time to come where the opening is aborted', async () => {
    const path = tempPath();
    const stop = AbortSignal.abort();
    const options = { path, agent: 'porch', keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 };
    const when = () => ({ time: timeAt(T0), clock: 'synced', boot: null, monoMs: null }) as const;
    await expect(openLogWorker(options, { when }, stop)).rejects.toMatchObject({ code: 'LOG_THREAD' });
    const later = new AbortController();
    const log = await openLogWorker(options, { when }, later.signal);
    // Once it is open the signal says nothing.
    later.abort();
    expect(await log.append(levels(1))).toMatchObject({ lastSeq: 1 });
    await log.close();
    const early = new AbortController();
    const opening = openLogWorker(options, { when }, early.signal);
    early.abort();
    await expect(opening).rejects.toMatchObject({ code: 'LOG_THREAD', message: expect.stringContaining('exit code') });
  });

  it('may be a fault of ours, which has no code', async () => {
    const thread = () => startLogThread(new URL('./dying-worker.ts', import.meta.url));
    const log = await openLog(tempPath(), {}, { thread });
    const error = await log.nextSession().catch((reason: unknown) => reason);
    expect(error).toEqual(new Error('a fault of ours'));
    expect(error).not.toHaveProperty('code');
    await expect(log.startEpoch('exit')).rejects.toMatchObject({ code: 'LOG_THREAD' });
  });
});

describe('a thread of the log that ends by itself', () => {
  const thread = () => startLogThread(new URL('./dying-worker.ts', import.meta.url));
  const refused = { code: 'LOG_THREAD', message: expect.stringContaining('the thread of the log has ended') };

  it.each([
    ['an error that nobody catches', 'throw', 'out of luck'],
    ['the end of its program', 'exit', 'exit code 3'],
    ['too little memory', 'memory', 'memory limit'],
  ])('by %s fails all calls that wait or come later', async (_, reason, why) => {
    const log = await openLog(tempPath(), {}, { thread });
    const calls = [log.appended(new AbortController().signal), log.append(levels(1)), log.startEpoch(reason)];
    for (let i = 0; i < MAX_CALLS; i += 1) calls.push(log.append(levels(1)));
    await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(refused)));
    const later = { code: 'LOG_THREAD', message: expect.stringContaining(why) };
    await expect(log.append(levels(1))).rejects.toMatchObject(later);
    await expect(log.appended(new AbortController().signal)).rejects.toMatchObject(refused);
    log.saveMark(log.epochs()[0]?.epoch ?? '', 1, 'inc');
    log.holdTrimming();
    await expect(log.close()).rejects.toMatchObject(refused);
  });

  it('is no error to those who no longer wait', async () => {
    const log = await openLog(tempPath(), {}, { thread });
    const stop = new AbortController();
    const waiting = log.appended(stop.signal);
    stop.abort();
    await expect(log.startEpoch('exit')).rejects.toMatchObject(refused);
    expect(await waiting).toBeUndefined();
  });
});
