/** The events of a run: event n of a seed is always the same, so that bytes can be compared without being passed on. */
import { type ChainHash, chainNext, chainStart } from '../../src/contract/chain.ts';
import { type NewEvent, newEvent, type StoredEvent } from '../../src/contract/event.ts';
import { mulberry32 } from './frame.ts';

export const AGENT = 'porch';
const T0 = Date.parse('2026-11-23T06:00:00.000Z');
const BOOT = '5d1f2a3e-0000-4000-8000-000000000001';

/** The epoch of a seed's log. */
export function epochOf(seed: number): string {
  return `01a20867-068a-70da-b9ee-${(seed >>> 0).toString(16).padStart(12, '0')}`;
}

/** Event `n` of a seed; its data carries `n`. One in 41 needs overflow pages, one in 7 comes from an unsynced clock. */
export function eventAt(seed: number, n: number): NewEvent {
  const random = mulberry32(Math.imul(seed, 0x9e37_79b1) ^ n);
  const time = new Date(T0 + n * 137).toISOString();
  const when =
    n % 7 === 3
      ? ({ time, clock: 'unsynced', boot: BOOT, monoMs: n * 137.25 } as const)
      : ({ time, clock: 'synced', boot: null, monoMs: null } as const);
  const subject = `collar/C0FFEE${String(n % 6).padStart(2, '0')}`;
  if (n % 41 === 5) {
    const text = random().toString(36).slice(2, 8).repeat(1_000);
    return {
      type: 'org.example.blob',
      version: 3,
      subject: null,
      ...when,
      data: JSON.stringify({ readings: n, text }),
    };
  }
  if (n % 3 === 0) return newEvent('meow.started', subject, { level: n }, when);
  const peakG = Math.round(random() * 4_000) / 1_000;
  const place = random() < 0.5 ? null : `röom ${Math.floor(random() * 9)}`;
  return newEvent('meow.ended', subject, { durationMs: Math.floor(random() * 900), peakG, readings: n, place }, when);
}

/** The number that an event of `eventAt` carries, or null. */
export function numberOf(event: Pick<StoredEvent, 'data'>): number | null {
  const match = /"(?:level|readings)":(\d+)/.exec(event.data);
  return match === null ? null : Number(match[1]);
}

export interface Truth {
  /** What the log must hold at `seq`. */
  event(seq: number): StoredEvent;
  chain(seq: number): ChainHash;
}

export function truthOf(seed: number): Truth {
  const epoch = epochOf(seed);
  const events: StoredEvent[] = [];
  const chains: ChainHash[] = [chainStart(AGENT, epoch)];
  const extend = (seq: number) => {
    while (events.length < seq) {
      const event = { epoch, seq: events.length + 1, ...eventAt(seed, events.length + 1) };
      const before = chains[events.length] ?? chainStart(AGENT, epoch);
      events.push(event);
      chains.push(chainNext(before, event));
    }
  };
  const known = <T>(list: readonly T[], at: number): T => {
    const item = list[at];
    if (item === undefined) throw new Error(`nothing is known at ${at}`);
    return item;
  };
  return {
    event(seq) {
      extend(seq);
      return known(events, seq - 1);
    },
    chain(seq) {
      extend(seq);
      return known(chains, seq);
    },
  };
}

export function sameEvent(a: StoredEvent, b: StoredEvent): boolean {
  return (
    a.seq === b.seq &&
    a.data === b.data &&
    a.type === b.type &&
    a.version === b.version &&
    a.subject === b.subject &&
    a.time === b.time &&
    a.clock === b.clock &&
    a.boot === b.boot &&
    a.monoMs === b.monoMs &&
    a.epoch === b.epoch
  );
}
