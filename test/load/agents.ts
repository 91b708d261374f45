/**
 * Many agents in one process. What goes over the wire is the agent's own: `runForward` with its plan, its sessions of MQTT.js, its envelope
 * and its answers to `stored`. Only readings, detectors and the card are not there: events come at random moments into a log in memory.
 */
import { randomUUID } from 'node:crypto';
import { agentSchema } from '../../src/agent/config.ts';
import { runForward } from '../../src/agent/forward.ts';
import type { EventLog } from '../../src/agent/log/event-log.ts';
import { createForwardStatus, type ForwardStatus } from '../../src/agent/publisher/status.ts';
import { type NewEvent, newEvent } from '../../src/contract/event.ts';
import type { HealthMessage } from '../../src/contract/message.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { delay } from '../../src/lib/wait.ts';
import { createRandom, type Random } from '../../src/simulator/random.ts';
import { createLags, type Lags } from './lags.ts';
import { openMemoryLog } from './memory-log.ts';

/** Different lines of agents that are remembered; thousands would say the same. */
const LINES_LIMIT = 20;

export interface AgentsOptions {
  readonly agents: number;
  readonly seed: number;
  readonly brokerUrl: string;
  /** Events of each agent a minute, at random moments. */
  readonly perMinute: number;
  /** They connect one after the other within so long: all at once is another test. */
  readonly rampMs: number;
}

export interface AgentFleet {
  readonly logs: readonly EventLog[];
  /** Since the last look, and since the start. */
  readonly window: Lags;
  readonly lags: Lags;
  /** Sessions that are up, links that were opened beyond the first, events appended, confirmed, and words on health. */
  counts(): Counts;
  /** What agents warned of, and how often. */
  readonly lines: ReadonlyMap<string, number>;
  /** Events come from now on until the signal aborts. */
  makeEvents(signal: AbortSignal): Promise<void>;
  /** Rejects where an agent has ended with an error; otherwise never settles before stop(). */
  readonly failed: Promise<never>;
  /** All say "offline". */
  stop(): Promise<void>;
}

interface Counts {
  readonly up: number;
  readonly reconnects: number;
  readonly sent: number;
  readonly stored: number;
  readonly healths: number;
}

interface SimulatedAgent {
  readonly log: EventLog;
  readonly status: ForwardStatus;
  readonly random: Random;
}

export function agentName(n: number): string {
  return `agent${String(n).padStart(5, '0')}`;
}

export function collarOfAgent(n: number): string {
  return `F1EE${n.toString(16).toUpperCase().padStart(4, '0')}`;
}

export function startAgents({ agents: count, seed, brokerUrl, perMinute, rampMs }: AgentsOptions): AgentFleet {
  const [window, lags] = [createLags(), createLags()];
  const lines = new Map<string, number>();
  const stops: AbortController[] = [];
  const onStored = (lagMs: number) => {
    window.add(lagMs);
    lags.add(lagMs);
  };
  const note = (_: object, text: string) => {
    if (lines.has(text) || lines.size < LINES_LIMIT) lines.set(text, (lines.get(text) ?? 0) + 1);
  };
  const logger = { info: () => undefined, warn: note, error: note };
  const ended: Promise<void>[] = [];
  let healths = 0;
  const monoNow = () => performance.now();
  const agents = Array.from({ length: count }, (_, n): SimulatedAgent => {
    const name = agentName(n);
    const random = createRandom(seed, n);
    const log = openMemoryLog({ agent: name, epoch: randomUUID(), monoNow, onStored });
    const config = configOf(name, brokerUrl);
    const { stalledAfterMs } = config.forward;
    const status = createForwardStatus({ log, stalledAfterMs, monoNow, now: () => Date.now() });
    const health = () => {
      healths += 1;
      return healthOf(n, log, status);
    };
    const openLink = openMqttLink;
    const parts = { config, log, openLink, status, health, version: 'load', logger, monoNow, random: random.next };
    const stop = new AbortController();
    stops.push(stop);
    const startsIn = ((n + random.next()) / count) * rampMs;
    ended.push(delay(startsIn, stop.signal).then(() => runForward(parts, stop.signal)));
    return { log, status, random };
  });
  const failed = new Promise<never>((_, reject) => {
    for (const one of ended) one.catch(reject);
  });
  // Whoever waits for something else must not miss it, and nobody may be waiting.
  failed.catch(() => undefined);
  return {
    logs: agents.map(({ log }) => log),
    window,
    lags,
    lines,
    failed,
    counts: () => ({ ...countsOf(agents), healths }),
    async makeEvents(signal) {
      await Promise.all(agents.map((agent, n) => makeEvents(agent, n, perMinute, signal)));
    },
    async stop() {
      for (const one of stops) one.abort();
      await Promise.allSettled(ended);
    },
  };
}

