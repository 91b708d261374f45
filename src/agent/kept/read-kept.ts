/** Kept readings, read back block by block: also while an agent writes, and what a kill, a power cut or a damaged card has left of them. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type KeptBlock, readBlock } from './block.ts';
import { unpackMember } from './member.ts';
import { segmentNames } from './segments.ts';

export interface ReadBlock extends KeptBlock {
  /** It goes on where the block before ended. Else it has a start. */
  readonly goesOn: boolean;
}

/** Called with what could not be read: a segment, and from which byte on. */
export type OnDamage = (segment: string, fromByte: number) => void;

/** Which of the segments. */
export interface KeptPart {
  /** Only the newest, up to so many bytes of them or the last one. */
  readonly newestBytes?: number;
  /** Only those to which something was written since this wall time. */
  readonly sinceMs?: number;
}

/**
 * Oldest first. A block that does not go on where the one before ended, and tells no start, is left out.
 * `onSegment`: so many are read.
 */
export async function* readKept(
  folder: string,
  onDamage: OnDamage,
  { newestBytes = Number.POSITIVE_INFINITY, sinceMs = Number.NEGATIVE_INFINITY }: KeptPart = {},
  onSegment: (done: number, of: number) => void = () => undefined,
): AsyncGenerator<ReadBlock> {
  let before: KeptBlock['head'] | null = null;
  const names = await newestOf(folder, newestBytes, sinceMs);
  for (const [i, name] of names.entries()) {
    onSegment(i, names.length);
    const file = await readFile(join(folder, name)).catch((error: NodeJS.ErrnoException) => {
      // The agent has made room meanwhile.
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (file === null) continue;
    let at = 0;
    while (at < file.length) {
      const member = unpackMember(file, at);
      const block = member === null ? null : readBlock(member.text);
      if (member === null || block === null) {
        onDamage(name, at);
        break;
      }
      at = member.next;
      const { head } = block;
      const goesOn = before !== null && head.run === before.run && head.block === before.block + 1;
      before = head;
      if (goesOn || head.start !== undefined) yield { ...block, goesOn };
      else before = null;
    }
  }
}

async function newestOf(folder: string, bytes: number, sinceMs: number): Promise<readonly string[]> {
  const names = await segmentNames(folder);
  if (bytes === Number.POSITIVE_INFINITY && sinceMs === Number.NEGATIVE_INFINITY) return names;
  let [left, first] = [bytes, names.length];
  while (first > 0) {
    const { size, mtimeMs } = await stat(join(folder, names[first - 1] ?? ''));
    if (mtimeMs < sinceMs) break;
    left -= size;
    if (left < 0 && first < names.length) break;
    first -= 1;
  }
  return names.slice(first);
}
