/** A store of central as its first start makes it, the same in every process: each seed begins with a copy. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../src/central/open-store.ts';
import { within } from './machine.ts';
import { createLife, createWorld, T0 } from './world.ts';

export async function makeTemplate(folder: string): Promise<string> {
  const path = join(folder, 'template.db');
  const life = createLife(createWorld(0, folder, false), 'template', {
    wallNow: () => T0,
    countsStatements: false,
    onCrash: () => undefined,
  });
  const store = await within(life, () => openStore({ url: `sqlite:${path}`, now: () => new Date(T0) }));
  await store.close();
  return path;
}

/** Where folders of simulations begin: in memory where the system has such a disk. */
export function memoryFolder(): string {
  return join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'collard-simulation-');
}
