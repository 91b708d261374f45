import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { appendRows, type LogCore, readEvents, write } from '../../../src/agent/log/core.ts';
import { chainOfEpoch } from '../../../src/agent/log/epoch-chain.ts';
import { createProvenReader } from '../../../src/agent/log/read-proven.ts';
import { thin } from '../../../src/agent/log/thin.ts';
import { assertWhole } from '../../../src/agent/log/whole.ts';
import { chainHex } from '../../../src/contract/chain.ts';
import { type StoredEvent, shortType } from '../../../src/contract/event.ts';
import { lostRanges } from '../../../src/contract/lost.ts';
import { openLog, readAll, T0, tempPath, timeAt } from './log-fixture.ts';
import { KINDS, type Kind, kinds, mix, newCore } from './thin-rig.ts';

const seqsOf = (events: readonly StoredEvent[], type: string) =>
  events.filter((one) => shortType(one.type) === type).map(({ seq }) => seq);

it('gives up what is worth least first, the oldest of it first, and tells exactly what is gone', async () => {
  const path = tempPath();
  const log = await openLog(path, { budgetBytes: 500_000 });
  for (let i = 0; i < 2_400; i += 1) await log.append([KINDS[kinds[i % 6] ?? 'ended'](i)]);
  const before = await readAll(log);
  const { lost, disk } = await log.trim(T0);
  expect(disk?.state).toBe('losing');
  const after = await readAll(log);
  expect(seqsOf(after, 'sensor.failed').concat(seqsOf(after, 'battery.low'), seqsOf(after, 'meow.started'))).toEqual(
    [],
  );
  const told = after.filter((one) => shortType(one.type) === 'history.lost').map((one) => JSON.parse(one.data));
  const gone = new Set(
    told
      .flatMap((data) => lostRanges(data) ?? [])
      .flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i)),
  );
  const held = new Set(after.map(({ seq }) => seq));
  expect(before.filter(({ seq }) => held.has(seq) === gone.has(seq))).toEqual([]);
  expect(lost).toBe(gone.size);
  expect(told.length).toBeLessThan(30);
  await log.close();
  // What is told is no damage, also where the file is read from end to end.
  writeFileSync(`${path}.suspect`, '');
  const damaged: string[] = [];
  const again = await openLog(path, {}, { onDamaged: (_, reason) => damaged.push(reason) });
  expect(damaged).toEqual([]);
  expect(again.epochs()[0]).toMatchObject({ firstSeq: after[0]?.seq, lastSeq: after.at(-1)?.seq });
  expect(again.epochs()[0]?.tells).toEqual(seqsOf(after, 'history.lost'));
  await again.close();
}, 60_000);

it('stops where enough room is made: starts of meows stay while sensors pay for them', async () => {
  const log = await openLog(tempPath(), { budgetBytes: 1_500_000 });
  await log.append(Array.from({ length: 6_000 }, (_, i) => (i % 8 < 4 ? KINDS.sensor(i) : KINDS.started(i))));
  expect((await log.trim(T0)).disk?.state).toBe('thinning');
  const after = await readAll(log);
  expect(seqsOf(after, 'meow.started').length).toBe(3_000);
  const sensors = seqsOf(after, 'sensor.failed');
  expect(sensors.length).toBeGreaterThan(100);
  expect(Math.min(...sensors)).toBeGreaterThan(1_000);
  expect(await log.trim(T0)).toMatchObject({ lost: 0 });
  await log.close();
});

it('leaves what would win no room: a hash on each side takes as much as one small event', async () => {
  const log = await openLog(tempPath(), { budgetBytes: 300_000 });
  await log.append(Array.from({ length: 2_000 }, (_, i) => (i % 2 === 0 ? KINDS.ended(i) : KINDS.started(i))));
  expect((await log.trim(T0)).disk?.state).toBe('losing');
  const after = await readAll(log);
  expect(seqsOf(after, 'meow.started').length).toBeGreaterThan(100);
  await log.close();
});

