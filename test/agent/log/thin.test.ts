import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type StoredEvent, shortType } from '../../../src/contract/event.ts';
import { lostRanges } from '../../../src/contract/lost.ts';
import { openLog, readAll, T0, tempPath } from './log-fixture.ts';
import { KINDS, kinds } from './thin-rig.ts';

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
});

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
