/** An agent as a whole: opens its parts, runs its loops, closes in reverse. */
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { openBrokers } from '../broker/open-broker.ts';
import type { DiskState } from '../contract/message.ts';
import type { SigningKey } from '../contract/signature.ts';
import type { OpenLink } from '../lib/mqtt-link.ts';
import { runAll } from '../lib/run-all.ts';
import { aborted, childOf, delay, ticks } from '../lib/wait.ts';
import { type Clock, eventTime, openClock } from './clock.ts';
import { createComparer } from './compare.ts';
import { type AgentConfig, fusionOf } from './config.ts';
import { isForgetful } from './forgetful.ts';
import { runForward } from './forward.ts';
import { healthOf, toldSince } from './health.ts';
import { type IngestSource, runIngest } from './ingest.ts';
import { type LiveFeed, openLiveFeed } from './live/feed.ts';
import type { DiskHealth, IngestLog } from './log/event-log.ts';
import { codeOf } from './log/log-error.ts';
import type { LogOptions, LogPorts } from './log/open-event-log.ts';
import { openLogWorker } from './log/open-log-worker.ts';
import { keptOf, openKept } from './open-kept.ts';
import { openIngestSource } from './open-source.ts';
import { loadPlaces } from './places-file.ts';
import { createSigner, signingKeyPath } from './publisher/signing-key.ts';
import { createForwardStatus, type ForwardStatus } from './publisher/status.ts';
import { runReport } from './report.ts';
import { createHeard } from './source/heard.ts';
import type { SerialPorts } from './source/serial.ts';
import { createTraces, type Traces } from './traces.ts';
import { type AgentVitals, createVitals } from './vitals.ts';

export interface AgentDeps {
  readonly openLink: OpenLink;
  readonly logger: Logger;
  readonly version: string;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Told once, when the log is open and the loops begin. */
  readonly onRunning?: (vitals: AgentVitals) => void;
  /** Makes the port of a path; the system's by default. */
  readonly createPort?: SerialPorts['create'];
  /** Opens the log; in a thread of its own by default, so that a slow card stops nothing else. */
  readonly openLog?: (options: LogOptions, ports: LogPorts, signal: AbortSignal) => Promise<IngestLog>;
  /** Free bytes on the disk of this folder, for health; null where the system does not tell. */
  readonly freeBytes?: (folder: string) => Promise<number | null>;
  /** The size of that disk, likewise. */
  readonly totalBytes?: (folder: string) => Promise<number | null>;
  /** The type of the file system that holds this folder, or null; without it nothing is said of one that forgets. */
  readonly filesystemOf?: (folder: string) => Promise<string | null>;
  /** Gives the key to sign with, for each link; `createSigner` by default, beside the log. */
  readonly signer?: () => Promise<SigningKey | null>;
  /** By which programs of this machine ask and look on: sockets beside the log by default. */
  readonly beside?: { readonly openLiveFeed: typeof openLiveFeed; readonly runReport: typeof runReport };
}

const TRIM_MS = 60_000;
/** After the stop, central has so long to confirm the last events before the link is closed. What it does not stays here. */
const LINGER_MS = 1_500;

/**
 * Resolves when everything is closed after the signal aborted. Rejects with the first error of a part: a LOG_… or
 * PLACES_… code, or the disk's. A port that is missing and a broker that does not answer are no errors: they are tried again, and told.
 */
