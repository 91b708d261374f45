/**
 * Sealed segments: what central deletes after a time, in files. A segment is one run of seqs of one epoch: CloudEvents as JSON lines,
 * gzip, and beside it a manifest with its SHA-256 and the chain before and after it. Where both have their names, they are whole.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { type ChainHash, chainHex, chainNext, parseChainHex } from '../../contract/chain.ts';
import { decodeEvent, encodeEvent } from '../../contract/envelope.ts';
import type { StoredEvent } from '../../contract/event.ts';
import { OWN_FILE } from './own-file.ts';

/** An event as a segment has it. Corrections of it may come later: they are not in here. */
export interface SealedEvent extends StoredEvent {
  readonly agent: string;
  readonly shard: number;
  readonly arrival: number;
  readonly position: number | null;
}

export interface Manifest {
  readonly version: 1;
  readonly agent: string;
  readonly epoch: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly events: number;
  readonly firstTime: string;
  readonly lastTime: string;
  /** chain at fromSeq - 1 and at toSeq; null where something before it was lost, so that it cannot be computed. */
  readonly chainBefore: string | null;
  readonly chain: string | null;
  /** Of the file as it is, and of the lines in it. */
  readonly sha256: string;
  readonly linesSha256: string;
}

export type NewSegment = Pick<Manifest, 'agent' | 'epoch' | 'fromSeq' | 'toSeq' | 'chainBefore'>;

const SUFFIX = '.jsonl.gz';
const WIDTH = 12;

export function segmentFile(epoch: string, fromSeq: number): string {
  return `${epoch}-${String(fromSeq).padStart(WIDTH, '0')}${SUFFIX}`;
}

export function manifestFile(file: string): string {
  return file.replace(/\.jsonl\.gz$/, '.json');
}

/**
 * Writes a segment, reads it back from the disk and compares, and only then gives it its name. Resolves when all of it is durable.
 * Rejects with SEGMENT_DAMAGED where the disk gave back something else, SEGMENT_EXISTS where a longer one has this name,
 * or the code of the disk. `step` is told what is done, for tests that stop in between.
 */
export async function sealSegment(
  dir: string,
  segment: NewSegment,
  events: AsyncIterable<SealedEvent>,
  step: (name: string) => void,
): Promise<Manifest> {
  const file = segmentFile(segment.epoch, segment.fromSeq);
  const part = join(dir, `${file}.part`);
  const written = createTally(segment.chainBefore, segment.fromSeq);
  await refuseLonger(dir, file, segment.toSeq);
  await pipeline(linesOf(events, written), createGzip(), createWriteStream(part, { flush: true, mode: OWN_FILE }));
  step('written');
  const read = await readWhole(part, segment);
  const lines = written.lines.digest('hex');
  if (read.linesSha256 !== lines || read.events !== written.events || read.chain !== written.chainText()) {
    throw damaged(part, 'is not what was written', 'the disk cannot be trusted: nothing was deleted');
  }
  step('verified');
  const manifest: Manifest = { version: 1, ...segment, ...read };
  const manifestPart = join(dir, `${manifestFile(file)}.part`);
  const handle = await open(manifestPart, 'w', OWN_FILE);
  await handle.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
  await handle.sync();
  await handle.close();
  await rename(part, join(dir, file));
  step('named');
  await rename(manifestPart, join(dir, manifestFile(file)));
  await syncFolder(dir);
  step('sealed');
  return manifest;
}

/** Reads a whole segment and compares it with its manifest. Rejects with code SEGMENT_DAMAGED, which names the file. */
export async function verifySegment(dir: string, file: string): Promise<Manifest> {
  const manifest = await readManifest(dir, file);
  const read = await readWhole(join(dir, file), manifest);
  for (const key of ['sha256', 'linesSha256', 'events', 'chain', 'firstTime', 'lastTime'] as const) {
    if (read[key] !== manifest[key]) throw damaged(join(dir, file), `has another ${key} than its manifest`);
  }
  return manifest;
}

/** All manifests of a folder: by epoch, and within one by seq. A segment without one is not sealed: its rows are in the store. */
export async function listSegments(dir: string): Promise<readonly (Manifest & { readonly file: string })[]> {
  const names = await readdir(dir);
  const files = names.filter((name) => name.endsWith(SUFFIX) && names.includes(manifestFile(name))).sort();
  return Promise.all(files.map(async (file) => ({ ...(await readManifest(dir, file)), file })));
}

/** Every event of every segment: epoch by epoch in the order in which these began, by seq. A line at a time is in memory. */
export async function* readSegments(dir: string): AsyncGenerator<SealedEvent> {
  for (const { file } of await listSegments(dir)) yield* readSegment(dir, file);
}

