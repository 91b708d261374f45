import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { unpackMember } from '../../../src/agent/kept/member.ts';
import { type DiskRoom, openKeptRing, WAITING_BLOCKS } from '../../../src/agent/kept/ring.ts';

const HOUR = 3_600_000;

function rig({ keepMs = 48 * HOUR, keepBytes = 1_000_000, folder = join(tempFolder(), 'kept') } = {}) {
  const hand = { nowMs: Date.now(), disk: null as DiskRoom | null, disks: [] as DiskRoom[] };
  const lines: string[] = [];
  const say = (_fields: object, text: string) => void lines.push(text);
  const ports = {
    wallNow: () => hand.nowMs,
    monoNow: () => hand.nowMs - 1_000_000,
    disk: async () => hand.disks.shift() ?? hand.disk,
    logger: { info: say, warn: say },
  };
  const ring = openKeptRing({ folder, keepMs, keepBytes }, ports);
  const done = ring.run();
  onTestFinished(async () => {
    ring.close();
    await done;
  });
  const names = () => (statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder).sort() : []);
  const texts = () => names().map((name) => textsIn(join(folder, name)));
  const onDisk = () =>
    names()
      .filter((name) => name.startsWith('readings'))
      .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  return {
    ring,
    hand,
    lines,
    folder,
    names,
    /** Pushes a block and waits until it is on the disk, or given up. */
    async put(text: string, isStart = ring.startDue()) {
      const { lostBlocks } = ring.health();
      expect(ring.push({ text, isStart })).toBe(true);
      const isOver = () =>
        (ring.health().lostBlocks > lostBlocks || texts().flat().includes(text)) && ring.health().bytes === onDisk();
      await expect.poll(isOver, { timeout: 30_000, interval: 2 }).toBe(true);
    },
    texts,
    async end() {
      ring.close();
      await done;
    },
  };
}

/** Of what is on its way none: a block is there as a whole. */
function textsIn(path: string): string[] {
  const file = readFileSync(path);
  const found: string[] = [];
  for (let at = 0; at < file.length; ) {
    const member = unpackMember(file, at);
    if (member === null) break;
    found.push(member.text);
    at = member.next;
  }
  return found;
}

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-kept-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Text that does not get smaller. */
let seed = 1;
function noise(bytes: number): string {
  return Array.from({ length: bytes }, () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return String.fromCharCode(33 + ((seed >> 8) % 90));
  }).join('');
}

test('blocks lie in segments, for nobody else to read', async () => {
  const { ring, folder, hand, put, texts, names } = rig();
  expect(ring.startDue()).toBe(true);
  await put('one');
  expect(ring.startDue()).toBe(false);
  await put('two');
  hand.nowMs += 2 * HOUR;
  expect(ring.startDue()).toBe(true);
  await put('three');
  expect(texts()).toEqual([['one', 'two'], ['three']]);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, names()[0] ?? '')).mode & 0o777).toBe(0o600);
});

test('what waits at the end is written', async () => {
  const { ring, texts, end } = rig();
  for (const text of ['one', 'two', 'three']) ring.push({ text, isStart: text === 'one' });
  await end();
  expect(texts()).toEqual([['one', 'two', 'three']]);
  expect(ring.push({ text: 'late', isStart: false })).toBe(false);
});

test('the oldest go by size: never more than is allowed and one block', async () => {
  const { ring, put, texts, folder, names } = rig({ keepBytes: 240_000 });
  for (let i = 0; i < 60; i += 1) await put(`${i} ${noise(9_000)}`);
  const bytes = names().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  expect(bytes).toBeLessThan(250_000);
  expect(bytes).toBeGreaterThan(200_000);
  expect(ring.health().bytes).toBe(bytes);
  const numbers = texts().map((segment) => segment.map((text) => Number(text.split(' ')[0])));
  expect(numbers.flat()).toEqual(
    Array.from({ length: numbers.flat().length }, (_, i) => 60 - numbers.flat().length + i),
  );
});

test('the oldest go by age', async () => {
  const { hand, put, texts } = rig({ keepMs: 10 * HOUR });
  for (let hour = 0; hour < 24; hour += 1) {
    await put(`${hour}`);
    hand.nowMs += HOUR;
  }
  expect(texts().flat()).toEqual(Array.from({ length: 11 }, (_, i) => `${13 + i}`));
});