export async function runAgent(config: AgentConfig, deps: AgentDeps, signal: AbortSignal): Promise<void> {
  const { logger, clock = openClock(), random = Math.random, version, beside = { openLiveFeed, runReport } } = deps;
  const rooms = config.places === undefined ? undefined : loadPlaces(config.places);
  const log = await openLog(config, clock, deps, signal);
  if (log === null) return;
  const port = deps.createPort === undefined ? {} : { create: deps.createPort };
  const { bindKeys } = config;
  const folder = dirname(config.log.path);
  const sources = config.sources.map((source) =>
    openIngestSource({ ...source, bindKeys, folder }, { monoNow: clock.monoNow, random, ...port }, clock, logger),
  );
  try {
    const signer = deps.signer ?? createSigner(signingKeyPath(config), config.agent, logger);
    await signer();
    logger.info({ agent: config.agent, epoch: log.epochs().at(-1)?.epoch, log: config.log.path }, 'agent is running');
    const [{ monoNow }, { groupMs }, { stalledAfterMs }] = [clock, config.log, config.forward];
    const detect = { ...config.detect, place: { ...config.detect.place, rooms }, fusion: fusionOf(config) };
    const wentRound = () => vitals.moved('forward');
    const status = createForwardStatus({ log, stalledAfterMs, monoNow, now: clock.wallNow, wentRound });
    const heard = createHeard();
    const kept = openKept(config, detect, clock, logger);
    const feed = beside.openLiveFeed(config.log.path, config.agent, logger);
    const traces = createTraces(detect.shake, monoNow);
    const disk: DiskHealth = { state: 'ok', walBytes: 0, walHeld: false };
    const tallies = sources.map(({ tally }) => tally);
    const forgetful = await tellForgetful(config.log.path, deps);
    const vitals = createVitals({ monoNow, clock, status, disk, tallies, forgetful });
    deps.onRunning?.(vitals);
    const told = toldSince(monoNow, deps);
    const health = () => healthOf({ config, version, log, clock, sources, heard, kept, status, disk, ...told });
    const openLink = openBrokers({ openLink: deps.openLink, discover: config.mqtt.discover, monoNow, random });
    const sent = new AbortController();
    const comparer = createComparer({ kept: keptOf(config, detect), monoNow, wallNow: clock.wallNow });
    const answers = { health, look: traces.look, compare: comparer.compare };
    const forwarded = { config, log, openLink, status, ...answers, signer, version, logger, monoNow, random };
    await runAll(
      [
        async (stop) => {
          let lingerMs = 0;
          const stoppedAt = aborted(stop).then(monoNow);
          try {
            const moved = () => vitals.moved('ingest');
            const keeper = kept === null ? {} : { keeper: kept.keeper };
            const informed = { live: both(feed, traces), unwritten: told.unwritten, logger, moved };
            await runIngest({ sources, log, clock, heard, detect, ...keeper, groupMs, ...informed }, stop);
            // A card that took long for the last events has used up the time for it.
            lingerMs = Math.max(0, Math.round((await stoppedAt) + LINGER_MS - monoNow()));
          } finally {
            kept?.close();
            void linger(status, lingerMs).then(() => sent.abort());
          }
        },
        () => runForward(forwarded, sent.signal),
        async () => kept?.run(),
        feed.run,
        comparer.run,
        (stop) => runTrim({ log, clock, disk, logger, moved: () => vitals.moved('log') }, stop),
        async (stop) => clock.watch?.(stop),
        (stop) => beside.runReport({ config, health, vitals, status, logger }, stop),
      ],
      signal,
    );
  } finally {
    logger.info({ sources: sources.map(lastWords) }, 'sources are closed');
    await log.close();
  }
  logger.info({ agent: config.agent }, 'agent has stopped');
}

function both(feed: Pick<LiveFeed, 'note'>, traces: Pick<Traces, 'note'>): Pick<Traces, 'note'> {
  return {
    note(input, detections, state) {
      feed.note(input);
      traces.note(input, detections, state);
    },
  };
}

/** The file system of the log where it would be gone with the power: the agent works on, and says so. */
async function tellForgetful(path: string, { filesystemOf, logger }: AgentDeps): Promise<string | null> {
  const kind = (await filesystemOf?.(dirname(path))) ?? null;
  if (kind === null || !isForgetful(kind)) return null;
  logger.error(
    { log: path, filesystem: kind },
    `the log is on ${kind}: EVERY EVENT IS LOST WITH THE POWER. Put log.path on a card or disk that is mounted for writing (with an overlay root, on a partition of its own)`,
  );
  return kind;
}

