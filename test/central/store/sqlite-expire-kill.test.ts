import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { readSegments, verifySegment } from '../../../src/central/store/segment-file.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { at, epochId, meowing, NOW } from './events.ts';

const child = fileURLToPath(new URL('./expire-child.ts', import.meta.url));
let home: string;
let dir: string;
let url: string;
let store: Store;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'collard-expire-'));
  url = `sqlite:${join(home, 'central.db')}`;
  store = await openStore({ url });
});

afterEach(async () => {
  await store.close();
  rmSync(home, { recursive: true });
});

async function ids(): Promise<string[]> {
  const { events } = await store.oldest({ limit: 100_000 });
  return events.map(({ epoch, seq }) => `${epoch}/${seq}`);
}

async function sealed(): Promise<string[]> {
  const found: string[] = [];
  for await (const { epoch, seq } of readSegments(dir)) found.push(`${epoch}/${seq}`);
  return found;
}

describe('a run that dies', () => {
  it('at any step leaves each event in a row or in a verified segment', { timeout: 300_000 }, async () => {
    const writer = meowing('porch', epochId(1), 4_500);
    for (let from = 1; from < 4_500; from += 500) await store.ingest(writer.batch(from, from + 499), NOW);
    while ((await store.project(2_000)).events > 0);
    const all = await ids();
    await store.close();
    const died: string[] = [];
    for (let step = 1, ended = false; !ended; step += 1) {
      const copy = join(home, `copy${step}`);
      mkdirSync(copy);
      for (const name of readdirSync(home))
        if (name.startsWith('central.db')) cpSync(join(home, name), join(copy, name));
      dir = join(copy, 'segments');
      const file = `sqlite:${join(copy, 'central.db')}`;
      const args = ['--no-warnings', child, file, dir, at(4_400), String(step)];
      const run = spawnSync(process.execPath, args, { encoding: 'utf8' });
      ended = run.signal === null;
      died.push(run.stdout.trim().split('\n').at(-1) ?? '');
      store = await openStore({ url: file });
      const rows = await ids();
      const noted = await store.segments();
      for (const one of noted) await verifySegment(dir, one.file);
      const isNoted = (id: string) => noted.some(({ fromSeq, toSeq }) => fromSeq <= seqOf(id) && seqOf(id) <= toSeq);
      expect(
        all.filter((id) => !rows.includes(id) && !isNoted(id)),
        died.join(' '),
      ).toEqual([]);
      await store.expire({ dir, before: at(4_400), signal: new AbortController().signal });
      expect(await sealed()).toEqual(all.slice(0, 4_400));
      expect(await ids()).toEqual(all.slice(4_400));
      await store.close();
    }
    const deletes = ['deleted', 'deleted', 'deleted'];
    expect(died).toEqual(['written', 'verified', 'named', 'sealed', 'noted', ...deletes, 'done', 'done']);
    store = await openStore({ url });
  });
});

const seqOf = (id: string) => Number(id.split('/')[1]);