test('those of the run before stay, and count; other files are nobody’s business', async () => {
  const folder = join(tempFolder(), 'kept');
  mkdirSync(folder);
  writeFileSync(join(folder, 'readings-00000007.gz'), 'x'.repeat(1_000));
  writeFileSync(join(folder, 'readings-00000006.gz'), 'old');
  writeFileSync(join(folder, 'mine.gz'), 'mine');
  utimesSync(join(folder, 'readings-00000006.gz'), 1, 1);
  const { ring, put, names } = rig({ folder });
  await put('new');
  expect(names()).toEqual(['mine.gz', 'readings-00000007.gz', 'readings-00000008.gz']);
  expect(ring.health().bytes).toBeGreaterThan(1_000);
});

test('where the disk is short they go first, all of them if need be, and come back with room', async () => {
  const { ring, hand, put, texts, lines } = rig({ keepMs: 24 * HOUR });
  for (const text of ['one', 'two', 'three']) {
    await put(text);
    hand.nowMs += HOUR;
  }
  // Two of them free enough.
  const short = { freeBytes: 1_000, totalBytes: 100_000 };
  hand.disks.push(short, short);
  await put('four');
  expect(texts()).toEqual([['three'], ['four']]);
  hand.disk = short;
  await put('five');
  expect(texts()).toEqual([]);
  expect(ring.health()).toMatchObject({ state: 'short', bytes: 0, lostBlocks: 1 });
  hand.disk = { freeBytes: 6_000, totalBytes: 100_000 };
  await put('six');
  expect(texts()).toEqual([['six']]);
  expect(ring.health()).toMatchObject({ state: 'kept', reason: null, lostBlocks: 1 });
  expect(lines).toEqual(['the disk is short: kept readings go first', 'readings are kept again']);
});

test('a large disk is short at 256 MiB', async () => {
  const { ring, hand, put } = rig();
  hand.disk = { freeBytes: 257 * 1024 * 1024, totalBytes: 1e12 };
  await put('one');
  expect(ring.health().state).toBe('kept');
  hand.disk = { freeBytes: 255 * 1024 * 1024, totalBytes: 1e12 };
  await put('two');
  expect(ring.health()).toMatchObject({ state: 'short', bytes: 0 });
});

test('a folder that cannot be made is told once, and tried again', async () => {
  const folder = join(tempFolder(), 'kept');
  writeFileSync(folder, 'a file');
  const { ring, put, lines, texts } = rig({ folder });
  await put('one');
  await put('two');
  expect(ring.health()).toMatchObject({ state: 'failed', lostBlocks: 2 });
  expect(ring.health().reason).toContain('EEXIST');
  expect(lines).toEqual(['readings are not kept; events are']);
  rmSync(folder);
  await put('three');
  expect(texts()).toEqual([['three']]);
});

test('without its beginning a segment is not gone on with', async () => {
  const { ring, put, texts } = rig();
  await put('one');
  await put(noise(300_000));
  expect(ring.startDue()).toBe(true);
  await put('of the lost one', false);
  await put('three');
  expect(texts()).toEqual([['one'], ['three']]);
  expect(ring.health().lostBlocks).toBe(2);
});

test('a disk that hangs lets no more wait than the limit', async () => {
  const asked = Promise.withResolvers<void>();
  const hung = openKeptRing(
    { folder: join(tempFolder(), 'kept'), keepMs: HOUR, keepBytes: 1e6 },
    {
      ...{ wallNow: Date.now, monoNow: () => 0, logger: { info: () => undefined, warn: () => undefined } },
      disk: () => {
        asked.resolve();
        return new Promise(() => undefined);
      },
    },
  );
  void hung.run();
  hung.push({ text: 'hangs', isStart: true });
  await asked.promise;
  const taken = Array.from({ length: WAITING_BLOCKS + 5 }, () => hung.push({ text: 'x', isStart: true }));
  expect(taken.filter((one) => one).length).toBeLessThanOrEqual(WAITING_BLOCKS);
  expect(hung.health().lostBlocks).toBeGreaterThanOrEqual(5);
});

test('bytes a day are measured once there is something to measure', async () => {
  const { ring, hand, put } = rig();
  await put('x');
  expect(ring.health().bytesPerDay).toBeNull();
  hand.nowMs += 24 * HOUR;
  expect(ring.health().bytesPerDay).toBe(ring.health().bytes);
});