function countsOf(agents: readonly SimulatedAgent[]) {
  let [up, reconnects, sent, stored] = [0, 0, 0, 0];
  for (const { log, status } of agents) {
    if (status.link === 'online') up += 1;
    reconnects += Math.max(0, status.links - 1);
    sent += log.epochs()[0]?.lastSeq ?? 0;
    stored += status.storedSeq;
  }
  return { up, reconnects, sent, stored };
}

/** As the agent is when nobody has set anything. */
function configOf(agent: string, url: string) {
  return agentSchema.parse({ agent, sources: [{ file: '/dev/null' }], log: { path: 'memory' }, mqtt: { url } });
}

/** Exponential gaps: a cat does not wait for the others. */
async function makeEvents(
  { log, random }: SimulatedAgent,
  n: number,
  perMinute: number,
  signal: AbortSignal,
): Promise<void> {
  const own = new AbortController();
  const stop = () => own.abort();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  for (let made = 0; !own.signal.aborted; made += 1) {
    await delay((-Math.log(1 - random.next()) * 60_000) / perMinute, own.signal);
    if (!own.signal.aborted) await log.append([eventOf(n, made, random)]);
  }
}

const PLACES = ['kitchen', 'hall', 'balcony', 'study'] as const;

/** Two of five begin a meow, two end one, one is a move. */
function eventOf(n: number, made: number, random: Random): NewEvent {
  const subject = `collar/${collarOfAgent(n)}`;
  const when = { time: new Date().toISOString(), clock: 'synced', boot: null, monoMs: null } as const;
  const place = (offset: number) => PLACES[(Math.floor(made / 5) + offset) % PLACES.length] ?? PLACES[0];
  if (made % 5 === 0)
    return newEvent(
      'cat.moved',
      subject,
      { from: place(0), to: place(1), confidence: 0.93, detector: '1/5f3a9c2e' },
      when,
    );
  const peak = Math.round(random.between(80, 400)) / 100;
  if (made % 2 === 1) return newEvent('meow.started', subject, { level: peak, detector: '1/5f3a9c2e' }, when);
  const burst = { durationMs: random.whole(200, 2_000), peakG: peak, readings: random.whole(10, 100), place: place(1) };
  return newEvent('meow.ended', subject, { ...burst, detector: '1/5f3a9c2e' }, when);
}

/** What the agent of a house with one receiver and one collar says. */
function healthOf(n: number, log: EventLog, status: ForwardStatus): HealthMessage {
  const { epoch = '', lastSeq = 0 } = log.epochs()[0] ?? {};
  const now = new Date().toISOString();
  const { storedSeq, queue, lastConfirmed, stalled, conflicting, oversize, lastError, protocol } = status;
  const marks = { epoch, lastSeq, storedSeq, queue, oldestUnstored: null, lastConfirmed };
  const port = {
    source: '/dev/serial/by-id/usb-receiver',
    state: 'open',
    reason: null,
    readings: 1,
    discarded: {},
  } as const;
  return {
    version: 'load',
    simulated: true,
    ...marks,
    stalled,
    conflicting,
    oversize,
    lastError,
    logBytes: 1_000_000,
    disk: 'ok',
    walBytes: 100_000,
    diskFreeBytes: 10_000_000_000,
    diskTotalBytes: 32_000_000_000,
    uptimeMs: Math.round(performance.now()),
    rssBytes: 115_000_000,
    clock: 'synced',
    protocol,
    sources: [{ ...port, lostSamples: 0, lastReading: now, perSecond: 50 }],
    collars: [{ collar: collarOfAgent(n), lastHeard: now, rssiDbm: -61, place: 'kitchen', batteryPercent: 83 }],
  };
}
