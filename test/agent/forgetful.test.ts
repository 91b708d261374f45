import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { runAgent } from '../../src/agent/agent.ts';
import { agentSchema } from '../../src/agent/config.ts';
import { filesystemOf, isForgetful } from '../../src/agent/forgetful.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';

function tempFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'collard-forgetful-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}

it('of two mounts at one place the later one counts', async () => {
  const mounts = join(tempFolder(), 'mountinfo');
  const mount = (at: string, kind: string) => `41 26 7:0 / ${at} rw shared:1 - ${kind} a rw\n`;
  writeFileSync(mounts, mount('/', 'ext4') + mount('/var/lib/collard', 'ext4') + mount('/var/lib/collard', 'overlay'));
  expect(await filesystemOf('/var/lib/collard', mounts)).toBe('overlay');
  expect(await filesystemOf('/var/lib', mounts)).toBe('ext4');
  expect(await filesystemOf('/var/lib', join(tempFolder(), 'none'))).toBeNull();
});

it.each([
  ['tmpfs', true],
  ['overlay', true],
  ['ext4', false],
])('%s forgets: %s', (kind, forgets) => {
  expect(isForgetful(kind)).toBe(forgets);
});

it.each([
  ['overlay', true],
  ['ext4', false],
])('an agent whose log is on %s runs; what it says of it is said loudly: %s', async (kind, loud) => {
  const told: string[] = [];
  const logger = pino({}, { write: (line) => void told.push(line) });
  const stop = new AbortController();
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ file: '/dev/null', format: 'json' }],
    log: { path: join(tempFolder(), 'events.db') },
    mqtt: { url: 'mqtt://127.0.0.1:1' },
  });
  let status = '';
  await runAgent(
    config,
    {
      openLink: openMqttLink,
      logger,
      version: '0',
      filesystemOf: async () => kind,
      onRunning: (vitals) => {
        status = vitals.status();
        stop.abort();
      },
    },
    stop.signal,
  );
  expect(told.some((line) => line.includes('EVERY EVENT IS LOST WITH THE POWER'))).toBe(loud);
  expect(status.startsWith('THE LOG IS ON overlay')).toBe(loud);
});
