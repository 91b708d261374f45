/**
 * The announce loop: models → MQTT, for dashboards and Home Assistant. Retained are the row of each cat and, where that is wanted, what
 * Home Assistant discovers cats and agents by. All of it is told again over each new connection, since brokers forget; what nobody
 * has any more is cleared. Events are told once, and never from here again.
 */
import type { Logger } from 'pino';
import { catTopic } from '../contract/topic.ts';
import type { Published } from '../lib/mqtt-link.ts';
import { delay } from '../lib/wait.ts';
import type { Changes } from './api/changes.ts';
import { type Bulletin, createBulletin, type Desk, REFUSED } from './bulletin.ts';
import type { CentralConfig } from './config.ts';
import { agentDiscovery, catDiscovery, type DiscoveryHouse } from './home/discovery.ts';
import { isLost, type Outage } from './outage.ts';
import type { ReadStore } from './store/store.ts';
import type { ToldStore } from './store/told-store.ts';
import type { Outbox } from './subscriber/outbox.ts';

/** Home Assistant is told of so many cats and of so many agents, the first ones: names of agents may be a stranger's. */
export const MAX_DEVICES = 1_000;
/** Under a flood of changes the cats are read no more often than this. */
const ROUND_MS = 250;
/** Looked at after this time even if nothing was announced: a day ends. */
const QUIET_MS = 15_000;
/** Agents and what they say of collars are read no more often than this. */
const AGENTS_MS = 5_000;

export interface AnnounceParts {
  readonly store: Pick<ReadStore, 'cats' | 'agents'> & ToldStore;
  readonly bulletin: Desk;
  /** Announced after each commit that people see, and after `renew`. */
  readonly changes: Pick<Changes, 'version' | 'after'>;
  readonly house: DiscoveryHouse;
  readonly enabled: boolean;
  /** Asked when the database is away. Absent: then the loop ends. */
  readonly outage?: Pick<Outage, 'over'>;
  readonly clock: () => Date;
  readonly logger: Pick<Logger, 'warn'>;
}

/** Resolves after the signal aborted. Rejects with the store's error. */
export async function runAnnounce(parts: AnnounceParts, signal: AbortSignal): Promise<void> {
  const { changes, outage } = parts;
  const round = createRound(parts);
  while (!signal.aborted) {
    const seen = changes.version;
    try {
      const quietMs = await round();
      if (quietMs > 0) await changes.after(seen, signal, quietMs);
    } catch (error) {
      if (outage === undefined) throw error;
      await outage.over(error, signal);
    }
    await delay(ROUND_MS, signal);
  }
}

/** Resolves to how long it may wait for news; 0 where there was no room for all of it. */
function createRound({ store, bulletin, house, enabled, clock, logger }: AnnounceParts): () => Promise<number> {
  const agents = createAgents(store, clock);
  let remembered: Set<string> | null = null;
  let isRefused = false;
  const discovered = (published: Published) => {
    if (published.ok || published.reasonCode < REFUSED || isRefused) return;
    isRefused = true;
    logger.warn(
      { topic: `${house.prefix}/device/+/config`, reason: published.reason },
      'the broker does not let central tell Home Assistant of cats: allow it to write there',
    );
  };
  return async () => {
    remembered ??= new Set(await store.toldTopics());
    const heard = await agents(bulletin.renewals);
    bulletin.batteries(heard.batteries);
    bulletin.begin();
    const cats = await store.cats(clock());
    const devices = enabled
      ? [
          ...cats.slice(0, MAX_DEVICES).map((cat) => catDiscovery(house, cat)),
          ...heard.rows.slice(0, MAX_DEVICES).map((agent) => agentDiscovery(house, agent)),
        ]
      : [];
    const wanted = new Set([...cats.map(({ id }) => catTopic(house.base, id)), ...devices.map(({ topic }) => topic)]);
    const fresh = [...wanted].filter((topic) => !remembered?.has(topic));
    if (fresh.length > 0) await store.rememberTold(fresh);
    for (const topic of fresh) remembered.add(topic);
    // What the fold has told of meanwhile is newer.
    for (const cat of cats) {
      if (!bulletin.room) return 0;
      if (!bulletin.toldSince(cat.id)) bulletin.put(catTopic(house.base, cat.id), bulletin.rowOf(cat));
    }
    for (const { topic, payload } of devices) {
      if (!bulletin.room) return 0;
      bulletin.put(topic, payload, discovered);
    }
    for (const topic of remembered) {
      if (wanted.has(topic)) continue;
      if (!bulletin.room) return 0;
      bulletin.clear(topic, () => {
        remembered?.delete(topic);
        // If it fails, it is cleared once more after the next start.
        store.forgetTold(topic).catch((error: unknown) => {
          // What is lost is told by whoever ends by it.
          if (!isLost(error)) logger.warn({ err: error, topic }, 'not forgotten');
        });
      });
    }
    return heard.isFresh ? QUIET_MS : AGENTS_MS;
  };
}

