/**
 * One connection between a client and the broker, as TCP gives it: each direction keeps its order, may be late, may stand
 * still for minutes, and may break with what was on its way. A side learns of the break when somebody tells it, or never.
 */
import type { Timeline } from './timeline.ts';

export interface Wire {
  readonly toBroker: Direction;
  readonly toClient: Direction;
  /** Nothing that is on its way arrives any more, and nothing new. */
  breakOff(): void;
}

export interface Direction {
  /** Runs at the other side, unless the wire has been broken off before. */
  send(arrive: () => void): void;
  /** What comes from now on waits until then. */
  freeze(untilMs: number): void;
}

export function createWire(time: Timeline, latencyMs: () => number): Wire {
  const wire = { broken: false };
  const direction = (): Direction => {
    let freeAt = 0;
    return {
      send(arrive) {
        const at = Math.max(freeAt, time.nowMs + latencyMs());
        freeAt = at;
        time.after(at - time.nowMs, () => {
          if (!wire.broken) arrive();
        });
      },
      freeze(untilMs) {
        freeAt = Math.max(freeAt, untilMs);
      },
    };
  };
  return {
    toBroker: direction(),
    toClient: direction(),
    breakOff() {
      wire.broken = true;
    },
  };
}
