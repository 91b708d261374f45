/** A segment as it was sealed: read and verified in one pass, a line at a time in memory. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { NotedSegment } from './expired.ts';
import { damaged, type Manifest, readLines, readManifest, type SealedEvent } from './segment-file.ts';

/** Is it the file that was sealed? Rejects with code SEGMENT_DAMAGED, which names it, before any of its events is read. */
export async function proveSegment(dir: string, segment: NotedSegment): Promise<Manifest> {
  const manifest = await manifestOf(dir, segment);
  const path = join(dir, segment.file);
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    throw damaged(path, 'cannot be read', undefined, error);
  }
  if (hash.digest('hex') !== segment.sha256) throw damaged(path, 'has another sha256 than when it was sealed');
  return manifest;
}

/**
 * The events of the segment that the store noted, by seq. Only once all of them were given they are proven to be those that were sealed:
 * SHA-256, count and the chain at both ends. Rejects with code SEGMENT_DAMAGED, which names the file.
 */
export async function* readVerified(dir: string, segment: NotedSegment): AsyncGenerator<SealedEvent> {
  const { file, sha256, events, from_seq: fromSeq, to_seq: toSeq } = segment;
  const path = join(dir, file);
  const manifest = await manifestOf(dir, segment);
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

/** Of this very segment, and the next one of its epoch. */
async function manifestOf(dir: string, segment: NotedSegment): Promise<Manifest> {
  const { file, sha256, chain, chainBefore, to_seq: toSeq } = segment;
  const path = join(dir, file);
  const manifest = await readManifest(dir, file);
  if (manifest.sha256 !== sha256 || manifest.toSeq !== toSeq || manifest.chain !== chain) {
    throw damaged(path, 'is not the segment that was sealed');
  }
  if (manifest.chainBefore !== chainBefore) throw damaged(path, 'does not go on where the one before it ends');
  return manifest;
}