/** The events of one segment, by seq. Rejects with code SEGMENT_DAMAGED where it cannot be read to its end. */
export async function* readSegment(dir: string, file: string): AsyncGenerator<SealedEvent> {
  const { agent } = await readManifest(dir, file);
  yield* readLines(join(dir, file), agent, null);
}

export async function readManifest(dir: string, file: string): Promise<Manifest> {
  const path = join(dir, manifestFile(file));
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw damaged(path, 'cannot be read', undefined, error);
  }
  const manifest = value as Manifest;
  if (manifest?.version !== 1 || segmentFile(manifest.epoch, manifest.fromSeq) !== file) {
    throw damaged(path, 'is no manifest of its segment');
  }
  return manifest;
}

/** What a run of events adds up to. The chain goes on while no seq is missing. */
function createTally(chainBefore: string | null, fromSeq: number) {
  let chain: ChainHash | null = parseChainHex(chainBefore);
  let next = fromSeq;
  const tally = {
    lines: createHash('sha256'),
    events: 0,
    firstTime: '',
    lastTime: '',
    add(line: string, event: StoredEvent) {
      tally.lines.update(`${line}\n`);
      tally.events += 1;
      if (tally.firstTime === '' || event.time < tally.firstTime) tally.firstTime = event.time;
      if (event.time > tally.lastTime) tally.lastTime = event.time;
      chain = chain === null || event.seq !== next ? null : chainNext(chain, event);
      next = event.seq + 1;
    },
    chainText: () => (chain === null ? null : chainHex(chain)),
  };
  return tally;
}

async function* linesOf(events: AsyncIterable<SealedEvent>, tally: ReturnType<typeof createTally>) {
  for await (const event of events) {
    const { agent, shard, arrival, position } = event;
    const known = JSON.stringify({ shard, arrival, position });
    const line = `${known.slice(0, -1)},${encodeEvent(agent, event).slice(1)}`;
    tally.add(line, event);
    yield `${line}\n`;
  }
}

async function readWhole(path: string, { agent, chainBefore, fromSeq, toSeq }: NewSegment) {
  const tally = createTally(chainBefore, fromSeq);
  const sha = createHash('sha256');
  let last = fromSeq - 1;
  for await (const event of readLines(path, agent, sha, (line, one) => tally.add(line, one))) {
    if (event.seq <= last || event.seq > toSeq) throw damaged(path, `has event ${event.seq} out of its place`);
    last = event.seq;
  }
  const { events, firstTime, lastTime } = tally;
  const linesSha256 = tally.lines.digest('hex');
  return { events, firstTime, lastTime, chain: tally.chainText(), sha256: sha.digest('hex'), linesSha256 };
}

export async function* readLines(
  path: string,
  agent: string,
  sha: Hash | null,
  seen: (line: string, event: SealedEvent) => void = () => undefined,
): AsyncGenerator<SealedEvent> {
  const file = createReadStream(path);
  if (sha !== null) file.on('data', (bytes) => sha.update(bytes));
  const text = createGunzip().setEncoding('utf8');
  const ended = pipeline(file, text).catch(() => undefined);
  let rest = '';
  try {
    for await (const piece of text) {
      const lines = (rest + String(piece)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = parseLine(line, agent);
        if (event === null) throw damaged(path, 'holds a line that is no event');
        seen(line, event);
        yield event;
      }
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'SEGMENT_DAMAGED') throw error;
    throw damaged(path, 'cannot be read', undefined, error);
  } finally {
    file.destroy();
    await ended;
  }
  if (rest !== '') throw damaged(path, 'ends in the middle of a line');
}

function parseLine(line: string, agent: string): SealedEvent | null {
  let item: unknown;
  try {
    item = JSON.parse(line);
  } catch {
    return null;
  }
  const event = decodeEvent(item);
  if (typeof event === 'string') return null;
  const { shard, arrival, position } = item as { shard: number; arrival: number; position: number | null };
  return { ...event, agent, shard, arrival, position };
}

/** A segment that is longer may be all that is left of its end, when the database was put back from a backup. */
async function refuseLonger(dir: string, file: string, toSeq: number): Promise<void> {
  if (!(await readdir(dir)).includes(manifestFile(file))) return;
  const there = await readManifest(dir, file);
  if (there.toSeq <= toSeq) return;
  const text = `${join(dir, file)} goes further than the store: was the store put back from a backup?`;
  throw Object.assign(new Error(`${text} Move the segment and its manifest away, and keep them`), {
    code: 'SEGMENT_EXISTS',
  });
}

export function damaged(
  path: string,
  what: string,
  fix = 'put it back from a backup, with its manifest',
  cause?: unknown,
): Error {
  const options = cause === undefined ? undefined : { cause };
  return Object.assign(new Error(`segment ${path} ${what}: ${fix}`, options), { code: 'SEGMENT_DAMAGED' });
}

async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  await handle.sync();
  await handle.close();
}