describe('thinning', () => {
  const ports = { when: () => ({ time: timeAt(T0), clock: 'synced', boot: null, monoMs: null }) as const };
  const never = () => false;

  /** Each run of `[kind, count]` is one group. */
  function logOf(...runs: readonly (readonly [Kind, number])[]): LogCore {
    const core = newCore(tempPath(), 'e');
    let at = 0;
    for (const [kind, count] of runs) {
      write(core, () => appendRows(core, mix(Array<Kind>(count).fill(kind), at)));
      at += count;
    }
    return core;
  }
  const held = ({ rows, epochs }: LogCore): StoredEvent[] =>
    epochs.flatMap((e) => readEvents(rows, e, { from: 1, to: e.lastSeq, limit: 1e9, maxBytes: 1e9 }));
  const seqs = (core: LogCore) => held(core).map(({ seq }) => seq);
  const told = (core: LogCore) =>
    held(core)
      .filter(({ type }) => shortType(type) === 'history.lost')
      .map(({ data }) => JSON.parse(data));
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const chainAt = (core: LogCore, seq: number) => {
    const [epoch] = core.epochs;
    const hash = epoch === undefined ? null : chainOfEpoch(core.rows, core.chains, epoch, seq);
    return hash === null ? null : chainHex(hash);
  };

  /** What it tells lies behind what it has looked through, so that it looks once more. */
  function thinAll(core: LogCore): void {
    for (let i = 0; i < 9; i += 1) thin(core, never, () => 100, 100, ports);
    expect(thin(core, never, () => 100, 100, ports)).toEqual({ lost: 0, done: true });
  }

  it('goes through each kind once, the least worth first, and says when nothing is left', () => {
    const core = logOf(['started', 4], ['sensor', 4], ['battery', 4], ['moved', 4]);
    thinAll(core);
    expect(told(core).map(({ fromSeq, toSeq, reason }) => [fromSeq, toSeq, reason])).toEqual([
      [5, 8, 'disk budget: sensors were given up'],
      [9, 12, 'disk budget: batteries and silence were given up'],
      [1, 4, 'disk budget: starts of meows were given up'],
    ]);
    expect(seqs(core)).toEqual([...range(13, 16), 17, 18, 19]);
    assertWhole(core);
    core.db.close();
  });

  it('gives up no more at once than it is told to, and goes on behind that, over a restart too', () => {
    const core = logOf(['sensor', 10], ['moved', 2]);
    let left = 1;
    const once = () => left-- <= 0;
    expect(thin(core, once, () => 4, 100, ports)).toEqual({ lost: 4, done: false });
    expect(seqs(core)).toEqual(range(5, 13));
    core.db.close();
    const again = newCore(core.path, 'e');
    left = 1;
    expect(thin(again, once, () => 4, 100, ports)).toEqual({ lost: 4, done: false });
    expect(seqs(again)).toEqual(range(9, 14));
    expect(told(again)).toMatchObject([
      { fromSeq: 1, toSeq: 4, count: 4 },
      { fromSeq: 5, toSeq: 8, count: 4 },
    ]);
    assertWhole(again);
    again.db.close();
  });

  it('asks after each window whether it is enough, and looks through ten of them at most', () => {
    const core = logOf(['moved', 2], ['sensor', 40], ['moved', 2]);
    const asked: number[] = [];
    const isEnough = () => asked.push(core.rows.first(0, 44) ?? 0) > 3;
    expect(thin(core, isEnough, () => 100, 4, ports)).toMatchObject({ lost: 10 });
    expect(asked).toHaveLength(4);
    expect(thin(core, never, () => 100, 2, ports)).toMatchObject({ lost: 20 });
    expect(told(core).map(({ fromSeq, toSeq }) => [fromSeq, toSeq])).toEqual([
      [3, 12],
      [13, 32],
    ]);
    core.db.close();
  });

  it('may leave nothing of an epoch but what tells of it', () => {
    const core = logOf(['sensor', 10]);
    expect(thin(core, never, () => 100, 100, ports)).toMatchObject({ lost: 10 });
    expect([seqs(core), core.epochs]).toMatchObject([[11], [{ firstSeq: 11, lastSeq: 11 }]]);
    core.db.close();
  });

  it('ends where nothing is held any more', () => {
    const core = logOf(['sensor', 10]);
    write(core, () => core.rows.remove(1, 10));
    Object.assign(core.epochs[0] ?? {}, { firstSeq: 11 });
    expect(thin(core, never, () => 100, 100, ports)).toEqual({ lost: 0, done: false });
    core.db.close();
  });

  it('keeps the chain on both sides of each hole, and no hash more', () => {
    const core = logOf(['moved', 1]);
    write(core, () =>
      appendRows(core, mix(['moved', 'sensor', 'sensor', 'sensor', 'sensor', 'moved', 'sensor', 'sensor', 'moved'], 1)),
    );
    const before = range(0, 10).map((seq) => chainAt(core, seq));
    expect(thin(core, never, () => 100, 100, ports)).toMatchObject({ lost: 4 });
    // Two events that need two hashes stay: 8 and 9.
    expect(seqs(core)).toEqual([1, 2, 7, 8, 9, 10, 11]);
    for (const seq of [1, 2, 6, 7, 8, 9, 10]) expect(chainAt(core, seq)).toBe(before[seq]);
    for (const seq of [3, 4, 5]) expect(chainAt(core, seq)).toBeNull();
    expect(core.chains.range(0, 10).map(({ pos }) => pos)).toEqual([1, 2, 6, 10]);
    core.db.close();
  });

  it.each([
    ['behind', ['sensor', 'battery', 'moved'], [1, 4, 7, 8]],
    ['before', ['battery', 'sensor', 'moved'], [1, 4, 7, 8]],
    ['between', ['sensor', 'battery', 'sensor'], [1, 4, 7, 10, 11]],
  ] as const)('makes one hole of those that touch: %s', (_, [a, b, c], kept) => {
    const core = logOf(['moved', 1], [a, 3], [b, 3], ...(c === 'moved' ? [] : [[c, 3] as const]), ['moved', 1]);
    const end = kept.at(-1) ?? 0;
    const hash = chainAt(core, end - 1);
    thin(core, never, () => 100, 100, ports);
    expect(core.chains.range(0, end).map(({ pos }) => pos)).toEqual(kept);
    thinAll(core);
    expect(core.chains.range(0, end).map(({ pos }) => pos)).toEqual([1, end - 1, end]);
    expect(chainAt(core, end - 1)).toBe(hash);
    // To whoever reads on, a hash within the hole would be the trace of damage.
    const [epoch] = core.epochs;
    if (epoch === undefined) throw new Error('no epoch');
    const read = createProvenReader(core)(epoch, { from: 1, to: epoch.lastSeq, limit: 100, maxBytes: 1e9 });
    expect(read.map(({ seq }) => seq)).toEqual([1, ...range(end, epoch.lastSeq)]);
    assertWhole(core);
    core.db.close();
  });

  it('leaves alone what cannot be proved any more: whoever reads it will find out', () => {
    const core = logOf(['moved', 1]);
    write(core, () => appendRows(core, mix(['moved', 'moved', 'sensor', 'sensor', 'sensor', 'sensor', 'moved'], 1)));
    core.db.exec('DELETE FROM event WHERE pos = 2');
    expect(thin(core, never, () => 100, 100, ports)).toEqual({ lost: 0, done: false });
    expect(seqs(core)).toEqual([1, 3, 4, 5, 6, 7, 8]);
    core.db.close();
  });
});
