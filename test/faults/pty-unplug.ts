/**
 * A receiver that is pulled out and comes back: under its name or another one, behind the link that udev makes, or one that
 * stays and says nothing. The agent must notice, tell it, read again, and never end.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openPty, type Pty } from '../../src/simulator/pty.ts';
import {
  below,
  type Context,
  createTally,
  mulberry32,
  type Row,
  type Scenario,
  type Tally,
  type Verdict,
} from './frame.ts';
import { type LoneAgent, plugIn, startLoneAgent } from './lone-agent.ts';

const LANES = 4;
const SILENT_AFTER_MS = 2_000;
/** A silence or an unplug must be told after so long. */
const NOTICED_MS = 10_000;
const BACK_MS = 30_000;

const KINDS = ['hang-up', 'hang-up, another name', 'hang-up, link gone first', 'silence'] as const;
type Kind = (typeof KINDS)[number];

export const ptyUnplug: Scenario = {
  name: 'pty-unplug',
  weight: 1,
  recovery: 'until a reading comes through',
  full: 250,
  missing: whyNoPty,
  async run(context): Promise<readonly Row[]> {
    const tallies = new Map(KINDS.map((kind) => [kind, createTally(`receiver: ${kind}`)]));
    const noticed = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
    const done = () => Math.min(...[...tallies.values()].map(({ injected }) => injected));
    const lane = (no: number) => runLane(context, (context.seed + no) >>> 0, { tallies, noticed, done });
    await Promise.all(Array.from({ length: LANES }, (_, no) => lane(no)));
    for (const [kind, tally] of tallies) {
      const times = (noticed.get(kind) ?? []).sort((a, b) => a - b);
      tally.note(
        `told after median ${Math.round(times[times.length >> 1] ?? 0)} ms, at most ${Math.round(times.at(-1) ?? 0)} ms`,
      );
    }
    return [...tallies.values()].map((tally) => tally.row());
  },
};

export function whyNoPty(): string | null {
  try {
    void openPty().close();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

interface Sums {
  readonly tallies: ReadonlyMap<Kind, Tally>;
  readonly noticed: ReadonlyMap<Kind, number[]>;
  readonly done: () => number;
}

async function runLane(context: Context, seed: number, { tallies, noticed, done }: Sums): Promise<void> {
  const random = mulberry32(seed);
  const lone = startLoneAgent(join(context.folder, `agent-${seed}`), SILENT_AFTER_MS);
  const place = { no: 0 };
  let pty = plugIn(lone.link);
  try {
    if ((await readsAgain(lone, pty, place)) === null) throw new Error('the agent never read anything');
    for (let i = 0; context.more(done()); i += 1) {
      const kind = KINDS[below(random, KINDS.length)] ?? 'hang-up';
      const { next, toldMs, recoveryMs } = await unplugOnce(lone, pty, kind, { place, awayMs: random() * 600 });
      pty = next;
      let breach: string | null = null;
      if (toldMs === null || toldMs > NOTICED_MS) breach = `sensor.failed came after ${toldMs ?? 'no'} ms`;
      if (recoveryMs === null) breach ??= `no reading came through within ${BACK_MS} ms`;
      if (lone.agent.ends.length > 0) breach ??= `the agent ended: ${lone.agent.ends.join(', ')}`;
      if (toldMs !== null) noticed.get(kind)?.push(toldMs);
      const verdict: Verdict = { acked: 1, lost: 0, doubled: 0, recoveryMs: recoveryMs ?? BACK_MS, breach };
      tallies.get(kind)?.add(verdict, `seed ${seed}, unplug ${i}`);
      if (breach !== null) return;
    }
  } finally {
    await lone.close();
    await pty.close();
  }
}

interface Unplugged {
  readonly next: Pty;
  readonly toldMs: number | null;
  readonly recoveryMs: number | null;
}

async function unplugOnce(
  lone: LoneAgent,
  pty: Pty,
  kind: Kind,
  { place, awayMs }: { readonly place: { no: number }; readonly awayMs: number },
): Promise<Unplugged> {
  const failed = () => lone.sees(({ type }) => type === 'collard.sensor.failed', NOTICED_MS + 5_000);
  if (kind === 'silence') {
    const toldMs = await failed();
    return { next: pty, toldMs, recoveryMs: await readsAgain(lone, pty, place) };
  }
  // The kernel gives the lowest free number: to get another one, the old one must still be taken.
  const other = kind === 'hang-up, another name' ? openPty() : null;
  if (kind === 'hang-up, link gone first') rmSync(lone.link);
  const telling = failed();
  await pty.close();
  // As udev does; a link that stays could soon point to a pseudo-terminal of somebody else.
  rmSync(lone.link, { force: true });
  const toldMs = await telling;
  await pause(awayMs);
  const spare = other === null ? null : openPty();
  const next = plugIn(lone.link);
  const recoveryMs = await readsAgain(lone, next, place);
  await Promise.all([other?.close(), spare?.close()]);
  return { next, toldMs, recoveryMs };
}

/** Says readings until one of them is an event. */
function readsAgain(lone: LoneAgent, pty: Pty, place: { no: number }): Promise<number | null> {
  place.no += 1;
  const mine = `"to":"p${place.no}-`;
  let tries = 0;
  const say = () => {
    tries += 1;
    return pty.write(Buffer.from(`${JSON.stringify({ collar: 'A', place: `p${place.no}-${tries}`, motion: 1 })}\n`));
  };
  return lone.sees(({ data }) => data.includes(mine), BACK_MS, say);
}
