/** Listens at a port for a few seconds: at which rate and in which format it can be read, how often it speaks, and of whom. */
import { createDecoder, type DecoderOptions } from '../agent/decoder/decoder.ts';
import type { Reading } from '../agent/decoder/reading.ts';
import { textSample } from '../agent/decoder/sample.ts';
import type { Source } from '../agent/source/source.ts';
import { childOf } from '../lib/wait.ts';
import { type Format, RATES, readAs } from './probe-port.ts';

export interface HeardOf {
  readonly collar: string;
  readonly readings: number;
  /** Of them, those that tell of a movement. */
  readonly shakes: number;
}

export interface HeardPort {
  readonly baud: number | null;
  readonly format: Format | null;
  /** Messages that could be read, and how many a second. */
  readonly frames: number;
  readonly framesPerSecond: number;
  readonly bytes: number;
  readonly sample: string;
  /** Those heard most first. */
  readonly collars: readonly HeardOf[];
  /** Why it could not be listened to, or null. */
  readonly problem: string | null;
}

export interface HearParts {
  readonly open: (path: string, baud: number) => Source;
  readonly totalMs: number;
  readonly monoNow: () => number;
}

/** Of the whole time, while nothing can be read: most receivers are set to one of the first. */
const SHARES = [8, 4, 3, 2, 2, 2, 1, 2];
const SHARES_IN_ALL = SHARES.reduce((sum, share) => sum + share, 0);
/** So much of what is heard is looked at. */
const MAX_BYTES = 512 * 1024;
const MAX_COLLARS = 32;
/** In g, beyond what rest and slow turning give. */
const SHAKE_G = 0.35;

const NOTHING: HeardPort = {
  baud: null,
  format: null,
  frames: 0,
  framesPerSecond: 0,
  bytes: 0,
  sample: '',
  collars: [],
  problem: null,
};

/** Ends early when the signal aborts. At the first rate that can be read it listens on until the time is over. */
export async function hearPort(path: string, parts: HearParts, signal: AbortSignal): Promise<HeardPort> {
  const { open, totalMs, monoNow } = parts;
  const endsAt = monoNow() + totalMs;
  let best = NOTHING;
  for (const [i, baud] of RATES.entries()) {
    const openedAt = monoNow();
    const leftMs = endsAt - openedAt;
    if (signal.aborted || leftMs <= 0) break;
    const sliceMs = Math.min(leftMs, (totalMs * (SHARES[i] ?? 1)) / SHARES_IN_ALL);
    const { bytes, problem } = await listen(open(path, baud), { sliceMs, leftMs }, signal);
    if (problem !== null) return { ...NOTHING, problem };
    const said = { bytes: bytes.length, sample: textSample(bytes) };
    const read = readAs(bytes);
    if (read === null) {
      if (bytes.length > best.bytes) best = { ...NOTHING, ...said };
      continue;
    }
    const { format, readable: frames } = read;
    const framesPerSecond = Math.round((10_000 * frames) / Math.max(1, monoNow() - openedAt)) / 10;
    const counts = createCounts({ format });
    counts.push(bytes);
    return { ...NOTHING, baud, format, frames, framesPerSecond, ...said, collars: counts.collars() };
  }
  return best;
}

interface Span {
  /** So long without anything that can be read. */
  readonly sliceMs: number;
  readonly leftMs: number;
}

async function listen(source: Source, { sliceMs, leftMs }: Span, signal: AbortSignal) {
  const over = childOf(signal);
  let timer = setTimeout(over.abort, sliceMs);
  let isReadable = false;
  let bytes = Buffer.alloc(0);
  try {
    for await (const input of source.inputs(over.signal)) {
      if (input.type === 'failed') return { bytes, problem: input.reason };
      if (input.type !== 'bytes' || bytes.length >= MAX_BYTES) continue;
      bytes = Buffer.concat([bytes, input.bytes]);
      if (isReadable || readAs(bytes) === null) continue;
      isReadable = true;
      clearTimeout(timer);
      timer = setTimeout(over.abort, leftMs);
    }
    return { bytes, problem: null };
  } finally {
    clearTimeout(timer);
    over.abort();
    over.release();
  }
}

/** In one line for people. */
export function describe({
  baud,
  format,
  frames,
  framesPerSecond,
  bytes,
  sample,
  collars,
  problem,
}: HeardPort): string {
  if (problem !== null) return problem;
  if (bytes === 0) return 'nothing was heard';
  if (format === null) return `${bytes} bytes that cannot be read: ${sample}`;
  const names = collars.slice(0, 4).map(({ collar }) => collar);
  const of = names.length === 0 ? '' : `, of ${names.join(', ')}${collars.length > names.length ? ' …' : ''}`;
  return `${frames} messages (${framesPerSecond}/s) in ${format} at ${baud} baud${of}`;
}

export interface Counts {
  push(bytes: Uint8Array): void;
  collars(): HeardOf[];
}

/** How often each collar was heard. */
export function createCounts(options: Pick<DecoderOptions, 'format' | 'fields' | 'columns' | 'unit'>): Counts {
  const decoder = createDecoder(options);
  const counts = new Map<string, { readings: number; shakes: number }>();
  return {
    push(bytes) {
      for (const reading of decoder.push(bytes, 0).readings) {
        const known = counts.get(reading.collar);
        if (known === undefined && counts.size >= MAX_COLLARS) continue;
        const count = known ?? { readings: 0, shakes: 0 };
        counts.set(reading.collar, count);
        count.readings += 1;
        if (isShake(reading)) count.shakes += 1;
      }
    },
    collars: () =>
      [...counts]
        .map(([collar, count]) => ({ collar, ...count }))
        .sort((a, b) => b.shakes - a.shakes || b.readings - a.readings || (a.collar < b.collar ? -1 : 1)),
  };
}

function isShake({ shake, edges, axG, ayG, azG }: Reading): boolean {
  if ((shake ?? 0) >= 0.5 || (edges ?? 0) > 0) return true;
  if (axG === undefined || ayG === undefined || azG === undefined) return false;
  return Math.abs(Math.hypot(axG, ayG, azG) - 1) > SHAKE_G;
}
