import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { reportPath, runReport } from '../../src/agent/report.ts';
import type { HealthMessage } from '../../src/contract/message.ts';
import { until } from '../servers.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'collard-report-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
});

function running(path: string, health: () => Promise<HealthMessage>) {
  const warned: object[] = [];
  const stop = new AbortController();
  const done = runReport(
    {
      config: { agent: 'porch', log: { path } } as never,
      health,
      vitals: { loops: () => [{ loop: 'ingest', idleMs: 20, limitMs: 60_000 }] },
      status: { link: 'online' },
      logger: { warn: (fields: object) => void warned.push(fields) } as never,
    },
    stop.signal,
  );
  const end = async () => {
    stop.abort();
    await done;
  };
  onTestFinished(end);
  return { warned, end };
}

test('whoever connects is told how the agent is, and only its owner may; the socket of a dead agent is replaced', async () => {
  const path = join(home, 'events.db');
  writeFileSync(reportPath(path), 'left behind');
  const health = { queue: 7 } as HealthMessage;
  const { end, warned } = running(path, async () => health);
  await until('it listens', () => statSync(reportPath(path), { throwIfNoEntry: false })?.isSocket() === true);
  await until('it is closed to others', () => (statSync(reportPath(path)).mode & 0o777) === 0o600);
  const told = JSON.parse(await text(connect(reportPath(path))));
  const loops = [{ loop: 'ingest', idleMs: 20, limitMs: 60_000 }];
  expect(told).toEqual({ agent: 'porch', link: 'online', loops, health });
  await end();
  expect(existsSync(reportPath(path))).toBe(false);
  expect(warned).toEqual([]);
});

test('one who asks and does not take the answer holds nobody up at the end', async () => {
  const path = join(home, 'events.db');
  let asked = 0;
  const { end } = running(path, () => {
    asked += 1;
    return new Promise(() => undefined);
  });
  await until('it listens', () => existsSync(reportPath(path)));
  const socket = connect(reportPath(path)).on('error', () => undefined);
  await until('it is asked', () => asked === 1);
  await end();
  socket.destroy();
});

test('health that cannot be told ends the answer, not the agent', async () => {
  const path = join(home, 'events.db');
  let fails = true;
  const { end } = running(path, async () => {
    if (fails) throw new Error('the log is closed');
    return { queue: 1 } as HealthMessage;
  });
  await until('it listens', () => existsSync(reportPath(path)));
  const first = await text(connect(reportPath(path))).catch(() => '');
  fails = false;
  expect(first).toBe('');
  expect(await text(connect(reportPath(path)))).toContain('"queue":1');
  await end();
});

test('a path that the kernel does not take is told, and the agent works on', async () => {
  const { warned, end } = running(join(home, 'x'.repeat(120)), async () => ({}) as HealthMessage);
  await until('it is told', () => warned.length === 1);
  expect(warned).toMatchObject([{ code: 'ENAMETOOLONG' }]);
  await end();
});
