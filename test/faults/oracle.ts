/** Opens what a fault left behind with the real log, and compares it with what had been acknowledged. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import Database from 'better-sqlite3';
import type { IngestLog } from '../../src/agent/log/event-log.ts';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { chainHex } from '../../src/contract/chain.ts';
import type { Verdict } from './frame.ts';
import type { Heard } from './run-child.ts';
import { AGENT, epochOf, numberOf, sameEvent, type Truth } from './workload.ts';

const ALL = Number.MAX_SAFE_INTEGER;

/** A log that is put aside begins anew with `newEpochId`. */
export function openForCheck(
  path: string,
  newEpochId: () => string,
  onDamaged: (aside: string, reason: string) => void,
): Promise<IngestLog> {
  return openEventLog(
    { path, agent: AGENT, keepDays: 36_500, keepBytes: 1e9, budgetBytes: 1e9 },
    {
      when: () => ({ time: '2026-11-23T07:00:00.000Z', clock: 'synced', boot: null, monoMs: null }),
      newEpochId,
      onDamaged,
    },
  );
}

export interface Expectation {
  readonly seed: number;
  readonly truth: Truth;
  readonly heard: Pick<Heard, 'acked' | 'marked'>;
}

/** D1, D3, D4: acknowledged means present and byte-equal; nothing else is there; the file is sound. Never rejects. */
export async function checkLog(path: string, expected: Expectation): Promise<Verdict> {
  const { acked } = expected.heard;
  const began = performance.now();
  try {
    let damage: string | null = null;
    const mark = (_: string, reason: string) => {
      damage = reason;
    };
    // The same epoch as the child's: a file in which nothing had been begun yet goes on as the child's.
    const log = await openForCheck(path, () => epochOf(expected.seed), mark);
    const recoveryMs = performance.now() - began;
    let found: Pick<Verdict, 'lost' | 'doubled' | 'breach'>;
    try {
      found = await compare(log, expected);
    } finally {
      await log.close();
    }
    // Put aside before anything was acknowledged: nothing is lost, but a sound log must not be called damaged either.
    const breach = found.breach ?? (damage === null ? unsound(path) : `put aside: ${damage}`);
    return { acked, recoveryMs, ...found, breach };
  } catch (error) {
    return { acked, lost: acked, doubled: 0, recoveryMs: performance.now() - began, breach: String(error) };
  }
}

async function compare(
  log: IngestLog,
  { seed, truth, heard }: Expectation,
): Promise<Pick<Verdict, 'lost' | 'doubled' | 'breach'>> {
  const head = log.epochs().find((e) => e.epoch === epochOf(seed));
  if (head === undefined)
    return { lost: heard.acked, doubled: 0, breach: heard.acked === 0 ? null : 'the epoch is gone' };
  const events = await log.read(head.epoch, 1, ALL, ALL, ALL);
  const numbers = new Set<number>();
  let breach: string | null = null;
  let whole = 0;
  for (const [i, event] of events.entries()) {
    const seq = head.firstSeq + i;
    if (event.seq !== seq) breach ??= `seq ${event.seq} where ${seq} belongs`;
    const same = event.seq === seq && sameEvent(event, truth.event(seq));
    if (!same) breach ??= `event ${seq} is not what was appended`;
    if (same && seq <= heard.acked) whole += 1;
    numbers.add(numberOf(event) ?? -seq);
  }
  // Nothing is lost, so nothing may be told as lost.
  if (log.epochs().length > 1) breach ??= `a new epoch began: ${JSON.stringify(log.epochs())}`;
  const trimmed = Math.min(head.firstSeq - 1, heard.marked, heard.acked);
  if (head.firstSeq > Math.max(heard.marked, 0) + 1)
    breach ??= `trimmed through ${head.firstSeq - 1}, confirmed ${heard.marked}`;
  const chain = await log.chainAt(head.epoch, head.lastSeq);
  if (chain === null || chainHex(chain) !== chainHex(truth.chain(head.lastSeq)))
    breach ??= `chain at ${head.lastSeq} differs`;
  return { lost: heard.acked - trimmed - whole, doubled: events.length - numbers.size, breach };
}

/** After closing: what SQLite itself says of the file, or null. */
export function unsound(path: string): string | null {
  const db = new Database(path, { readonly: true });
  try {
    const verdict = db.pragma('integrity_check(1)', { simple: true });
    return verdict === 'ok' ? null : `integrity_check: ${String(verdict)}`;
  } finally {
    db.close();
  }
}

/** Files that were put aside beside a log. */
export function asideOf(path: string): readonly string[] {
  const folder = dirname(path);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter(
    (name) => name.startsWith(`${basename(path)}.damaged-`) && !/-(wal|shm)$/.test(name),
  );
}
