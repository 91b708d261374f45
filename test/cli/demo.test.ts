/** The demo, as `npm start` runs it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collard } from './run.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-demo-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('it tells of the first meow, and what it leaves behind is one history on both sides', async () => {
  const { status, stdout, stderr } = await collard(['demo', '--port', '0', '--seconds', '6', '--data', folder]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: 'The demo has ended.\n' });
  expect(stdout).toContain('SIMULATED');
  expect(stdout).toMatch(/page +http:\/\/127\.0\.0\.1:\d+/);
  expect(stdout).toContain('the first meow!');
  const sides = ['--config', join(folder, 'central.yaml'), '--log', join(folder, 'events.db')];
  const verified = await collard(['verify', '--agent', 'demo', ...sides, '--json']);
  expect(JSON.parse(verified.stdout)).toMatchObject({ agent: 'demo', status: 'agree' });
  expect(verified.status).toBe(0);
}, 30_000);