interface Agents {
  /** Read for this round. */
  readonly isFresh: boolean;
  readonly rows: readonly { readonly agent: string; readonly version: string }[];
  /** Percent by collar, as it was last told. */
  readonly batteries: ReadonlyMap<string, number>;
}

function createAgents(store: Pick<ReadStore, 'agents'>, clock: () => Date): (renewals: number) => Promise<Agents> {
  let latest: Agents = { isFresh: false, rows: [], batteries: new Map() };
  let readAt = Number.NEGATIVE_INFINITY;
  let readFor = -1;
  return async (renewals) => {
    const now = clock().getTime();
    if (renewals === readFor && Math.abs(now - readAt) < AGENTS_MS) return latest;
    const rows = await store.agents();
    const batteries = batteriesOf(rows.map(({ health }) => health));
    [readAt, readFor, latest] = [now, renewals, { isFresh: false, rows, batteries }];
    return { ...latest, isFresh: true };
  };
}

/** Of what several agents say of a collar, what was heard last. */
function batteriesOf(healths: readonly (Readonly<Record<string, unknown>> | null)[]): ReadonlyMap<string, number> {
  const newest = new Map<string, { readonly at: string; readonly percent: number }>();
  for (const { collar, lastHeard, batteryPercent } of healths.flatMap(collarsOf)) {
    if (typeof collar !== 'string' || typeof lastHeard !== 'string' || typeof batteryPercent !== 'number') continue;
    if (!(batteryPercent >= 0 && batteryPercent <= 100) || lastHeard < (newest.get(collar)?.at ?? '')) continue;
    newest.set(collar, { at: lastHeard, percent: batteryPercent });
  }
  return new Map([...newest].map(([collar, { percent }]) => [collar, percent]));
}

function collarsOf(health: Readonly<Record<string, unknown>> | null): readonly Readonly<Record<string, unknown>>[] {
  const collars: readonly unknown[] = Array.isArray(health?.collars) ? health.collars : [];
  return collars.filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null);
}

/** What central says, as its other loops use it. */
export interface Voice {
  readonly bulletin: Pick<Bulletin, 'alert'>;
  /** For the fold. */
  readonly told: { readonly announceCat: Bulletin['cat']; readonly announceMeow: Bulletin['meow'] };
  /** For the receive loop: all is told again over a new connection, and when Home Assistant has started. */
  readonly hears: {
    onConnection(connected: boolean): void;
    heardOther(topic: string, payload: string): void;
  };
  readonly isConnected: boolean;
  run(signal: AbortSignal): Promise<void>;
}

export interface VoiceParts extends Pick<AnnounceParts, 'store' | 'outage' | 'clock' | 'logger'> {
  readonly config: Pick<CentralConfig, 'mqtt' | 'homeAssistant'>;
  readonly version: string;
  readonly outbox: Outbox;
  readonly changes: Changes;
}

export function openVoice({ config, version, outbox, changes, ...parts }: VoiceParts): Voice {
  const { baseTopic: base } = config.mqtt;
  const { prefix, page, enabled, birth } = config.homeAssistant;
  const bulletin = createBulletin(outbox, base, parts.clock);
  const renew = () => {
    bulletin.renew();
    changes.announce();
  };
  const announce: AnnounceParts = { ...parts, bulletin, changes, enabled, house: { base, prefix, version, page } };
  let isConnected = false;
  return {
    bulletin,
    told: { announceCat: bulletin.cat, announceMeow: bulletin.meow },
    hears: {
      onConnection(connected) {
        isConnected = connected;
        if (connected) renew();
      },
      heardOther(topic, payload) {
        if (topic === birth && payload === 'online') renew();
      },
    },
    get isConnected() {
      return isConnected;
    },
    run: (signal) => runAnnounce(announce, signal),
  };
}
