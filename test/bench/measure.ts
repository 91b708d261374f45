/** What is measured of each contender, each time from an empty folder, with a broker and a counter of its own. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openPty, type Pty } from '../../src/simulator/pty.ts';
import { type BrokerLink, openBrokerLink } from '../faults/broker-link.ts';
import { startMosquitto } from '../servers.ts';
import type { Contender, Running } from './contender.ts';
import type { Count } from './counter.ts';
import type { BenchDisk } from './disk.ts';
import { pace, pour } from './feeder.ts';
import { asFrame, asJson, collarName, eventsIn, isEvent, readingAt, wire } from './input.ts';
import { usageOf } from './process-tree.ts';

/** Nothing has come for so long: that is all. */
const QUIET_MS = 20_000;
const POLL_MS = 20;
const SETTLE_MS = 5_000;

interface Pace {
  readonly events: number;
  readonly eventsPerSecond: number;
  readonly cpuSeconds: number;
}

export interface Burst extends Pace {
  readonly warm: Pace | null;
  readonly peakRssMb: number;
  readonly writtenBytesPerEvent: number | null;
  readonly payloadBytesPerEvent: number;
  readonly lost: number;
}

export interface Paced {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly writtenBytesPerEvent: number | null;
  readonly idleRssMb: number;
  readonly idleCpuPercent: number;
}

export interface Outage {
  readonly events: number;
  /** After the broker has come back. */
  readonly eventsPerSecond: number;
  readonly peakRssMb: number;
  readonly lost: number;
}

/**
 * All readings as fast as they are taken, by a process that has just started. Where `warms`, as many twice more, for a program runs for
 * months and is compiled by its runtime only while it runs: the last ones are `warm`.
 */
export async function measureBurst(
  one: Contender,
  disk: BenchDisk,
  readings: number,
  { env = process.env, warms = false }: { readonly env?: NodeJS.ProcessEnv; readonly warms?: boolean } = {},
): Promise<Burst> {
  return withHouse(one, disk, env, async ({ pty, running, counter }) => {
    await pause(SETTLE_MS);
    const written = disk.writtenBytes();
    const peak = watchRss(running);
    let count = await counter.settled(0);
    const poured = async (round: number): Promise<Pace> => {
      const [from, to] = [round * readings, (round + 1) * readings];
      const bytes = wire(one.format, from, to);
      const before = usageOf(running().pids);
      const seen = count.unique;
      const began = performance.timeOrigin + performance.now();
      await pour(pty, bytes, 60_000);
      count = await counter.settled(eventsIn(0, to));
      const { cpuSeconds } = usageOf(running().pids);
      return {
        events: count.unique - seen,
        eventsPerSecond: rate(count.unique - seen, count.lastAtMs - began),
        cpuSeconds: cpuSeconds - before.cpuSeconds,
      };
    };
    const cold = await poured(0);
    const { payloadBytes } = count;
    const burst = {
      ...cold,
      peakRssMb: peak(),
      writtenBytesPerEvent: per(written, disk.writtenBytes(), cold.events),
      payloadBytesPerEvent: payloadBytes / cold.events,
    };
    if (warms) await poured(1);
    const warm = warms ? await poured(2) : null;
    const rounds = warms ? 3 : 1;
    return { ...burst, warm, lost: eventsIn(0, rounds * readings) - count.unique };
  });
}

/** Nothing for a while, then `perSecond` readings a second: from the byte on the wire to the subscriber. */
export async function measurePaced(
  one: Contender,
  disk: BenchDisk,
  perSecond: number,
  seconds: number,
): Promise<Paced> {
  return withHouse(one, disk, process.env, async ({ pty, running, counter }) => {
    await pause(SETTLE_MS);
    const before = usageOf(running().pids);
    await pause(SETTLE_MS);
    const idle = usageOf(running().pids);
    const written = disk.writtenBytes();
    const pieces = Array.from({ length: perSecond * seconds }, (_, n) =>
      one.format === 'json' ? Buffer.from(asJson(n)) : asFrame(n),
    );
    const due = new Map<string, number[]>();
    await pace(pty, pieces, perSecond, (n, atMs) => {
      if (!isEvent(n)) return;
      const collar = collarName(readingAt(n).collar);
      due.set(collar, [...(due.get(collar) ?? []), atMs]);
    });
    const count = await counter.settled(eventsIn(0, pieces.length));
    const delays: number[] = [];
    for (const [collar, atMs] of await counter.arrivals()) delays.push(atMs - (due.get(collar)?.shift() ?? Number.NaN));
    delays.sort((a, b) => a - b);
    return {
      p50Ms: delays[delays.length >> 1] ?? Number.NaN,
      p99Ms: delays[Math.floor(delays.length * 0.99)] ?? Number.NaN,
      writtenBytesPerEvent: per(written, disk.writtenBytes(), count.unique),
      idleRssMb: idle.rssBytes / 1e6,
      idleCpuPercent: ((idle.cpuSeconds - before.cpuSeconds) / (SETTLE_MS / 1_000)) * 100,
    };
  });
}

