import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { LOW_SHARE, MAX_WAL_BYTES, openStoreRoom, type Room, roomConcerns } from '../../src/central/store-room.ts';

const GIGABYTE = 1e9;
const MINUTE_MS = 60_000;
const WELL: Room = { freeBytes: 9 * GIGABYTE, totalBytes: 10 * GIGABYTE, walBytes: 4e6 };

/** Each look sees the next of these; the last one stays. */
function watching(script: readonly Room[], url = 'sqlite:/var/lib/collard/central.db') {
  vi.useFakeTimers();
  const looks = [...script];
  const [asked, told, seen]: [string[], string[], Room[]] = [[], [], []];
  const current = () => looks[0] ?? WELL;
  const tell = (level: string) => (_fields: object, text: string) => void told.push(`${level}: ${text}`);
  const room = openStoreRoom(url, {
    logger: { info: tell('info'), warn: tell('warn') } as never,
    seen: (one) => void seen.push(one),
    ports: {
      async diskOf(folder) {
        asked.push(folder);
        return { freeBytes: current().freeBytes, totalBytes: current().totalBytes };
      },
      async bytesOf(path) {
        asked.push(path);
        const { walBytes } = current();
        if (looks.length > 1) looks.shift();
        return walBytes;
      },
    },
  });
  const stop = new AbortController();
  const done = room.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
    vi.useRealTimers();
  });
  return { room, asked, told, seen, look: () => vi.advanceTimersByTimeAsync(MINUTE_MS) };
}

it('a disk that fills is told once below the limit, shown while it is so, and told once when it has room again', async () => {
  const low = { ...WELL, freeBytes: LOW_SHARE * 10 * GIGABYTE - 1 };
  const { room, asked, told, seen, look } = watching([WELL, { ...low, freeBytes: low.freeBytes + 1 }, low, low, WELL]);
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toEqual(['/var/lib/collard', '/var/lib/collard/central.db-wal']);
  await look();
  expect([told, room.concerns()]).toEqual([[], []]);
  await look();
  await look();
  const text = expect.stringMatching(
    /^the disk of \/var\/lib\/collard\/central\.db has 500 MB of 10000 MB free: make room/,
  );
  expect(room.concerns()).toEqual([text]);
  expect(told).toEqual([expect.stringMatching(/^warn: the disk of /)]);
  await look();
  expect(room.concerns()).toEqual([]);
  expect(told.slice(1)).toEqual(['info: the disk of the store has room again']);
  expect(seen).toHaveLength(5);
});

it('a write-ahead log beyond its limit is told once, and once when it is small again', async () => {
  const { room, told, look } = watching([
    { ...WELL, walBytes: MAX_WAL_BYTES },
    ...[1, 2].map((more) => ({ ...WELL, walBytes: MAX_WAL_BYTES + more })),
    WELL,
  ]);
  await vi.advanceTimersByTimeAsync(0);
  expect(room.concerns()).toEqual([]);
  await look();
  await look();
  expect(room.concerns()).toEqual([expect.stringContaining('has 67 MB: another program reads the store')]);
  await look();
  expect(told).toEqual([
    expect.stringMatching(/^warn: the write-ahead log of .*fuser \/var\/lib\/collard\/central\.db/),
    'info: the write-ahead log of the store is small again',
  ]);
});

it('what the system does not tell is no fault', async () => {
  const { room, told, seen } = watching([{ freeBytes: null, totalBytes: null, walBytes: null }]);
  await vi.advanceTimersByTimeAsync(0);
  expect([told, room.concerns(), seen.length]).toEqual([[], [], 1]);
});

it.each(['postgres://c@db.example.org/collard', 'sqlite::memory:'])('%s has no disk of ours', async (url) => {
  const { asked, seen, look } = watching([{ ...WELL, freeBytes: 0 }], url);
  await look();
  expect([asked, seen]).toEqual([[], []]);
});

it('is what this machine says of the file, also to who asks once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-room-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const url = `sqlite:${join(folder, 'central.db')}`;
  const first = async () => {
    const stop = new AbortController();
    const found = Promise.withResolvers<Room>();
    const logger = { info: () => undefined, warn: () => undefined };
    const done = openStoreRoom(url, { logger, seen: found.resolve }).run(stop.signal);
    const room = await found.promise;
    stop.abort();
    await done;
    return room;
  };
  const without = await first();
  expect(without.walBytes).toBe(0);
  expect(without.totalBytes).toBeGreaterThanOrEqual(without.freeBytes ?? Number.POSITIVE_INFINITY);
  writeFileSync(join(folder, 'central.db-wal'), 'x'.repeat(4_096));
  expect((await first()).walBytes).toBe(4_096);
  const ports = { diskOf: async () => ({ freeBytes: 1, totalBytes: 1_000 }), bytesOf: async () => 0 };
  expect(await roomConcerns(url, ports)).toEqual([expect.stringContaining('free: make room on it')]);
});
