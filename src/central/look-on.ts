/**
 * The last minute of collars, for who looks on. Nothing of it is stored: agents are asked. However many look at a collar, its agent is
 * asked once a second at most, and what got lost comes with the next answer.
 */
import { type Compared, type CompareQuestion, decodeCompareAnswer } from '../contract/compare.ts';
import { decodeLive, joinLive, LIVE_COLUMN_MS, LIVE_COLUMNS, type LiveTrace } from '../contract/live.ts';
import { delay } from '../lib/wait.ts';
import { createLiveLine, failure, type LiveLine, type LiveLineParts } from './ask-live.ts';

export interface LookOn {
  /** As far as somebody has looked. Rejects as LiveLine.ask does, and with TOO_MANY_LOOKS beyond MAX_LOOKS. */
  look(agent: string, collar: string): Promise<LiveTrace>;
  /**
   * What other settings would have made of the readings that the agent keeps: asked on until it is done or the signal aborts. Rejects as
   * LiveLine.ask does, with TOO_MANY_LOOKS where this agent does it for somebody else, and with LOOK_REFUSED after an abort.
   */
  compare(agent: string, question: CompareQuestion, signal: AbortSignal): Promise<Compared>;
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
/** How often an agent is asked whether it has compared. */
const COMPARE_EVERY_MS = 1_000;
/** Answers in a row that may get lost. */
const MAX_LOST = 2;

interface Look {
  trace: LiveTrace | null;
  lookedMs: number;
  askedMs: number;
  asking: Promise<LiveTrace> | null;
}

export function createLookOn({ monoNow, ...parts }: LookOnParts): LookOn {
  const looks = new Map<string, Look>();
  /** Agents that compare. */
  const comparing = new Set<string>();
  const forget = () => {
    for (const [key, { lookedMs }] of looks) if (monoNow() - lookedMs > UNASKED_MS) looks.delete(key);
  };
  const isWanted = () => {
    forget();
    return looks.size > 0 || comparing.size > 0;
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
    async compare(agent, question, signal) {
      if (comparing.has(agent)) throw failure('TOO_MANY_LOOKS', `${agent} compares settings already`);
      comparing.add(agent);
      try {
        return await compareOn(line, agent, question, signal);
      } finally {
        comparing.delete(agent);
      }
    },
    async look(agent, collar) {
      const look = lookAt(`${agent}\n${collar}`);
      look.lookedMs = monoNow();
      if (look.asking !== null) return look.asking;
      if (look.trace !== null && monoNow() - look.askedMs < ASK_EVERY_MS) return look.trace;
      look.askedMs = monoNow();
      look.asking = lookOnce(line, agent, collar, look.trace);
      try {
        look.trace = await look.asking;
        return look.trace;
      } finally {
        look.asking = null;
      }
    },
  };
}

async function lookOnce(line: LiveLine, agent: string, collar: string, before: LiveTrace | null): Promise<LiveTrace> {
  const trace = decodeLive(await line.ask(agent, 'live', { collar, from: fromOf(before) }));
  if (trace === null || trace.collar !== collar) throw failure('LOOK_REFUSED', `${agent} answers something else`);
  return joinLive(before, trace);
}

async function compareOn(
  line: LiveLine,
  agent: string,
  question: CompareQuestion,
  signal: AbortSignal,
): Promise<Compared> {
  let lost = 0;
  while (!signal.aborted) {
    try {
      const answer = decodeCompareAnswer(await line.ask(agent, 'compare', { ...question }));
      if (answer === null || (!answer.working && answer.compared.collar !== question.collar))
        throw failure('LOOK_REFUSED', `${agent} answers something else`);
      if (!answer.working) return answer.compared;
      lost = 0;
    } catch (error) {
      lost += 1;
      if ((error as NodeJS.ErrnoException).code !== 'NO_ANSWER' || lost > MAX_LOST) throw error;
    }
    await delay(COMPARE_EVERY_MS, signal);
  }
  throw failure('LOOK_REFUSED', 'nobody wants to know any more');
}

/** The newest column comes again: it may have been open. After a reboot of the agent all are newer than it knows. */
function fromOf(trace: LiveTrace | null): number {
  if (trace === null) return 0;
  const oldest = Math.floor(trace.nowMs / LIVE_COLUMN_MS) - LIVE_COLUMNS;
  return Math.max(0, trace.columns.at(-1)?.no ?? oldest);
}
