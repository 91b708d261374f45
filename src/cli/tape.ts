/** Events of an agent's log or of central's store, a page at a time. */
import type { CentralEvent, EventFilter } from '../central/store/store.ts';
import type { StoredEvent } from '../contract/event.ts';

export interface Told {
  readonly agent: string;
  readonly event: StoredEvent;
  /** What central says of it; absent in a log. */
  readonly known?: CentralEvent;
}

export interface Question extends EventFilter {
  readonly order?: 'asc' | 'desc';
  /** Absent: position where `order` is asc, else time. Of a log only its own order, both ways. */
  readonly sort?: 'position' | 'time';
  /** A cursor of this order: `after` with asc, `before` with desc. */
  readonly after?: string;
  readonly before?: string;
  /** All of it once, in the order that takes least: of a store what lies in segments first, epoch by epoch, then its rows by time. */
  readonly scan?: boolean;
  /** With `scan`: false leaves out what lies in segments. */
  readonly sealed?: boolean;
  /** With `scan`: on from a place of an earlier tape. */
  readonly place?: unknown;
}

export interface Tape {
  /** What follows what was given before, at most `limit`; an empty page: nothing more for now. Rejects with code BAD_CURSOR. */
  next(limit: number): Promise<readonly Told[]>;
  /** Where this tape goes on; null for a log, and for a scan. */
  cursor(): string | null;
  /** Of a scan: behind what was given. Survives JSON. */
  place(): unknown;
  /** Before this time there may be events in segments, which it does not give; null where there are none. */
  leftOut(): Promise<string | null>;
  /** How much of it was given, from 0 to 1: by time in a store, by number in a log. */
  share(): number;
  event(epoch: string, seq: number): Promise<Told | null>;
  close(): Promise<void>;
}
