import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/central/open-store.ts';
import { collard } from './run.ts';

test('collard central restored makes a store another one, and none where there is none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-restored-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [file, url] = [join(folder, 'central.yaml'), `sqlite:${join(folder, 'central.db')}`];
  writeFileSync(file, JSON.stringify({ store: { url }, mqtt: { url: 'mqtt://b' } }), { mode: 0o600 });
  const run = (...args: string[]) => collard(['central', 'restored', '--config', file, ...args]);
  expect((await run()).status).not.toBe(0);
  const store = await openStore({ url });
  const before = store.incarnation;
  await store.close();
  const { status, stdout } = await run();
  expect([status, stdout.split(':', 1)[0]]).toEqual([
    0,
    expect.stringMatching(`^the store is \\S+ now, and was ${before}$`),
  ]);
  const again = JSON.parse((await run('--json')).stdout) as { before: string; incarnation: string };
  expect(stdout).toContain(again.before);
  const reopened = await openStore({ url });
  expect(reopened.incarnation).toBe(again.incarnation);
  await reopened.close();
});
