/** Central as a whole: opens its parts, runs its three loops, closes in reverse. */
import type { Logger } from 'pino';
import type { OpenLink } from '../lib/mqtt-link.ts';
import { runAll } from '../lib/run-all.ts';
import { openVoice } from './announce.ts';
import { type Changes, createChanges } from './api/changes.ts';
import { createMetrics, type Metrics } from './api/metrics.ts';
import type { Bulletin } from './bulletin.ts';
import { openAlertLog } from './cats/alert-log.ts';
import { openCatService } from './cats/cat-service.ts';
import { openCatWatchDog } from './cats/cat-watchdog.ts';
import type { CentralConfig } from './config.ts';
import { createLookOn } from './look-on.ts';
import { notifying, runNotify } from './notify.ts';
import { openStore } from './open-store.ts';
import { createOutage, runUntilLost } from './outage.ts';
import { type OwnBroker, openOwnBroker } from './own-broker.ts';
import { type ProjectParts, runProject } from './project.ts';
import { type ReceiveParts, runReceive } from './receive.ts';
import { receiveOptions } from './receive-options.ts';
import { runRetain } from './retain.ts';
import { retry } from './retry.ts';
import { runServe } from './serve.ts';
import { GO_ON } from './store/command.ts';
import type { Stopped } from './store/fold-status.ts';
import type { Store } from './store/store.ts';
import { openStoreRoom, type StoreRoom } from './store-room.ts';
import { createOutbox } from './subscriber/outbox.ts';
import { tellHeld } from './tell.ts';
import { createTrust } from './trust.ts';
import { webhooksOf } from './webhook.ts';

export interface CentralDeps {
  readonly openLink: OpenLink;
  readonly logger: Logger;
  readonly version: string;
  /** Nothing here is real: said on the page and in the answers. */
  readonly simulated?: boolean;
  readonly clock?: () => Date;
  readonly random?: () => number;
  /** Told once, when the page can be opened. */
  readonly onListening?: (url: string) => void;
  /** Told after it; `why` says at any time what is missing, or null. */
  readonly onRunning?: (why: () => string | null) => void;
  readonly pageDir?: string;
}

/**
 * Resolves when everything is closed after the signal aborted. Rejects with the first error of a loop: codes STORE_FAILED,
 * EADDRINUSE and the like, or those of `openStore`.
 */
export async function runCentral(config: CentralConfig, deps: CentralDeps, signal: AbortSignal): Promise<void> {
  const { logger, clock = () => new Date() } = deps;
  const onHeld = tellHeld(logger, config.store.url);
  const store = await openStore({ ...config.store, fold: config.fold, now: clock, onHeld });
  try {
    const metrics = createMetrics(deps.version);
    const room = openStoreRoom(config.store.url, { logger, seen: metrics.room });
    const broker = await openOwnBroker(config, { logger, clock, dropped: metrics.dropped });
    try {
      await runParts(config, deps, { store, room, broker, metrics }, signal);
    } finally {
      await broker?.close();
    }
  } finally {
    await store.close();
  }
}

interface Opened {
  readonly store: Store;
  readonly room: StoreRoom;
  readonly broker: OwnBroker | null;
  readonly metrics: Metrics;
}