/** Nobody listens at the broker's port while the readings come; where `kills`, the contender is killed too before that is over. */
export async function measureOutage(
  one: Contender,
  disk: BenchDisk,
  readings: number,
  kills: boolean,
): Promise<Outage> {
  return withHouse(
    one,
    disk,
    process.env,
    async ({ pty, running, counter, link, again }) => {
      await pause(SETTLE_MS);
      await link.refuse();
      link.cut();
      const expected = eventsIn(0, readings);
      const peak = watchRss(running);
      await pour(pty, wire(one.format, 0, readings), 60_000);
      await pause(SETTLE_MS);
      const peakRssMb = peak();
      if (kills) {
        await running().kill9();
        await again();
      }
      await link.listen();
      const count = await counter.settled(expected);
      return {
        events: count.unique,
        eventsPerSecond: rate(count.unique, count.lastAtMs - count.firstAtMs),
        peakRssMb,
        lost: expected - count.unique,
      };
    },
    true,
  );
}

interface House {
  readonly pty: Pty;
  /** Between contender and broker; the counter does not need it. */
  readonly link: BrokerLink;
  running(): Running;
  readonly counter: Counter;
  again(): Promise<void>;
}

/** A broker, a port, a counter and the contender in an empty folder, for as long as `work` takes. */
export async function withHouse<T>(
  one: Contender,
  disk: BenchDisk,
  env: NodeJS.ProcessEnv,
  work: (house: House) => Promise<T>,
  isThroughLink = false,
): Promise<T> {
  const broker = await startMosquitto(['max_queued_messages 0', 'max_inflight_messages 0']);
  const pty = openPty(true);
  const link = await openBrokerLink(broker.port, Math.random);
  const counter = await startCounter(broker.port);
  const place = { port: pty.path, brokerPort: isThroughLink ? link.port : broker.port, folder: disk.fresh(), env };
  let running: Running | null = null;
  try {
    running = await one.start(place);
    return await work({
      pty,
      link,
      running: () => running as Running,
      counter,
      async again() {
        running = await one.start(place);
      },
    });
  } finally {
    await running?.stop();
    await counter.end();
    await pty.close();
    await link.close();
    await broker.stop();
  }
}

interface Counter {
  /** Resolves when all have come, or none for a while. */
  settled(expected: number): Promise<Count>;
  arrivals(): Promise<[string, number][]>;
  end(): Promise<void>;
}

async function startCounter(port: number): Promise<Counter> {
  const child = fork(fileURLToPath(new URL('./counter.ts', import.meta.url)), [String(port)], {
    execArgv: ['--no-warnings'],
  });
  await once(child, 'message');
  const ask = async <T>(word: string): Promise<T> => {
    const answer = once(child, 'message');
    child.send(word);
    return (await answer)[0] as T;
  };
  return {
    async settled(expected) {
      let last = await ask<Count>('count');
      for (let grewAt = performance.now(); last.unique < expected && performance.now() - grewAt < QUIET_MS; ) {
        await pause(POLL_MS);
        const next = await ask<Count>('count');
        if (next.unique > last.unique) grewAt = performance.now();
        last = next;
      }
      return last;
    },
    arrivals: () => ask('arrivals'),
    end: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.send('end');
  await gone;
}

/** Looks until it is called; gives the most that it saw, in MB. */
function watchRss(running: () => Running): () => number {
  let most = 0;
  const look = () => {
    most = Math.max(most, usageOf(running().pids).rssBytes);
  };
  const timer = setInterval(look, 250);
  return () => {
    clearInterval(timer);
    look();
    return most / 1e6;
  };
}

function rate(count: number, ms: number): number {
  return ms > 0 ? (count * 1_000) / ms : 0;
}

function per(before: number | null, after: number | null, events: number): number | null {
  return before === null || after === null || events === 0 ? null : (after - before) / events;
}
