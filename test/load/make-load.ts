/** Events for a time, and what is seen on the way. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { delay } from '../../src/lib/wait.ts';
import { until } from '../servers.ts';
import type { AgentFleet } from './agents.ts';
import type { FleetLoad } from './run-fleet.ts';
import { ROLES, type Role, usesOf } from './watch.ts';

const STORED_MS = 300_000;

export interface Sample {
  /** Since events began. */
  readonly seconds: number;
  readonly sessions: number;
  readonly sent: number;
  readonly stored: number;
  /** Of what was confirmed since the sample before. */
  readonly lagMs: LagFigures;
  /** CPU in percent of one core since the sample before. */
  readonly uses: Readonly<Record<Role, { readonly rssMb: number; readonly cpuPercent: number }>>;
}

export interface LagFigures {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Events for the time that was asked for, then until central has confirmed all of them. */
export async function makeLoad(
  load: Pick<FleetLoad, 'minutes' | 'everyMs' | 'tell'>,
  fleet: AgentFleet,
  pids: readonly number[],
) {
  const { tell } = load;
  const loop = monitorEventLoopDelay({ resolution: 10 });
  const over = new AbortController();
  const began = performance.now();
  const samples: Sample[] = [];
  let previous = { atMs: began, uses: usesOf(pids) };
  const look = () => {
    const now = { atMs: performance.now(), uses: usesOf(pids) };
    const seconds = (now.atMs - previous.atMs) / 1_000;
    const { up, sent, stored } = fleet.counts();
    const uses = mapRoles((role) => ({
      rssMb: rounded(now.uses[role].rssMb, 1),
      cpuPercent: rounded(((now.uses[role].cpuSeconds - previous.uses[role].cpuSeconds) / seconds) * 100, 1),
    }));
    const atS = rounded((now.atMs - began) / 1_000, 1);
    samples.push({ seconds: atS, sessions: up, sent, stored, lagMs: lagFigures(fleet.window), uses });
    fleet.window.clear();
    previous = now;
    tell(lineOf(samples.at(-1) as Sample));
  };
  loop.enable();
  const events = fleet.makeEvents(over.signal);
  const endAt = began + load.minutes * 60_000;
  try {
    while (performance.now() < endAt) {
      const waited = delay(Math.min(load.everyMs, endAt - performance.now()), over.signal);
      await Promise.race([waited, events]);
      look();
    }
    over.abort();
    await events;
    // What is missing then, the proof tells.
    await until('all that was sent is stored', () => isStored(fleet), STORED_MS).catch((error: Error) =>
      tell(error.message),
    );
  } finally {
    over.abort();
    loop.disable();
  }
  const ms = (nanoseconds: number) => rounded(nanoseconds / 1e6, 1);
  const seconds = (endAt - began) / 1_000;
  return { samples, loop: { p99: ms(loop.percentile(99)), max: ms(loop.max) }, seconds };
}

function isStored(fleet: AgentFleet): boolean {
  const { sent, stored } = fleet.counts();
  return stored === sent;
}

function lineOf({ seconds, sessions, sent, stored, lagMs, uses }: Sample): string {
  const use = (role: Role) => `${role} ${uses[role].rssMb.toFixed(0)} MB ${uses[role].cpuPercent.toFixed(0)} %`;
  const shown = ROLES.filter((role) => uses[role].rssMb > 0).map(use);
  const lag = `lag ${lagMs.p50}/${lagMs.p99}/${lagMs.max} ms`;
  return `${seconds.toFixed(0).padStart(5)} s  ${sessions} up  sent ${sent}  stored ${stored}  ${lag}  ${shown.join('  ')}`;
}

export function lagFigures(lags: AgentFleet['lags']): LagFigures {
  return { p50: rounded(lags.at(0.5), 1), p99: rounded(lags.at(0.99), 1), max: rounded(lags.maxMs, 1) };
}

export function mapRoles<T>(of: (role: Role) => T): Readonly<Record<Role, T>> {
  return { central: of('central'), broker: of('broker'), database: of('database'), agents: of('agents') };
}

export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
