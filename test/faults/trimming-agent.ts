/**
 * The agent without sources: its log and its forward loop, with the events of `workload.ts`. It trims whatever central has
 * confirmed at once, so that nothing but the confirmation keeps an event. Its argument is a `TrimmingPlan` in JSON; it says
 * `a SEQ` after each append, as `child.ts` does.
 */
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import pino from 'pino';
import { agentSchema } from '../../src/agent/config.ts';
import { runForward } from '../../src/agent/forward.ts';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { createForwardStatus } from '../../src/agent/publisher/status.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { AGENT, epochOf, eventAt } from './workload.ts';

export interface TrimmingPlan {
  readonly url: string;
  readonly path: string;
  readonly seed: number;
  readonly confirm: 'store' | 'broker';
}

const GROUP = 5;
const EVERY_MS = 10;
const TRIM_EVERY = 10;

const plan = JSON.parse(process.argv[2] ?? '') as TrimmingPlan;
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const config = agentSchema.parse({
  agent: AGENT,
  sources: [{ file: '/dev/null' }],
  log: { path: plan.path },
  mqtt: { url: plan.url, retryFirstMs: 100, retryMaxMs: 1_000, keepaliveSeconds: 5 },
  forward: { confirm: plan.confirm, syncAfterMs: 1_000 },
});
const log = await openEventLog(
  { path: plan.path, agent: AGENT, keepDays: 0, keepBytes: 0, budgetBytes: 1e9 },
  {
    when: () => ({ time: new Date().toISOString(), clock: 'synced', boot: null, monoMs: null }),
    newEpochId: () => epochOf(plan.seed),
  },
);
const monoNow = () => performance.now();
const status = createForwardStatus({ log, stalledAfterMs: 60_000, monoNow, now: Date.now });
const head = () => log.epochs().at(-1) ?? { epoch: '', firstSeq: 1, lastSeq: 0, storedSeq: 0 };
const health = () => ({
  version: '0',
  simulated: true,
  epoch: head().epoch,
  lastSeq: head().lastSeq,
  storedSeq: status.storedSeq,
  queue: status.queue,
  oldestUnstored: null,
  lastConfirmed: status.lastConfirmed,
  stalled: status.stalled,
  conflicting: status.conflicting,
  oversize: status.oversize,
  lastError: status.lastError,
  logBytes: log.bytes(),
  disk: 'ok' as const,
  walBytes: 0,
  diskFreeBytes: null,
  rssBytes: process.memoryUsage.rss(),
  clock: 'synced' as const,
  protocol: status.protocol,
  sources: [],
  collars: [],
});
const parts = { config, log, openLink: openMqttLink, status, health, version: '0', logger: pino(pino.destination(2)) };

async function append(): Promise<void> {
  for (let group = 1; !stop.signal.aborted; group += 1) {
    const from = head().lastSeq + 1;
    const { lastSeq } = await log.append(Array.from({ length: GROUP }, (_, i) => eventAt(plan.seed, from + i)));
    writeSync(1, `a ${lastSeq}\n`);
    // In a year, so that the grace of everything is over.
    if (group % TRIM_EVERY === 0) await log.trim(Date.now() + 365 * 86_400_000);
    await pause(EVERY_MS);
  }
}

/** After the last append: until nothing waits. */
async function drained(): Promise<void> {
  for (let i = 0; i < 1_000 && status.queue > 0; i += 1) await pause(20);
}

const forwarding = new AbortController();
const forward = runForward({ ...parts, monoNow, random: Math.random }, forwarding.signal);
await append();
await drained();
forwarding.abort();
await forward;
await log.close();
