import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { liveSocketPath, MAX_UNSENT_BYTES, MAX_WATCHERS, openLiveFeed } from '../../../src/agent/live/feed.ts';

const POLL = { timeout: 30_000, interval: 5 };

function rig(logPath = join(tempFolder(), 'events.db')) {
  const warnings: object[] = [];
  const feed = openLiveFeed(logPath, 'porch', { warn: (fields) => void warnings.push(fields) });
  const stop = new AbortController();
  const done = feed.run(stop.signal);
  const end = async () => {
    stop.abort();
    await done;
  };
  onTestFinished(end);
  return { feed, warnings, path: liveSocketPath(logPath), end };
}

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-live-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Connects once there is something to connect to. */
async function watcher(path: string, request: string) {
  let socket: Socket | null = null;
  let text = '';
  let closed = false;
  await expect
    .poll(
      () =>
        new Promise<boolean>((resolve) => {
          const one = connect(path, () => {
            socket = one;
            resolve(true);
          });
          one.on('error', () => resolve(false));
        }),
      POLL,
    )
    .toBe(true);
  const open = socket as unknown as Socket;
  onTestFinished(() => void open.destroy());
  open.on('close', () => {
    closed = true;
  });
  open.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  open.write(request);
  return {
    socket: open,
    lines: () =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as unknown),
    closed: () => closed,
  };
}

const reading = (collar: string, atMs: number) => ({ type: 'reading', reading: { collar, atMs, shake: 0.1 } }) as const;

test('who asks for a collar is told its readings, and no others', async () => {
  const { feed, path } = rig();
  const { lines } = await watcher(path, '{"collar":"A"}\n');
  await expect.poll(lines, POLL).toEqual([{ live: 1, agent: 'porch', collar: 'A' }]);
  feed.note(reading('B', 1));
  feed.note({ type: 'tick', atMs: 2 });
  feed.note(reading('A', 3));
  await expect.poll(lines, POLL).toHaveLength(2);
  expect(lines()[1]).toEqual({ collar: 'A', atMs: 3, shake: 0.1 });
});

test.each(['\n', 'GET / HTTP/1.1\n', '{"collar":7}\n', 'null\n', 'x'.repeat(2_000)])(
  'who asks for something else is sent away: %j',
  async (request) => {
    const { path } = rig();
    const { closed, lines } = await watcher(path, request);
    await expect.poll(closed, POLL).toBe(true);
    expect(lines()).toEqual([]);
  },
);

test('no more than so many look on at once', async () => {
  const { path } = rig();
  const first = await Promise.all(Array.from({ length: MAX_WATCHERS }, () => watcher(path, '{"collar":"A"}\n')));
  for (const { lines } of first) await expect.poll(lines, POLL).toHaveLength(1);
  const late = await watcher(path, '{"collar":"A"}\n');
  await expect.poll(late.closed, POLL).toBe(true);
  first[0]?.socket.destroy();
  await expect
    .poll(async () => {
      const { lines } = await watcher(path, '{"collar":"A"}\n');
      await new Promise((resolve) => setTimeout(resolve, 20));
      return lines().length;
    }, POLL)
    .toBe(1);
});

test('one that takes nothing is left out of what is too much, and told how much that was', async () => {
  const { feed, path } = rig();
  const { socket, lines } = await watcher(path, '{"collar":"A"}\n');
  await expect.poll(lines, POLL).toHaveLength(1);
  socket.pause();
  const many = (8 * MAX_UNSENT_BYTES) / 30;
  for (let i = 0; i < many; i += 1) feed.note(reading('A', i));
  socket.resume();
  const told = () => lines().slice(1) as { atMs?: number; leftOut?: number }[];
  await expect
    .poll(() => {
      feed.note(reading('A', -1));
      return told().some(({ leftOut }) => leftOut !== undefined);
    }, POLL)
    .toBe(true);
  const leftOut = told().reduce((sum, one) => sum + (one.leftOut ?? 0), 0);
  expect(leftOut).toBeGreaterThan(1_000);
  await expect
    .poll(() => told().filter(({ atMs }) => atMs !== undefined && atMs >= 0).length, POLL)
    .toBeGreaterThanOrEqual(Math.ceil(many) - leftOut);
});

test('a socket of a run before is in nobody’s way, and at the end there is none', async () => {
  const logPath = join(tempFolder(), 'events.db');
  writeFileSync(liveSocketPath(logPath), '');
  const { path, warnings, end } = rig(logPath);
  const { lines, closed } = await watcher(path, '{"collar":"A"}\n');
  await expect.poll(lines, POLL).toHaveLength(1);
  await end();
  await expect.poll(closed, POLL).toBe(true);
  expect(warnings).toEqual([]);
});

test.each([
  ['the path is longer than 107 bytes', join('/tmp', 'x'.repeat(110))],
  ['EACCES', '/no/such/folder/events.db'],
])('where it cannot listen it says so and harms nothing: %s', async (reason, logPath) => {
  const { warnings, feed } = rig(logPath);
  await expect
    .poll(() => warnings, POLL)
    .toEqual([expect.objectContaining({ reason: expect.stringContaining(reason) })]);
  feed.note(reading('A', 1));
});
