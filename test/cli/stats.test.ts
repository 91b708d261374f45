import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { openStore } from '../../src/central/open-store.ts';
import { statsCommand } from '../../src/cli/stats.ts';

let home: string;
let config: string;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'collard-stats-'));
  config = join(home, 'central.yaml');
  const url = `sqlite:${join(home, 'central.db')}`;
  writeFileSync(config, `store: { url: "${url}" }\nmqtt: { url: "mqtt://127.0.0.1" }\n`);
  const store = await openStore({ url });
  await openCatService(store, () => new Date('2026-11-23T06:00:00Z')).addCat('Mia', 'A');
  await store.close();
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(home, { recursive: true });
});

async function run(...args: string[]): Promise<string> {
  let out = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    await statsCommand()
      .exitOverride()
      .parseAsync(['--config', config, ...args], { from: 'user' });
  } finally {
    vi.restoreAllMocks();
  }
  return out;
}

it('prints a row for each cat and day, or an object', async () => {
  const asked = ['--from', '2026-11-01', '--to', '2026-12-01', '--tz', 'Europe/Berlin'];
  const out = await run(...asked);
  expect(out).toMatch(/^day \(Europe\/Berlin\) +cat +events +meows +together +mean\n/);
  expect(out).toMatch(/\nMon 2026-11-23 +Mia +2 +0 +- +-\n$/);
  expect(await run(...asked, '--by', 'hour')).toMatch(/\nMon 2026-11-23 07:00 \+01:00 +Mia /);
  expect(JSON.parse(await run(...asked, '--json', '--by', 'hour'))).toMatchObject({
    from: '2026-11-23T07:00:00+01:00',
    catId: 1,
    events: 2,
  });
  expect(await run('--from', '2020-01-01', '--to', '2020-02-01')).toMatch(/^no events of a cat from 2020/);
});

it('refuses what it cannot answer', async () => {
  await expect(run('--tz', 'Mars')).rejects.toMatchObject({ exitCode: 64 });
  await expect(run('--cat', '9')).rejects.toMatchObject({ exitCode: 1 });
});
