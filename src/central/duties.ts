/** What a worker does while it has a duty: receive a shard, or lead. */
import type { Logger } from 'pino';
import { runAll } from '../lib/run-all.ts';
import { openVoice } from './announce.ts';
import type { Changes } from './api/changes.ts';
import type { Metrics } from './api/metrics.ts';
import type { CentralConfig } from './config.ts';
import { notifying, runNotify } from './notify.ts';
import { lasting, type Outage } from './outage.ts';
import { type Duty, type Held, isFenced, type OwnerParts } from './ownership/ownership.ts';
import { runProject } from './project.ts';
import { type ReceiveParts, runReceive } from './receive.ts';
import type { receiveOptions } from './receive-options.ts';
import { runRetain } from './retain.ts';
import { runWatch } from './serve.ts';
import { openDog, type standingStill } from './service.ts';
import type { Store } from './store/store.ts';
import { createOutbox } from './subscriber/outbox.ts';
import type { Trust } from './trust.ts';

/** What all duties of a worker share. */
export interface House {
  readonly config: CentralConfig;
  /** Of this worker, for people. */
  readonly id: string;
  readonly store: Store;
  readonly options: ReturnType<typeof receiveOptions>;
  readonly outage: Outage;
  readonly trust: Trust;
  readonly standing: ReturnType<typeof standingStill>;
  /** Events have arrived; people see something new. */
  readonly arrived: Changes;
  readonly shown: Changes;
  readonly announce: () => void;
  readonly metrics: Metrics;
  readonly version: string;
  readonly clock: () => Date;
  readonly logger: Logger;
}

export interface Duties extends OwnerParts {
  /** No token in the store is higher. Waits for a database that is away. */
  highestToken(signal: AbortSignal): Promise<number>;
  /** Why what this worker has is not being done now, or null. */
  notReady(): string | null;
}

export function createDuties(house: House): Duties {
  const { id: owner, store, outage, logger } = house;
  const unconnected = new Set<Duty>();
  const tellBroker = brokerTeller(logger);
  const take = (duty: Duty, token: number | null) =>
    duty === 'lead' ? store.takeLead({ token, owner }) : store.takeShard(duty, { token, owner });
  return {
    logger,
    take: (duty, token, signal) => lasting(outage, () => take(duty, token), signal),
    highestToken: (signal) => lasting(outage, () => store.highestToken(), signal),
    async hold(duty, held, signal) {
      unconnected.add(duty);
      const onConnection = (connected: boolean) => {
        if (connected) unconnected.delete(duty);
        else unconnected.add(duty);
      };
      const parts = { ...receiving(house, duty, held, onConnection), tellBroker };
      try {
        if (duty === 'lead') await lead(house, parts, held, signal);
        else await runReceive(parts, signal);
      } finally {
        unconnected.delete(duty);
        // Whether the models stand still is for the next one to say.
        if (duty === 'lead') house.standing.note(null);
      }
    },
    notReady: () => (unconnected.size === 0 ? house.standing.why() : 'no connection to the broker'),
  };
}

function receiving(house: House, duty: Duty, held: Held, onConnection: (connected: boolean) => void): ReceiveParts {
  const { id: owner, store, options, outage, trust, metrics, clock, announce, logger } = house;
  const { token } = held;
  const own = duty === 'lead' ? {} : store.ofShard(duty, { token, owner });
  const still = async () => {
    if (!held.held()) throw new Error('what was held may be held by another one now');
    // Two that both believe it is theirs would take the session from each other, again and again.
    try {
      await (duty === 'lead' ? store.takeLead({ token, owner }) : store.takeShard(duty, { token, owner }));
    } catch (cause) {
      if (!isFenced(cause)) throw cause;
      throw Object.assign(new Error(cause.message, { cause }), { code: 'STORE_FAILED' });
    }
  };
  return {
    ...options,
    store: { ...store, ...own },
    subscriber: { ...options.subscriber, duty },
    async openLink(link, signal) {
      await still();
      return options.openLink(link, signal);
    },
    outbox: createOutbox(),
    outage,
    trust,
    doubted: metrics.doubted,
    dropped: metrics.dropped,
    clock,
    ingested: metrics.ingested,
    changed: announce,
    onConnection,
    logger: logger.child({ duty }),
  };
}

/** Its session says that central is there, and carries what is told of cats: the broker lets one of a name in at a time. */
async function lead(house: House, session: ReceiveParts, { token }: Held, signal: AbortSignal): Promise<void> {
  const { config, store, outage, arrived, shown, standing, metrics, version, clock, logger, announce } = house;
  const { outbox } = session;
  const voice = openVoice({ config, version, store, outage, outbox, changes: shown, clock, logger });
  const leading = { ...store, ...store.asLeader(token) };
  const told = { ...voice.told, changed: shown.announce, stopped: standing.note };
  const watchdog = openDog(config, store, logger, clock, { bulletin: voice.bulletin, announce });
  const onConnection = (connected: boolean) => {
    session.onConnection(connected);
    voice.hears.onConnection(connected);
  };
  const telling = notifying(config, { logger, version, clock });
  await runAll(
    [
      (stop) => runReceive({ ...session, ...voice.hears, onConnection }, stop),
      (stop) => runProject({ store: leading, outage, arrived, clock, ...told }, stop),
      voice.run,
      (stop) => runNotify({ ...telling, store, changes: shown, tried: metrics.webhook }, stop),
      (stop) => runRetain({ store: leading, retention: config.retention, clock, logger }, stop),
      (stop) => runWatch({ store, watchdog, changes: shown, clock, logger }, stop),
    ],
    signal,
  );
}

/** The same of many sessions is said once. */
function brokerTeller(logger: Logger): (error: Error | null) => void {
  let last = '';
  return (error) => {
    if (error === null) {
      if (last !== '') logger.info('connected to the broker again');
      last = '';
      return;
    }
    if (error.message !== last) logger.warn(`no broker: ${error.message}`);
    last = error.message;
  };
}
