/** The agent works without a broker for a while under load: its memory stays flat, and then live events pass the backlog. */
import { setTimeout as pause } from 'node:timers/promises';
import { startMosquitto, until } from '../servers.ts';
import { openStack, type Verdict } from './stack.ts';

export interface OutageResult {
  /** Of the agent, in MB, once every tenth of the outage. */
  readonly rssMb: readonly number[];
  readonly backlogEvents: number;
  /** From the return of the broker until agent and central agree, with the load still running. */
  readonly drainMs: number;
  /** From an event's time to its arrival at central. */
  readonly liveLatencyMs: { readonly p50: number; readonly max: number; readonly events: number };
  readonly backlogLatencyMs: { readonly p50: number; readonly max: number; readonly events: number };
  /** Live events that arrived before the last event of the backlog did. */
  readonly liveBeforeBacklogEnd: number;
  readonly verdict: Verdict;
}

export async function runOutage(options: {
  readonly seconds: number;
  readonly collars: number;
  readonly rate: number;
  readonly seed: number;
  readonly tell: (line: string) => void;
}): Promise<OutageResult> {
  const broker = await startMosquitto();
  const stack = await openStack({ brokerUrl: broker.url });
  const stop = new AbortController();
  try {
    stack.central.start();
    stack.agent.start();
    const load = stack.simulate({ collars: options.collars, rate: options.rate, seconds: 0, seed: options.seed });
    await until('central has events', async () => (await stored(stack.http)) > 0, 30_000);
    const arrivals = follow(stack.http, stop.signal);
    await broker.kill();
    const downAt = Date.now();
    const rssMb: number[] = [];
    for (let tenth = 0; tenth < 10; tenth += 1) {
      await pause(options.seconds * 100);
      rssMb.push(Math.round(stack.agent.rssBytes() / 1e5) / 10);
      options.tell(`${Math.round((Date.now() - downAt) / 1000)} s without broker: agent ${rssMb.at(-1)} MB`);
    }
    await broker.restart();
    const upAt = Date.now();
    await until(
      'the backlog is stored',
      async () => {
        const { stdout } = await stack.collard(
          'verify',
          '--agent',
          'porch',
          '--config',
          stack.centralYaml,
          '--log',
          stack.logPath,
          '--json',
        );
        return arrivals.length > 0 && stdout.includes('"agree"');
      },
      120_000,
    );
    const drainMs = Date.now() - upAt;
    await pause(3_000);
    load.stop();
    await load.done;
    await pause(1_500);
    await stack.agent.stop();
    const verdict = await stack.agreed();
    await pause(500);
    stop.abort();
    const late = arrivals.filter((a) => a.atMs >= downAt);
    const backlog = late.filter((a) => a.happenedMs < upAt);
    const live = late.filter((a) => a.happenedMs >= upAt && a.atMs <= upAt + drainMs + 3_000);
    const backlogEnd = Math.max(...backlog.map((a) => a.atMs));
    return {
      rssMb,
      backlogEvents: backlog.length,
      drainMs,
      liveLatencyMs: spread(live.map((a) => a.atMs - a.happenedMs)),
      backlogLatencyMs: spread(backlog.map((a) => a.atMs - a.happenedMs)),
      liveBeforeBacklogEnd: live.filter((a) => a.atMs < backlogEnd).length,
      verdict,
    };
  } finally {
    stop.abort();
    await stack.close();
    await broker.stop();
  }
}

async function stored(http: string): Promise<number> {
  const response = await fetch(`${http}/api/v1/events?limit=1`).catch(() => null);
  return response === null ? 0 : ((await response.json()) as { events: unknown[] }).events.length;
}

/** Notes each event of the live stream with the moment at which it came. */
function follow(http: string, signal: AbortSignal): { atMs: number; happenedMs: number }[] {
  const seen: { atMs: number; happenedMs: number }[] = [];
  const read = async () => {
    const response = await fetch(`${http}/api/v1/stream`, { signal });
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts.filter((p) => /^event: event$/m.test(p))) {
        const event = JSON.parse(/^data: (.*)$/m.exec(part)?.[1] ?? '{}') as { time: string; type: string };
        if (event.type === 'collard.meow.started') seen.push({ atMs: Date.now(), happenedMs: Date.parse(event.time) });
      }
    }
  };
  read().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return seen;
}

function spread(values: readonly number[]): { p50: number; max: number; events: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return { p50: sorted[sorted.length >> 1] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN, events: sorted.length };
}
