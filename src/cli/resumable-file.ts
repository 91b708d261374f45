/**
 * A long file that is gone on with after Ctrl-C, a kill or a power cut: beside it lies how far it was whole (`.place`), and what was written
 * beyond that is cut off. It gets its name when it is finished.
 */
import { open, readFile, rename, rm, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CommandError, EXIT } from './exit.ts';
import { type Output, syncFolder } from './out-file.ts';

export interface ResumableOutput extends Output {
  /** What was saved last with this file, or null at its beginning. */
  readonly saved: unknown;
  /** Resolves when this is durable, with all that was written before. */
  save(memo: unknown): Promise<void>;
}

interface Saved {
  readonly version: 1;
  /** Whole up to here. */
  readonly bytes: number;
  readonly memo: unknown;
}

/**
 * Rejects with CommandError where the file cannot be made. It is written whatever signal there is, so that all that was read is in it;
 * `discard` leaves what was saved for the next time.
 */
export async function openResumable(path: string): Promise<ResumableOutput> {
  const [part, place] = [`${path}.part`, `${path}.place`];
  const saved = await readSaved(place, part);
  const file = await open(part, saved === null ? 'w' : 'a').catch((error: unknown) => {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const fix = 'name a file in a folder that this user may write';
    throw new CommandError(EXIT.io, `cannot write ${part}: ${code}`, fix, { cause: error });
  });
  let finished = false;
  let bytes = saved?.bytes ?? 0;
  return {
    saved: saved?.memo ?? null,
    async write(text) {
      await file.appendFile(text);
      bytes += Buffer.byteLength(text);
    },
    async save(memo) {
      await file.datasync();
      const state: Saved = { version: 1, bytes, memo };
      const next = await open(`${place}.next`, 'w');
      await next.writeFile(`${JSON.stringify(state)}\n`);
      await next.sync();
      await next.close();
      await rename(`${place}.next`, place);
    },
    async finish() {
      await file.sync();
      await file.close();
      finished = true;
      await rename(part, path);
      await rm(place, { force: true });
      await syncFolder(dirname(path));
    },
    async discard() {
      if (!finished) await file.close();
    },
  };
}

/** Null where nothing is there to go on with. */
async function readSaved(place: string, part: string): Promise<Saved | null> {
  try {
    const saved = JSON.parse(await readFile(place, 'utf8')) as Saved;
    await truncate(part, saved.bytes);
    return saved;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    const fix = `remove ${place} to begin anew`;
    throw new CommandError(EXIT.data, `cannot go on with ${part}: ${(error as Error).message}`, fix, { cause: error });
  }
}
