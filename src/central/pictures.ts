/**
 * Pictures of cats: files in a folder of central, called by the number or the name of a cat (`1.jpg`, `Mia.png`). What is no picture
 * by its first bytes, too large or no plain file is none.
 */
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export const MAX_PICTURE_BYTES = 512 * 1024;
/** Files of the folder that are looked at. */
export const MAX_PICTURES = 1_000;

export interface Picture {
  readonly type: 'image/jpeg' | 'image/png' | 'image/webp';
  readonly bytes: Buffer;
}

export interface Pictures {
  /** Which of these cats have one, each with what changes when it is replaced. */
  list(cats: readonly Known[]): Promise<readonly { readonly catId: number; readonly version: string }[]>;
  /** Null: there is none. */
  read(cat: Known): Promise<Picture | null>;
}

interface Known {
  readonly id: number;
  readonly name: string;
}

/** Without a folder no cat has a picture; one that cannot be read has none either. */
export function openPictures(folder: string | undefined): Pictures {
  const names = async () => {
    if (folder === undefined) return [];
    const all = await readdir(folder).catch((): string[] => []);
    return all.filter((name) => /\.(jpe?g|png|webp)$/i.test(name)).slice(0, MAX_PICTURES);
  };
  return {
    async list(cats) {
      const files = await names();
      const found: { catId: number; version: string }[] = [];
      for (const cat of cats) {
        const name = fileOf(files, cat);
        const version = name === null ? null : await versionOf(join(folder ?? '', name));
        if (version !== null) found.push({ catId: cat.id, version });
      }
      return found;
    },
    async read(cat) {
      const name = fileOf(await names(), cat);
      return name === null ? null : readPicture(join(folder ?? '', name));
    },
  };
}

/** That of its number goes before that of its name. Only names that the folder told: none leads out of it. */
function fileOf(files: readonly string[], { id, name }: Known): string | null {
  const stem = (file: string) => file.slice(0, file.lastIndexOf('.')).normalize('NFC').toLowerCase();
  const wanted = name.normalize('NFC').toLowerCase();
  return files.find((file) => stem(file) === String(id)) ?? files.find((file) => stem(file) === wanted) ?? null;
}

async function versionOf(path: string): Promise<string | null> {
  return within(path, async (file) => {
    const { mtimeMs, size } = await file.stat();
    return `${Math.floor(mtimeMs).toString(36)}-${size.toString(36)}`;
  });
}

async function readPicture(path: string): Promise<Picture | null> {
  return within(path, async (file) => {
    const bytes = await file.readFile();
    const type = typeOf(bytes);
    return type === null || bytes.length > MAX_PICTURE_BYTES ? null : { type, bytes };
  });
}

/** A plain file that is no link and not too large; null for all else. */
async function within<T>(
  path: string,
  work: (file: Awaited<ReturnType<typeof open>>) => Promise<T>,
): Promise<T | null> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(() => null);
  if (file === null) return null;
  try {
    const info = await file.stat();
    return info.isFile() && info.size > 0 && info.size <= MAX_PICTURE_BYTES ? await work(file) : null;
  } finally {
    await file.close();
  }
}

/** By its first bytes, whatever its name says. */
function typeOf(bytes: Buffer): Picture['type'] | null {
  const starts = (hex: string, from = 0) => bytes.subarray(from, from + hex.length / 2).toString('hex') === hex;
  if (starts('ffd8ff')) return 'image/jpeg';
  if (starts('89504e470d0a1a0a')) return 'image/png';
  return starts('52494646') && starts('57454250', 8) ? 'image/webp' : null;
}
