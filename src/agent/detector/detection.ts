/** What detectors decide. Times are in the clock of the readings; the ingest loop turns them into wall time. */

import type { Sighting } from '../../contract/event.ts';

export type Detection =
  | {
      readonly type: 'meow.started';
      readonly collar: string;
      readonly atMs: number;
      readonly startMs: number;
      readonly level: number;
    }
  | {
      readonly type: 'meow.ended';
      readonly collar: string;
      readonly atMs: number;
      readonly startMs: number;
      readonly endMs: number;
      readonly durationMs: number;
      readonly peakG: number;
      readonly readings: number;
      readonly place: string | null;
    }
  | {
      readonly type: 'cat.moved';
      readonly collar: string;
      readonly atMs: number;
      readonly from: string | null;
      readonly to: string;
      readonly confidence?: number;
    }
  | (Sighting & { readonly type: 'collar.sighted'; readonly collar: string; readonly atMs: number })
  | { readonly type: 'collar.silent'; readonly collar: string; readonly atMs: number; readonly lastSeenMs: number }
  | { readonly type: 'collar.heard'; readonly collar: string; readonly atMs: number; readonly lastSeenMs: number }
  | { readonly type: 'battery.low'; readonly collar: string; readonly atMs: number; readonly percent: number };
