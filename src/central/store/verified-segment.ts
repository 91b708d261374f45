/** A segment as it was sealed: read and verified in one pass, a line at a time in memory. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { damaged, readLines, readManifest, type SealedEvent } from './segment-file.ts';
import type { SegmentTable } from './tables.ts';

/**
 * The events of the segment that the store noted, by seq. Only once all of them were given they are proven to be those that were sealed:
 * SHA-256, count and the chain at both ends. `chainBefore` is the chain where the segment before it ends. Rejects with code
 * SEGMENT_DAMAGED, which names the file.
 */
export async function* readVerified(
  dir: string,
  segment: Omit<SegmentTable, 'done'>,
  chainBefore: string | null,
): AsyncGenerator<SealedEvent> {
  const { file, sha256, chain, events, from_seq: fromSeq, to_seq: toSeq } = segment;
  const path = join(dir, file);
  const manifest = await readManifest(dir, file);
  if (manifest.sha256 !== sha256 || manifest.toSeq !== toSeq || manifest.chain !== chain) {
    throw damaged(path, 'is not the segment that was sealed');
  }
  if (manifest.chainBefore !== chainBefore) throw damaged(path, 'does not go on where the one before it ends');
  const hash = createHash('sha256');
  let [last, count] = [fromSeq - 1, 0];
  for await (const event of readLines(path, manifest.agent, hash)) {
    if (event.seq <= last || event.seq > toSeq) throw damaged(path, `has event ${event.seq} out of its place`);
    last = event.seq;
    count += 1;
    yield event;
  }
  if (count !== events) throw damaged(path, `has ${count} events, not ${events}`);
  if (hash.digest('hex') !== sha256) throw damaged(path, 'has another sha256 than when it was sealed');
}
