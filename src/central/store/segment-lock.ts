/** One run of retention at a time in a folder, in this process and in others. */
import { open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OWN_FILE } from './own-file.ts';

/** Resolves to what gives the folder free again. Rejects with code RETENTION_RUNS where another process, which lives, has it. */
export async function lockSegments(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, 'lock');
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      const handle = await open(path, 'wx', OWN_FILE);
      await handle.writeFile(`${process.pid}\n`);
      await handle.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (await isHeld(path)) break;
      // Left behind by one that died.
      await rm(path, { force: true });
    }
  }
  throw Object.assign(new Error(`another run of retention is at ${dir}: let it end`), { code: 'RETENTION_RUNS' });
}

async function isHeld(path: string): Promise<boolean> {
  const pid = Number(await readFile(path, 'utf8'));
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What a start that died has left behind. */
export async function removeParts(dir: string): Promise<void> {
  for (const name of await readdir(dir)) if (name.endsWith('.part')) await rm(join(dir, name), { force: true });
}
