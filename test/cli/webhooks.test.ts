import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openAlertLog } from '../../src/central/cats/alert-log.ts';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { centralSchema } from '../../src/central/config.ts';
import { openStore } from '../../src/central/open-store.ts';
import { webhooksOf } from '../../src/central/webhook.ts';
import { collard } from './run.ts';

test('collard central webhooks tells what waits and what was given up, and tries that again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'collard-webhooks-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [file, url] = [join(folder, 'central.yaml'), `sqlite:${join(folder, 'central.db')}`];
  const settings = { store: { url }, mqtt: { url: 'mqtt://b' }, webhooks: [{ url: 'https://a.example/token' }] };
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 });
  const store = await openStore({ url });
  const now = new Date();
  await openCatService(store, () => now).addCat('Mia');
  const targets = [...webhooksOf(centralSchema.parse(settings)).map(({ target }) => target), 'gone'];
  const alert = { rule: 'battery', key: 'battery', since: '', text: '' } as const;
  await openAlertLog(
    store,
    () => now,
    () => targets,
  ).write('raised', 1, alert);
  const run = (...args: string[]) => collard(['central', 'webhooks', '--config', file, ...args]);
  expect(await run()).toEqual({ status: 0, stdout: '2 wait, 0 were given up, 0 found no room\n', stderr: '' });
  for (const notice of await store.claimNotices(targets, now.getTime(), now.getTime(), 2)) {
    await store.noticeFailed(notice, null, 'answers \u001b[31m500');
  }
  await store.close();
  const { status, stdout } = await run();
  expect([status, stdout.split('\n', 1)[0]]).toEqual([1, '0 wait, 2 were given up, 0 found no room']);
  expect(stdout).toMatch(/^https:\/\/a\.example +\S+\/2 +1 +answers \\u001b\[31m500$/m);
  expect(stdout).toMatch(/^not configured any more /m);
  expect(stdout).not.toContain('token');
  expect(JSON.parse((await run('--retry', '--json')).stdout)).toEqual({
    waiting: 2,
    dead: 0,
    dropped: 0,
    revived: 2,
    givenUp: [],
  });
});
