/**
 * The last minute of collars, for who looks on. Nothing of it is stored: agents are asked. However many look at a collar, its agent is
 * asked once a second at most, and what got lost comes with the next answer.
 */
import { joinLive, LIVE_COLUMN_MS, LIVE_COLUMNS, type LiveTrace } from '../contract/live.ts';
import { createLiveLine, type LiveLineParts } from './ask-live.ts';

export interface LookOn {
  /** As far as somebody has looked. Rejects as LiveLine.ask does, and with TOO_MANY_LOOKS beyond MAX_LOOKS. */
  look(agent: string, collar: string): Promise<LiveTrace>;
  /** Resolves after the signal aborted. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export interface LookOnParts extends Omit<LiveLineParts, 'isWanted'> {
  readonly monoNow: () => number;
}

/** Collars of agents that are looked at at once. */
export const MAX_LOOKS = 32;
/** An agent is asked no more often. */
export const ASK_EVERY_MS = 800;
/** Who has not asked for so long looks no more, and where nobody does the link to the broker ends. */
export const UNASKED_MS = 30_000;

interface Look {
  trace: LiveTrace | null;
  lookedMs: number;
  askedMs: number;
  asking: Promise<LiveTrace> | null;
}

export function createLookOn({ monoNow, ...parts }: LookOnParts): LookOn {
  const looks = new Map<string, Look>();
  const forget = () => {
    for (const [key, { lookedMs }] of looks) if (monoNow() - lookedMs > UNASKED_MS) looks.delete(key);
  };
  const isWanted = () => {
    forget();
    return looks.size > 0;
  };
  const line = createLiveLine({ ...parts, isWanted });
  const lookAt = (key: string): Look => {
    const known = looks.get(key);
    if (known !== undefined) return known;
    forget();
    if (looks.size >= MAX_LOOKS)
      throw Object.assign(new Error(`${MAX_LOOKS} collars are looked at already`), { code: 'TOO_MANY_LOOKS' });
    const look: Look = { trace: null, lookedMs: monoNow(), askedMs: Number.NEGATIVE_INFINITY, asking: null };
    looks.set(key, look);
    return look;
  };
  return {
    run: line.run,
    async look(agent, collar) {
      const look = lookAt(`${agent}\n${collar}`);
      look.lookedMs = monoNow();
      if (look.asking !== null) return look.asking;
      if (look.trace !== null && monoNow() - look.askedMs < ASK_EVERY_MS) return look.trace;
      look.askedMs = monoNow();
      look.asking = line.ask(agent, collar, fromOf(look.trace)).then((newer) => joinLive(look.trace, newer));
      try {
        look.trace = await look.asking;
        return look.trace;
      } finally {
        look.asking = null;
      }
    },
  };
}

/** The newest column comes again: it may have been open. After a reboot of the agent all are newer than it knows. */
function fromOf(trace: LiveTrace | null): number {
  if (trace === null) return 0;
  const oldest = Math.floor(trace.nowMs / LIVE_COLUMN_MS) - LIVE_COLUMNS;
  return Math.max(0, trace.columns.at(-1)?.no ?? oldest);
}
