/**
 * One of several centrals that share a store: serves the page, receives the shards that it has, and one of them leads: it folds, tells
 * of cats, looks after them and moves old events away. What each may write is checked in the store.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { SHARDS } from '../contract/topic.ts';
import { runAll } from '../lib/run-all.ts';
import { aborted, delay } from '../lib/wait.ts';
import { createChanges } from './api/changes.ts';
import { createMetrics } from './api/metrics.ts';
import { openAlertLog } from './cats/alert-log.ts';
import { openCatService } from './cats/cat-service.ts';
import { type CatWatchDog, openCatWatchDog } from './cats/cat-watchdog.ts';
import { type CentralConfig, shardsOf } from './config.ts';
import { createDuties, type Duties, type House } from './duties.ts';
import { openStore } from './open-store.ts';
import { createOutage, isAway, type Outage, runUntilLost } from './outage.ts';
import { etcdOf } from './ownership/etcd-of.ts';
import { runByEtcd } from './ownership/etcd-owner.ts';
import { runStatic } from './ownership/static-owner.ts';
import { keysOf, type Registration } from './ownership/view.ts';
import { receiveOptions } from './receive-options.ts';
import { retry } from './retry.ts';
import { runAnswer, type ServeParts } from './serve.ts';
import { announcing, type CentralDeps, servingOf, standingStill, waking } from './service.ts';
import type { Store } from './store/store.ts';
import { openStoreRoom } from './store-room.ts';
import { createTrust } from './trust.ts';

/** What others have stored or folded is seen after so long. */
const PULSE_MS = 1_000;
const ENDPOINT_MS = 2_000;
/** So often it says in the store that it is there. */
const BEAT_MS = 10_000;

/** Resolves and rejects as `runCentral` does. */
export async function runWorker(config: CentralConfig, deps: CentralDeps, signal: AbortSignal): Promise<void> {
  const { logger, clock = () => new Date() } = deps;
  const { url, password } = config.store;
  const store = await openStore({ url, password, fold: config.fold, now: clock, shared: true });
  try {
    const arrived = createChanges();
    const shown = createChanges();
    const announce = waking(arrived, shown);
    const metrics = createMetrics(deps.version);
    const room = openStoreRoom(url, { logger, seen: metrics.room });
    const options = receiveOptions(config, deps);
    const outage = createOutage({ store, retry: options.retry, random: options.random, logger });
    const trust = createTrust({ store, policy: config.trust.keys, logger, clock });
    const standing = standingStill(logger);
    const id = `${hostname().slice(0, 40)}-${process.pid}-${randomBytes(3).toString('hex')}`;
    const house: House = {
      config,
      id,
      store,
      options,
      outage,
      trust,
      standing,
      arrived,
      shown,
      announce,
      metrics,
      version: deps.version,
      clock,
      logger,
    };
    const duties = createDuties(house);
    const listening = createListening(deps);
    const asked = { store, base: config.mqtt.baseTopic, trust, clock, ingested: metrics.ingested, changed: announce };
    const notReady = () => outage.reason() ?? duties.notReady();
    const serve: ServeParts = {
      store,
      room,
      retry: (no) => retry(asked, no),
      cats: openCatService(store, clock),
      watchdog: openQuietDog(config, store, clock),
      changes: announcing(shown, announce),
      metrics,
      logger,
      version: deps.version,
      simulated: deps.simulated ?? false,
      clock,
      notReady,
      onListening(url) {
        listening.tell(url);
        deps.onRunning?.(notReady);
      },
      ...servingOf(config, deps, options),
    };
    await runAll(
      [
        (stop) => runUntilLost(store, stop),
        (stop) => runAnswer(serve, stop),
        (stop) => runOwn(house, duties, listening, stop),
        (stop) => runPulse(store, outage, announce, stop),
        room.run,
      ],
      signal,
    );
  } finally {
    await store.close();
  }
}

/** Looks at the alerts that hold, and raises none: another process does. */
function openQuietDog({ rules }: CentralConfig, store: Store, clock: () => Date): CatWatchDog {
  const { standing } = openAlertLog(store, clock);
  const log = { standing, write: async () => false };
  return openCatWatchDog({ store, rules, clock, log, onAlert: () => undefined });
}

/** Once others can reach it. */
async function runOwn(house: House, duties: Duties, listening: Listening, signal: AbortSignal): Promise<void> {
  const { id, store, version, clock } = house;
  const http = await listening.url(signal);
  if (http === null) return;
  const registration = { id, host: hostname(), pid: process.pid, http, version };
  const beat = (stop: AbortSignal) => runBeat(store, registration, clock, stop);
  await runAll([beat, (stop) => runOwner(house, duties, registration, stop)], signal);
}

function runOwner(house: House, duties: Duties, registration: Registration, signal: AbortSignal): Promise<void> {
  const { config, outage, options } = house;
  const { etcd, leaseSeconds, shards = '', ...access } = config.workers ?? { leaseSeconds: 10 };
  if (etcd === undefined) {
    const own = shardsOf(shards);
    return runStatic(own.includes(0) ? [...own, 'lead'] : own, duties, signal);
  }
  const ready = async (stop: AbortSignal) => void (await duties.highestToken(stop));
  const monoNow = () => performance.now();
  return runByEtcd(
    {
      ...duties,
      etcd: etcdOf(access, etcd, Math.min(ENDPOINT_MS, (leaseSeconds * 1_000) / 4)),
      keys: keysOf(config.group),
      seconds: leaseSeconds,
      shards: Array.from({ length: SHARDS }, (_, i) => i),
      registration,
      monoNow,
      random: options.random,
      ready,
      unfitSince: unfitSince(outage, monoNow),
    },
    signal,
  );
}

function unfitSince(outage: Outage, monoNow: () => number): () => number | null {
  let since: number | null = null;
  return () => {
    since = outage.reason() === null ? null : (since ?? monoNow());
    return since;
  };
}

/** Says in the store that this one is there, for who asks without etcd. */
async function runBeat(
  store: Store,
  registration: Registration,
  clock: () => Date,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = clock().toISOString();
  const unlessAway = (error: unknown) => {
    // Those who receive and fold wait for it, and tell.
    if (!isAway(error)) throw error;
  };
  while (!signal.aborted) {
    await store.saveWorker({ ...registration, startedAt, heardAt: clock().toISOString() }).catch(unlessAway);
    await delay(BEAT_MS, signal);
  }
  await store.removeWorker(registration.id).catch(unlessAway);
}

/** Wakes those who show and fold when another process has stored something. */
async function runPulse(store: Store, outage: Outage, announce: () => void, signal: AbortSignal): Promise<void> {
  let before = '';
  while (!signal.aborted) {
    try {
      const now = await store.pulse();
      if (now !== before) announce();
      before = now;
    } catch (error) {
      await outage.over(error, signal);
    }
    await delay(PULSE_MS, signal);
  }
}

interface Listening {
  tell(url: string): void;
  /** Null where the signal aborts first. */
  url(signal: AbortSignal): Promise<string | null>;
}

function createListening({ onListening }: CentralDeps): Listening {
  let resolve: (url: string) => void;
  const told = new Promise<string>((done) => {
    resolve = done;
  });
  return {
    tell(url) {
      resolve(url);
      onListening?.(url);
    },
    url: (signal) => Promise.race([told, aborted(signal).then(() => null)]),
  };
}