async function runParts(
  config: CentralConfig,
  deps: CentralDeps,
  { store, room, broker, metrics }: Opened,
  signal: AbortSignal,
): Promise<void> {
  const { logger, version, clock = () => new Date() } = deps;
  const outbox = createOutbox();
  const arrived = createChanges();
  const shown = createChanges();
  const announce = waking(arrived, shown);
  const options = { ...receiveOptions(config, deps, broker?.link), outbox };
  const outage = createOutage({ store, retry: options.retry, random: options.random, logger });
  const voice = openVoice({ config, version, store, outage, outbox, changes: shown, clock, logger });
  const standing = standingStill(logger);
  const notReady = () => outage.reason() ?? (voice.isConnected ? standing.why() : 'no connection to the broker');
  const receive: ReceiveParts = {
    store,
    ...options,
    outage,
    trust: createTrust({ store, policy: config.trust.keys, logger, clock }),
    doubted: metrics.doubted,
    dropped: metrics.dropped,
    clock,
    ingested: metrics.ingested,
    changed: announce,
    ...voice.hears,
  };
  const told = { ...voice.told, changed: shown.announce, stopped: standing.note };
  const project: ProjectParts = { store, outage, arrived, clock, ...told };
  await runAll(
    [
      (stop) => runUntilLost(store, stop),
      (stop) => runReceive(receive, stop),
      (stop) => runProject(project, stop),
      voice.run,
      room.run,
      (stop) => broker?.tell(stop) ?? Promise.resolve(),
      (stop) => runNotify({ ...notifying(config, deps), store, changes: shown, tried: metrics.webhook }, stop),
      (stop) => runRetain({ store, retention: config.retention, clock, logger }, stop),
      (stop) =>
        runServe(
          {
            store,
            room,
            retry: (no) => retry({ ...receive, store, base: config.mqtt.baseTopic }, no),
            cats: openCatService(store, clock),
            watchdog: openDog(config, store, logger, clock, { bulletin: voice.bulletin, announce }),
            changes: announcing(shown, announce),
            metrics,
            logger,
            version,
            simulated: deps.simulated ?? false,
            clock,
            notReady,
            onListening(url) {
              deps.onListening?.(url);
              deps.onRunning?.(notReady);
            },
            ...servingOf(config, deps, options),
          },
          stop,
        ),
    ],
    signal,
  );
}

/** For whoever commits something: wakes the loop that folds it, and those who show what is there. */
export function waking(arrived: Changes, shown: Changes): () => void {
  return () => {
    arrived.announce();
    shown.announce();
  };
}

/** Receiving goes on while the models stand still: nothing is lost by it, but what is shown is of the past. */
export function standingStill(logger: Logger) {
  let why: string | null = null;
  return {
    why: () => why,
    note(stopped: Stopped | null) {
      if (stopped === null) {
        if (why !== null) logger.info('the models go on');
        why = null;
        return;
      }
      const { id, agent, reason } = stopped;
      why = `the models stand still before ${id} of ${agent}: ${reason}`;
      logger.error({ event: id, agent, reason }, `the models stand still: ${GO_ON}`);
    },
  };
}

/** For those who show what is there, and whose commands change it. */
export function announcing(shown: Changes, announce: () => void): Changes {
  return {
    get version() {
      return shown.version;
    },
    after: shown.after,
    announce,
  };
}

/** Alerts are events first; then they are told in the log of this process, on MQTT and to those who look. */
export function openDog(
  config: CentralConfig,
  store: Store,
  logger: Logger,
  clock: () => Date,
  tell: { readonly bulletin: Pick<Bulletin, 'alert'>; readonly announce: () => void },
) {
  const webhooks = webhooksOf(config);
  return openCatWatchDog({
    store,
    rules: config.rules,
    clock,
    checks: store,
    log: openAlertLog(store, clock, (change) =>
      webhooks.filter(({ on }) => on.includes(change)).map(({ target }) => target),
    ),
    onAlert: (change, cat, alert) => {
      logger.warn({ cat: cat.name, alert }, `alert ${change}`);
      tell.bulletin.alert(cat.id, { change, catId: cat.id, name: cat.name, ...alert });
      tell.announce();
    },
  });
}

/** What serving takes from the configuration as it stands. */
export function servingOf(config: CentralConfig, { pageDir }: CentralDeps, of: ReturnType<typeof receiveOptions>) {
  const { base, group, link } = of.subscriber;
  return {
    lookOn: createLookOn({ ...of, link, base, group, monoNow: () => performance.now() }),
    http: config.http,
    shared: config,
    ...(pageDir === undefined ? {} : { pageDir }),
    ...(config.retention === undefined ? {} : { segments: config.retention.segments }),
  };
}
