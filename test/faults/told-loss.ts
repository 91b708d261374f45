/**
 * The oracle for faults that no log can withstand: what had been acknowledged may be gone, but the log must say so. An event is
 * accounted for where it is there byte-equal, was confirmed, or is told by `history.lost`. The witness can only tell of what it
 * has seen: what was acknowledged after its last record that the fault left is counted by itself, and so is all where it is gone.
 */
import { rmSync } from 'node:fs';
import { v7 } from 'uuid';
import type { IngestLog } from '../../src/agent/log/event-log.ts';
import { type Head, openHeadWitness } from '../../src/agent/log/head-witness.ts';
import { shortType } from '../../src/contract/event.ts';
import { lostRanges } from '../../src/contract/lost.ts';
import type { SeqRange } from '../../src/contract/message.ts';
import type { Verdict } from './frame.ts';
import { type Expectation, openForCheck } from './oracle.ts';
import { epochOf, sameEvent } from './workload.ts';

/** Starts until the agent runs: one may find the damage as it reads. */
const LIVES = 3;
const ALL = Number.MAX_SAFE_INTEGER;

export interface Told extends Verdict {
  /** Gone and told. */
  readonly told: number;
  /** Gone, and acknowledged after what the witness had seen. */
  readonly beyond: number;
  /** Gone, and there was no witness. */
  readonly blind: number;
}

/** `lost`: gone untold although the witness had seen it. `takesWitness`: a control, it is taken away before the log is opened. Never rejects. */
export async function checkTold(path: string, expected: Expectation, takesWitness = false): Promise<Told> {
  const began = performance.now();
  const { acked } = expected.heard;
  const nothing = { acked, lost: 0, doubled: 0, told: 0, beyond: 0, blind: 0 };
  const witness = openHeadWitness(path);
  witness.close();
  if (takesWitness) rmSync(`${path}.head`);
  const errors: string[] = [];
  for (let life = 1; life <= LIVES; life += 1) {
    try {
      const log = await openForCheck(
        path,
        () => v7(),
        () => undefined,
      );
      const recoveryMs = performance.now() - began;
      try {
        return { ...nothing, ...(await account(log, expected, witness.found)), recoveryMs, breach: null };
      } finally {
        await log.close();
      }
    } catch (error) {
      errors.push(String(error));
    }
  }
  return { ...nothing, recoveryMs: performance.now() - began, breach: `never started: ${errors.join('; ')}` };
}

async function account(
  log: IngestLog,
  { seed, truth, heard }: Expectation,
  witness: Head | null,
): Promise<Pick<Told, 'lost' | 'told' | 'beyond' | 'blind'>> {
  const epoch = epochOf(seed);
  const events = await log.read(epoch, 1, ALL, ALL, ALL);
  const there = new Set(events.filter((event) => sameEvent(event, truth.event(event.seq))).map(({ seq }) => seq));
  const ranges = await toldRanges(log, epoch);
  const seen = witness?.epoch === epoch ? witness.lastSeq : 0;
  const sum = { lost: 0, told: 0, beyond: 0, blind: 0 };
  for (let seq = heard.marked + 1; seq <= heard.acked; seq += 1) {
    if (there.has(seq)) continue;
    if (ranges.some(([from, to]) => from <= seq && seq <= to)) sum.told += 1;
    else if (seq <= seen) sum.lost += 1;
    else if (seen === 0) sum.blind += 1;
    else sum.beyond += 1;
  }
  return sum;
}

/** What the `history.lost` events of a log tell of an epoch. */
export async function toldRanges(log: IngestLog, epoch: string): Promise<readonly SeqRange[]> {
  const told: SeqRange[] = [];
  for (const head of log.epochs()) {
    for (const event of await log.read(head.epoch, 1, ALL, ALL, ALL)) {
      if (shortType(event.type) !== 'history.lost') continue;
      const body = JSON.parse(event.data) as { readonly epoch: string };
      if (body.epoch === epoch) told.push(...(lostRanges({ ...body }) ?? []));
    }
  }
  return told;
}
