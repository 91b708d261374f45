/** Whether the loops of an agent move, and how it stands in one line. */

import type { ClockQuality } from '../contract/event.ts';
import type { DiskHealth } from './log/event-log.ts';
import type { ForwardStatus } from './publisher/status.ts';
import type { Tally } from './source/tally.ts';

/** A card that is slow or a broker that does not answer lets a loop wait; beyond this it will wait for ever. */
const LIMITS_MS = { ingest: 60_000, forward: 300_000, log: 300_000 } as const;

export type AgentLoop = keyof typeof LIMITS_MS;

export interface LoopState {
  readonly loop: AgentLoop;
  /** Since it last went round, and how long that may take. */
  readonly idleMs: number;
  readonly limitMs: number;
}

export interface AgentVitals {
  /** This loop has just gone round. */
  moved(loop: AgentLoop): void;
  /** Those that have not for longer than they may. */
  overdue(): readonly string[];
  loops(): readonly LoopState[];
  status(): string;
}

export interface VitalsParts {
  readonly monoNow: () => number;
  readonly clock: { quality(): ClockQuality };
  readonly status: Pick<ForwardStatus, 'link' | 'protocol' | 'queue' | 'stalled' | 'lastConfirmed' | 'conflicting'>;
  readonly disk: Pick<DiskHealth, 'state' | 'walHeld'>;
  readonly tallies: readonly Tally[];
  /** The file system of the log, where it does not outlive the power. */
  readonly forgetful: string | null;
}

export function createVitals({ monoNow, clock, status, disk, tallies, forgetful }: VitalsParts): AgentVitals {
  const loops = Object.keys(LIMITS_MS) as AgentLoop[];
  const movedAt = new Map(loops.map((loop) => [loop, monoNow()]));
  return {
    moved: (loop) => void movedAt.set(loop, monoNow()),
    loops: () =>
      loops.map((loop) => {
        const idleMs = Math.round(monoNow() - (movedAt.get(loop) ?? 0));
        return { loop, idleMs, limitMs: LIMITS_MS[loop] };
      }),
    overdue: () =>
      loops
        .filter((loop) => monoNow() - (movedAt.get(loop) ?? 0) > LIMITS_MS[loop])
        .map((loop) => `${loop} for ${Math.round((monoNow() - (movedAt.get(loop) ?? 0)) / 1_000)} s`),
    status() {
      const sources = tallies.map((tally) => tally.health());
      const failed = sources.filter(({ state }) => state === 'failed').map(({ source }) => source);
      const parts = [
        forgetful === null ? null : `THE LOG IS ON ${forgetful}: LOST WITH THE POWER`,
        status.stalled ? 'STALLED' : null,
        status.link === 'online' ? `online (MQTT ${status.protocol})` : 'no link to the broker',
        `${status.queue} events wait`,
        status.lastConfirmed === null
          ? 'nothing confirmed yet'
          : `last confirmed ${status.lastConfirmed.slice(0, 16)}Z`,
        failed.length === 0 ? `${sources.length} sources read` : `NOT READ: ${failed.join(', ')}`,
        disk.state === 'ok' ? null : `disk: ${disk.state}`,
        disk.walHeld ? 'ANOTHER PROGRAM HOLDS THE LOG' : null,
        clock.quality() === 'synced' ? null : 'clock not set',
        status.conflicting ? 'HISTORIES DIFFER' : null,
      ];
      return parts.filter((part) => part !== null).join(', ');
    },
  };
}
