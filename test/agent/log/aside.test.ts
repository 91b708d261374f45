import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  ASIDE_LIMIT,
  hasSalvage,
  markMade,
  putAside,
  removeFiles,
  salvagePaths,
  takeSalvage,
} from '../../../src/agent/log/aside.ts';
import { T0, tempFolder } from './log-fixture.ts';

const DAY_MS = 86_400_000;

/** A folder with these files; each holds its own name. */
function folderOf(...names: readonly string[]) {
  const folder = tempFolder();
  for (const name of names) writeFileSync(join(folder, name), name);
  return { path: join(folder, 'events.db'), files: () => readdirSync(folder).sort() };
}

describe('a damaged file', () => {
  it('is put aside with its companions, under the time', () => {
    const { path, files } = folderOf('events.db', 'events.db-wal', 'events.db-shm', 'events.db.head');
    const aside = putAside(path, T0);
    expect(aside).toBe(`${path}.damaged-2026-11-23T06-00-00-000Z`);
    expect(files()).toEqual([
      'events.db.damaged-2026-11-23T06-00-00-000Z',
      'events.db.damaged-2026-11-23T06-00-00-000Z-shm',
      'events.db.damaged-2026-11-23T06-00-00-000Z-wal',
      'events.db.head',
    ]);
    expect(readFileSync(`${aside}-wal`, 'utf8')).toBe('events.db-wal');
  });

  it('may have none, and the oldest of them goes when another comes', () => {
    const { path, files } = folderOf('other.db.damaged-2020');
    for (let day = 0; day < ASIDE_LIMIT + 2; day += 1) {
      for (const suffix of day % 2 === 0 ? ['', '-wal', '-shm'] : ['']) writeFileSync(path + suffix, '');
      putAside(path, T0 + day * DAY_MS);
    }
    expect(files()).toEqual([
      'events.db.damaged-2026-11-25T06-00-00-000Z',
      'events.db.damaged-2026-11-25T06-00-00-000Z-shm',
      'events.db.damaged-2026-11-25T06-00-00-000Z-wal',
      'events.db.damaged-2026-11-26T06-00-00-000Z',
      'events.db.damaged-2026-11-27T06-00-00-000Z',
      'events.db.damaged-2026-11-27T06-00-00-000Z-shm',
      'events.db.damaged-2026-11-27T06-00-00-000Z-wal',
      'other.db.damaged-2020',
    ]);
  });

  it('is removed with its companions, as often as one likes', () => {
    const { path, files } = folderOf('events.db', 'events.db-wal', 'events.db-shm', 'events.db-other');
    removeFiles(path);
    removeFiles(path);
    expect(files()).toEqual(['events.db-other']);
  });
});

describe('a salvage', () => {
  it('is there when it is whole, and half of one goes', () => {
    const { path, files } = folderOf(
      'events.db.salvage',
      'events.db.salvage-wal',
      'events.db.salvage-shm',
      'events.db',
    );
    expect(hasSalvage(path)).toBe(false);
    expect(files()).toEqual(['events.db']);
    writeFileSync(salvagePaths(path).making, 'whole');
    markMade(path);
    expect(files()).toEqual(['events.db', 'events.db.salvaged']);
    expect(hasSalvage(path)).toBe(true);
  });

  it('takes the place of the damaged file', () => {
    const { path, files } = folderOf('events.db', 'events.db-wal', 'events.db.salvaged');
    const aside = takeSalvage(path, T0);
    expect(readFileSync(path, 'utf8')).toBe('events.db.salvaged');
    expect(readFileSync(aside, 'utf8')).toBe('events.db');
    expect(files()).toHaveLength(3);
    expect(hasSalvage(path)).toBe(false);
  });

  it('takes the place of an empty one, that was made since, without putting that aside', () => {
    const { path, files } = folderOf('events.db.salvaged');
    writeFileSync(path, '');
    const aside = takeSalvage(path, T0);
    expect([files(), existsSync(aside)]).toEqual([['events.db'], false]);
    expect(readFileSync(path, 'utf8')).toBe('events.db.salvaged');
  });

  it('takes the place of one that was put aside already', () => {
    const { path, files } = folderOf('events.db.salvaged', 'events.db.damaged-2026-01-01');
    takeSalvage(path, T0);
    expect(files()).toEqual(['events.db', 'events.db.damaged-2026-01-01']);
  });
});
