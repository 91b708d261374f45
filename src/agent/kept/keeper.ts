/**
 * Takes down what the detectors are given and what they decide, in blocks. Runs within the ingest loop and waits for nothing: a
 * ring that does not keep up, or cannot write, loses blocks, and the next one tells all that must be known to go on without them.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Detection } from '../detector/detection.ts';
import type { RememberedCollar, WatchInput } from '../detector/watch.ts';
import type { DetectorNames } from '../detector-names.ts';
import { type BlockWriter, createBlockWriter, roundInput } from './block.ts';
import type { KeptRing } from './ring.ts';

/** A block ends at this size … */
const BLOCK_CHARACTERS = 48 * 1024;
/** … or after this time: what a kill loses at most. */
const BLOCK_MS = 10_000;

/** What the detectors know, asked for where a segment begins. */
export type Known = () => readonly RememberedCollar[];

export interface Keeper {
  /** The agent begins, with what it remembers. */
  begin(known: Known): void;
  /** The input as the detectors shall have it: rounded to what is kept. */
  round(input: WatchInput): WatchInput;
  /** That input has been decided on. `known`: what is known after it. */
  note(input: WatchInput, detections: readonly Detection[], known: Known): void;
  /** Nothing more comes. */
  close(): void;
}

export interface KeeperParts {
  readonly ring: Pick<KeptRing, 'push' | 'startDue'>;
  readonly clock: Clock;
  readonly detectors: DetectorNames;
}

export function createKeeper({ ring, clock, detectors }: KeeperParts): Keeper {
  const run = randomUUID();
  let block = 0;
  let begunMs = 0;
  let writer: BlockWriter | null = null;
  let isStart = true;

  const open = (whole: boolean, known: Known) => {
    begunMs = clock.monoNow();
    const offsetMs = Math.round(clock.wallNow() - begunMs);
    const head = { kept: 1, run, block, offsetMs, synced: clock.quality() === 'synced', detectors } as const;
    writer = createBlockWriter(isStart ? { ...head, start: { whole, collars: known() } } : head);
  };
  const flush = () => {
    if (writer === null) return;
    const isKept = ring.push({ text: writer.text(), isStart });
    block += 1;
    writer = null;
    isStart = !isKept || ring.startDue();
  };
  return {
    begin: (known) => open(true, known),
    round: roundInput,
    note(input, detections, known) {
      writer?.add(input, detections);
      const isFull = writer !== null && writer.characters >= BLOCK_CHARACTERS;
      if (!isFull && clock.monoNow() - begunMs < BLOCK_MS) return;
      flush();
      open(false, known);
    },
    close: flush,
  };
}
