/**
 * What one agent's cards have ever committed, written down beside the program: each event with its bytes, whether the program
 * was told that it is durable, and whether the card that held it was taken away later. The oracle compares central with it.
 */
import { type EventData, fullType, type StoredEvent } from '../../src/contract/event.ts';

export interface Entry {
  readonly epoch: string;
  readonly seq: number;
  /** All of the event, as text. */
  readonly body: string;
  acknowledged: boolean;
  /** An older copy of the whole card was put back: this event is on no card any more, and nothing there knows of it. */
  abandoned: boolean;
}

export interface Head {
  readonly epoch: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export interface Ledger {
  commit(events: readonly StoredEvent[]): void;
  acknowledge(epoch: string, from: number, to: number): void;
  /** The highest seq of an epoch that is written down for the card of now; 0 for none. */
  lastOf(epoch: string): number;
  /** Compares what the card holds with what it held before: names the first event that went without a reason. */
  trimmed(heads: readonly Head[], committedByCentral: (epoch: string) => number): string | null;
  /** The card is now one that ended with these heads. `witnessed`: what lies beside the log has seen what came after them. */
  rollBack(heads: readonly Head[], witnessed: boolean): void;
  readonly heads: readonly Head[];
  /** Everything that was ever said under this number. */
  entriesOf(epoch: string, seq: number): readonly Entry[];
  readonly entries: Iterable<Entry>;
  readonly rolledBack: boolean;
  /** Epochs that an older card went on writing. */
  readonly tornEpochs: ReadonlySet<string>;
}

export function createLedger(): Ledger {
  const byEpoch = new Map<string, Map<number, Entry[]>>();
  const lost: EventData['history.lost'][] = [];
  const torn = new Set<string>();
  let heads = new Map<string, Head>();
  let rolledBack = false;
  const isTold = (epoch: string, seq: number) =>
    lost.some((one) => one.epoch === epoch && one.fromSeq <= seq && seq <= one.toSeq);
  return {
    commit(events) {
      for (const event of events) {
        const { epoch, seq } = event;
        const bySeq = byEpoch.get(epoch) ?? new Map<number, Entry[]>();
        byEpoch.set(epoch, bySeq);
        const body = bodyOf(event);
        const same = bySeq.get(seq)?.find((entry) => entry.body === body);
        if (same === undefined) {
          const entry = { epoch, seq, body, acknowledged: false, abandoned: false };
          bySeq.set(seq, [...(bySeq.get(seq) ?? []), entry]);
        } else same.abandoned = false;
        if (event.type === fullType('history.lost')) lost.push(JSON.parse(event.data) as EventData['history.lost']);
        const head = heads.get(epoch) ?? { epoch, firstSeq: 1, lastSeq: 0 };
        heads.set(epoch, { ...head, lastSeq: Math.max(head.lastSeq, seq) });
      }
    },
    acknowledge(epoch, from, to) {
      for (let seq = from; seq <= to; seq += 1) {
        const entry = byEpoch.get(epoch)?.get(seq)?.at(-1);
        if (entry !== undefined) entry.acknowledged = true;
      }
    },
    lastOf: (epoch) => heads.get(epoch)?.lastSeq ?? 0,
    trimmed(now, committedByCentral) {
      let reason: string | null = null;
      for (const { epoch, firstSeq, lastSeq } of now) {
        const before = heads.get(epoch)?.firstSeq ?? 1;
        for (let seq = before; seq < firstSeq; seq += 1) {
          if (seq <= committedByCentral(epoch) || isTold(epoch, seq)) continue;
          reason ??= `${epoch}/${seq} was deleted, central has committed ${committedByCentral(epoch)}`;
        }
        heads.set(epoch, { epoch, firstSeq, lastSeq: Math.max(lastSeq, heads.get(epoch)?.lastSeq ?? 0) });
      }
      return reason;
    },
    rollBack(to, witnessed) {
      rolledBack = true;
      const kept = new Map(to.map((head) => [head.epoch, head]));
      for (const [epoch, bySeq] of byEpoch) {
        const last = kept.get(epoch)?.lastSeq ?? 0;
        for (const [seq, entries] of bySeq) {
          if (seq <= last) continue;
          torn.add(epoch);
          if (!witnessed) for (const entry of entries) entry.abandoned = true;
        }
      }
      heads = kept;
    },
    get heads() {
      return [...heads.values()];
    },
    entriesOf: (epoch, seq) => byEpoch.get(epoch)?.get(seq) ?? [],
    get entries() {
      return [...byEpoch.values()].flatMap((bySeq) => [...bySeq.values()].flat());
    },
    get rolledBack() {
      return rolledBack;
    },
    tornEpochs: torn,
  };
}

export function bodyOf(event: StoredEvent): string {
  const { epoch, seq, type, version, subject, time, clock, boot, monoMs, data } = event;
  return JSON.stringify([epoch, seq, type, version, subject, time, clock, boot, monoMs, data]);
}