/** Resolves when nothing waits, there is no link, or the time is over. No guarantee hangs on it: it saves a wait at the next start. */
async function linger(status: ForwardStatus, forMs: number): Promise<void> {
  const over = AbortSignal.timeout(forMs);
  while (!over.aborted && status.link === 'online' && status.queue > 0) await delay(20, over);
}

/** null where the signal came before it was open: it is the same log as before then. */
async function openLog(
  config: AgentConfig,
  clock: Clock,
  deps: AgentDeps,
  signal: AbortSignal,
): Promise<IngestLog | null> {
  const { logger, openLog: open = openLogWorker } = deps;
  // Before the first event is dated.
  await clock.look?.(signal);
  const ports: LogPorts = {
    when: () => eventTime(clock, clock.monoNow()),
    onDamaged: (aside, reason) => logger.error({ aside, reason }, 'the log was damaged: a new one has begun'),
    onLost: (lost) => logger.error(lost, `events that were logged are gone (${lost.reason}): history.lost tells it`),
    onBlind: (message) => logger.error({ log: config.log.path }, `what it may have lost is not known: ${message}`),
    onHeld: (message) => logger.warn({ log: config.log.path }, `events wait to be written: ${message}`),
  };
  try {
    return await open({ ...config.log, agent: config.agent }, ports, signal);
  } catch (error) {
    if (signal.aborted && codeOf(error) === 'LOG_THREAD') return null;
    throw error;
  }
}

/** What a source gave over this run, and what of it was lost on the way. */
function lastWords({ source, decoder, tally }: IngestSource) {
  const { readings, discarded } = tally.health();
  const { name, overrunBytes } = source;
  return { source: name, readings, overrunBytes, discarded, lostSamples: decoder.lostSamples };
}

const DISK_LINES: Readonly<Record<DiskState, string>> = {
  ok: 'the disk has room again',
  warn: 'the disk budget is nearly spent by events that central has not confirmed: mend the link, or raise log.budgetBytes',
  thinning: 'the disk budget is spent: events of little worth are given up',
  losing: 'the disk budget is spent: the oldest events are given up',
};

export interface TrimParts {
  readonly log: Pick<IngestLog, 'trim'>;
  readonly clock: Pick<Clock, 'wallNow'>;
  readonly disk: DiskHealth;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn'>;
  readonly moved: () => void;
}

/** Makes room in the log from time to time, and notes in `disk` how it stands. */
export async function runTrim({ log, clock, disk, logger, moved }: TrimParts, signal: AbortSignal): Promise<void> {
  for await (const _ of ticks(TRIM_MS, signal)) {
    // Not waited for at the end: on a slow card it takes longer than a stop may, and goes on at the next start.
    const wait = childOf(signal);
    const trimmed = await Promise.race([log.trim(clock.wallNow()), aborted(wait.signal)]);
    wait.abort();
    wait.release();
    if (trimmed === undefined) return;
    moved();
    const { deleted, lost } = trimmed;
    const now = trimmed.disk ?? disk;
    if (now.state !== disk.state)
      logger[now.state === 'ok' ? 'info' : 'warn']({ disk: now.state }, DISK_LINES[now.state]);
    if (now.walHeld && !disk.walHeld)
      logger.warn(
        { walBytes: now.walBytes },
        'another program reads the log without an end: its write-ahead log grows. Find it (fuser log.path) and end it',
      );
    if (!now.walHeld && disk.walHeld) logger.info({ walBytes: now.walBytes }, 'nobody holds the log any more');
    Object.assign(disk, now);
    if (deleted > 0) logger.debug({ deleted }, 'old events that central holds were deleted');
    if (lost > 0) logger.warn({ lost }, 'the disk budget is spent: events were given up, history.lost tells which');
  }
}
