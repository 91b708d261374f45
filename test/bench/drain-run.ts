/** One drain of a full log, measured at central's store. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { type NewEvent, newEvent } from '../../src/contract/event.ts';
import { openStack } from '../e2e/stack.ts';
import { startMosquitto, until } from '../servers.ts';

export interface DrainResult {
  readonly events: number;
  /** From the first stored event of the backlog to the last. */
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** From the time of an event (its first shake) until it was seen in the store, looked for every POLL_MS. */
  readonly liveMs: Latency;
  /** One by one. */
  readonly live: readonly number[];
  /** The same afterwards: what detection and grouping take. */
  readonly idleMs: Latency;
  /** Of the whole drain. */
  readonly cpuSeconds: { readonly agent: number; readonly central: number };
  readonly rssMb: { readonly agent: number; readonly central: number };
  readonly status: string;
}

interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly events: number;
}

const POLL_MS = 10;
/** Events of one commit: a house is quiet, so few share one. */
const GROUP = 5;
const IDLE_MS = 10_000;

export async function runDrain(
  count: number,
  load: { readonly collars: number; readonly rate: number; readonly seed: number },
  agentExtra?: string,
): Promise<DrainResult> {
  const broker = await startMosquitto();
  const stack = await openStack({ brokerUrl: broker.url, ...(agentExtra === undefined ? {} : { agentExtra }) });
  try {
    await fill(stack.logPath, count);
    stack.central.start();
    await until(
      'central answers',
      async () => (await fetch(`${stack.http}/healthz`).catch(() => null))?.ok === true,
      30_000,
    );
    const simulated = stack.simulate({ ...load, seconds: 0 });
    const store = watchStore(join(stack.folder, 'central.db'), count);
    stack.agent.start();
    const cpu = () => ({ agent: cpuSeconds(stack.agent.pid()), central: cpuSeconds(stack.central.pid()) });
    await until('the first events are stored', () => store.look() > 0, 60_000);
    const [began, before] = [performance.now(), cpu()];
    await until('the backlog is stored', () => store.look() >= count, 300_000);
    const [seconds, after] = [(performance.now() - began) / 1_000, cpu()];
    const live = store.taken();
    for (let waited = 0; waited < IDLE_MS; waited += POLL_MS) {
      await pause(POLL_MS);
      store.look();
    }
    const idleMs = latencyOf(store.taken());
    simulated.stop();
    await simulated.done;
    await pause(1_000);
    const rssMb = { agent: mb(stack.agent.rssBytes()), central: mb(stack.central.rssBytes()) };
    await stack.agent.stop();
    store.close();
    const { status } = await stack.agreed();
    const cpuUsed = { agent: round(after.agent - before.agent), central: round(after.central - before.central) };
    const eventsPerSecond = Math.round(count / seconds);
    return {
      events: count,
      seconds: round(seconds),
      eventsPerSecond,
      liveMs: latencyOf(live),
      live,
      idleMs,
      cpuSeconds: cpuUsed,
      rssMb,
      status,
    };
  } finally {
    await stack.close();
    await broker.stop();
  }
}

/** An agent's log as it is after weeks without a broker. Made in memory: so many flushes would take their time. */
async function fill(path: string, count: number): Promise<void> {
  const folder = mkdtempSync('/dev/shm/collard-bench-');
  const when = (at: number) =>
    ({ time: new Date(at).toISOString(), clock: 'synced', boot: null, monoMs: null }) as const;
  const from = Date.now() - count * 1_000 - 60_000;
  const limits = { keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 };
  const log = await openEventLog(
    { path: join(folder, 'events.db'), agent: 'porch', ...limits },
    { when: () => when(from) },
  );
  for (let done = 0; done < count; done += GROUP) {
    const size = Math.min(GROUP, count - done);
    await log.append(Array.from({ length: size }, (_, i) => eventAt(done + i, when(from + (done + i) * 1_000))));
  }
  await log.close();
  copyFileSync(join(folder, 'events.db'), path);
  rmSync(folder, { recursive: true });
}

function eventAt(n: number, time: Parameters<typeof newEvent>[3]): NewEvent {
  const subject = `collar/C0FFEE${String(n % 20).padStart(2, '0')}`;
  if (n % 2 === 0) return newEvent('meow.started', subject, { level: (n % 40) / 10 + 1 }, time);
  const data = { durationMs: 200 + (n % 900), peakG: (n % 300) / 100 + 1, readings: n % 50, place: 'kitchen' };
  return newEvent('meow.ended', subject, data, time);
}

/** Looks into central's store beside it. Its own events (epoch of central) are no business here. */
function watchStore(path: string, backlog: number) {
  const db = new Database(path, { readonly: true });
  const epochOf = db
    .prepare("SELECT e.no FROM epoch e JOIN agent a ON a.no = e.agent_no WHERE a.name = 'porch'")
    .pluck();
  // A run that has no gap: how far it reaches.
  const reached = db.prepare('SELECT max(seq) FROM event WHERE epoch_no = ? AND seq <= ?').pluck();
  const live = db.prepare<[number, number], { seq: number; time: string; type: string }>(
    'SELECT seq, time, type FROM event WHERE epoch_no = ? AND seq > ? ORDER BY seq',
  );
  let newest = backlog;
  let seen: number[] = [];
  return {
    /** How many of the backlog are stored: it comes in order. */
    look(): number {
      const epoch = epochOf.get() as number | undefined;
      if (epoch === undefined) return 0;
      for (const { seq, time, type } of live.all(epoch, newest)) {
        newest = seq;
        // Its time is that of the first shake; the others are of the past when they are decided.
        if (type === 'collard.meow.started') seen.push(Date.now() - Date.parse(time));
      }
      return (reached.get(epoch, backlog) as number | null) ?? 0;
    },
    /** How long each live event took since the last call. */
    taken(): readonly number[] {
      const all = seen;
      seen = [];
      return all;
    },
    close: () => db.close(),
  };
}

export function latencyOf(all: readonly number[]): Latency {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), events: sorted.length };
}

/** Of all its threads, user and system: proc(5), fields 14 and 15 in ticks of 10 ms. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function mb(bytes: number): number {
  return Math.round(bytes / 1e6);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
