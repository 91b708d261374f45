/** The serve loop: models → API and page. Listens until its signal aborts, then lets everybody go within 2 seconds. */
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { runAll } from '../lib/run-all.ts';
import { aborted, delay } from '../lib/wait.ts';
import { type HttpRules, isAlwaysClosed, isLoopback } from './api/access.ts';
import type { Changes } from './api/changes.ts';
import { SET_PASSWORD } from './api/login-page.ts';
import type { Metrics } from './api/metrics.ts';
import type { ApiParts, Retried } from './api/parts.ts';
import { createServer } from './api/server.ts';
import type { CatService } from './cats/cat-service.ts';
import type { CatWatchDog } from './cats/cat-watchdog.ts';
import type { CentralConfig } from './config.ts';
import type { LookOn } from './look-on.ts';
import { isAway, isLost } from './outage.ts';
import { pastCats } from './past-cats.ts';
import { openPictures } from './pictures.ts';
import { statsOf } from './stats.ts';
import { concernsOf, statusOf } from './status.ts';
import type { AccessStore } from './store/access-store.ts';
import { decodeCursor, encodeCursor } from './store/cursor.ts';
import type { GapStore } from './store/gap-store.ts';
import type { QuarantineStore } from './store/kept.ts';
import type { KeyStore } from './store/key-store.ts';
import type { NoticeStore } from './store/notice-store.ts';
import type { SharedStore } from './store/shared-store.ts';
import type { ReadStore, Store } from './store/store.ts';
import type { StoreRoom } from './store-room.ts';

/** Requests that are still open after this time are cut. */
export const STOP_MS = 1_500;
/** Above the second in which the watchdog answers from its last check. */
const LOOK_EVERY_MS = 1_100;
/** Hours without movement make no event: so often the rules are looked at all the same. */
const LOOK_QUIET_MS = 60_000;
export interface ServeParts {
  readonly store: ReadStore &
    GapStore &
    QuarantineStore &
    KeyStore &
    AccessStore &
    Pick<NoticeStore, 'noticeCounts'> &
    Pick<Store, 'segments'> &
    Pick<SharedStore, 'status'>;
  /** Of the store; absent: nobody looks at it. */
  readonly room?: Pick<StoreRoom, 'concerns'>;
  /** Takes a message from quarantine in again; null where there is none of this number. */
  readonly retry: (no: number) => Promise<Retried | null>;
  readonly cats: CatService;
  readonly watchdog: CatWatchDog;
  readonly changes: Changes;
  readonly metrics: Metrics;
  readonly http: HttpRules & Pick<CentralConfig['http'], 'host' | 'port'> & { readonly pictures?: string | undefined };
  readonly logger: Logger;
  readonly version: string;
  readonly simulated: boolean;
  /** The folder of events that are in segments and no rows of the store any more. */
  readonly segments?: string;
  /** Whether this is one of several centrals, and where their leases are. */
  readonly shared: Pick<CentralConfig, 'workers' | 'group'>;
  /** For who looks on at a collar; runs while the server does. Absent: nobody may. */
  readonly lookOn?: LookOn;
  readonly clock: () => Date;
  /** Why this central cannot do its work now, or null. */
  readonly notReady?: () => string | null;
  /** Told once, when the port is open. */
  readonly onListening: (url: string) => void;
  /** The built page; the one beside this file by default. */
  readonly pageDir?: string;
}

/**
 * Resolves when the server is closed after the signal aborted. Rejects with code EADDRINUSE, EACCES or EADDRNOTAVAIL when it
 * cannot listen; the message names the fix.
 */
export async function runServe(parts: ServeParts, signal: AbortSignal): Promise<void> {
  await runAll([(stop) => runAnswer(parts, stop), (stop) => runWatch(parts, stop)], signal);
}

/** The server alone; rejects as above. */
export async function runAnswer(parts: ServeParts, signal: AbortSignal): Promise<void> {
  const { http, logger, onListening } = parts;
  const app = await createServer(apiParts(parts, signal), logger);
  try {
    await listen(app, http);
    if (!signal.aborted) onListening(urlOf(app, http.host));
    await sayWhetherShut(parts);
    await Promise.all([aborted(signal), parts.lookOn?.run(signal)]);
  } finally {
    await close(app);
  }
}

async function sayWhetherShut({ store, http, logger }: ServeParts): Promise<void> {
  if (http.login === 'off' && !isLoopback(http.host))
    logger.warn('whoever reaches the port may see and change everything: http.login is off');
  if (!isAlwaysClosed(http)) return;
  const hash = await store.passwordHash().catch((error: unknown) => {
    // Those who receive and fold wait for it, and tell.
    if (!isAway(error)) throw error;
    return undefined;
  });
  if (hash === null) logger.warn(`page and API are closed until a password is set: ${SET_PASSWORD}`);
}

/**
 * Has the watchdog look at all cats when something changed, so that alerts do not wait for somebody to look at the page. Rejects with
 * code STORE_FAILED.
 */
export async function runWatch(
  { store, watchdog, changes, clock, logger }: Pick<ServeParts, 'store' | 'watchdog' | 'changes' | 'clock' | 'logger'>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const seen = changes.version;
    try {
      await watchdog.checkCats(await store.cats(clock()));
    } catch (error) {
      if (isLost(error)) throw error;
      // A look that failed is made again.
      logger.warn({ err: error }, 'the watchdog could not look at the cats');
    }
    await delay(LOOK_EVERY_MS, signal);
    await changes.after(seen, signal, LOOK_QUIET_MS);
  }
}

function apiParts(parts: ServeParts, signal: AbortSignal): ApiParts {
  const { notReady = () => null, pageDir = fileURLToPath(new URL('./api/page', import.meta.url)) } = parts;
  return {
    ...parts,
    notReady,
    pageDir,
    signal,
    look: parts.lookOn?.look,
    compare: parts.lookOn?.compare,
    async status() {
      const found = await statusOf(parts.store, parts.shared, parts.clock(), signal);
      return { ...found, concerns: [...concernsOf(found), ...(parts.room?.concerns() ?? [])] };
    },
    cursors: { encode: encodeCursor, decode: decodeCursor },
    pictures: openPictures(parts.http.pictures),
    statsOf: (question) => statsOf(parts.store, question, parts.clock()),
    store: { ...parts.store, catsAt: (at) => pastCats(parts.store, at, parts.segments) },
  };
}

async function listen(app: FastifyInstance, { host, port }: ServeParts['http']): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const fix: Readonly<Record<string, string>> = {
      EADDRINUSE: `port ${port} of ${host} is taken: stop the program that has it, or set another http.port`,
      EACCES: `port ${port} of ${host} is not allowed: set http.port to 1024 or above`,
      EADDRNOTAVAIL: `${host} is no address of this machine: set http.host to 127.0.0.1, or to 0.0.0.0 for all`,
      ENOTFOUND: `http.host ${host} is not known: set it to an address of this machine`,
    };
    if (fix[code] === undefined) throw error;
    throw Object.assign(new Error(fix[code], { cause: error }), { code });
  }
}

/** The port is the one that was bound: the configuration may say 0. */
function urlOf(app: FastifyInstance, host: string): string {
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}/`;
}

async function close(app: FastifyInstance): Promise<void> {
  const done = new AbortController();
  const cut = delay(STOP_MS, done.signal).then(() => app.server.closeAllConnections());
  await app.close();
  done.abort();
  await cut;
}
