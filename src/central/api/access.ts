/**
 * Who may use page and API. Open: everybody who reaches the port, as long as it is one of this machine and no password is set.
 * Closed: who logged in (a cookie), and programs with a token. What decides is in the store, so that it holds for all processes.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { AccessStore, Scope } from '../store/access-store.ts';
import { type Changes, createChanges } from './changes.ts';
import { failure } from './problem.ts';

/** A browser that does nothing for so long is logged out; and after so long, whatever it does. */
export const SESSION_IDLE_MS = 7 * 86_400_000;
export const SESSION_MS = 30 * 86_400_000;
/** So late may a change of the password by another process be noticed. */
export const PASSWORD_AGE_MS = 5_000;
/** So often it is looked whether who follows the stream still may. */
export const RECHECK_MS = 10_000;
/** What is noted of a use is as exact as this. */
const SEEN_EVERY_MS = 60_000;
const SECRET_BYTES = 32;
/** So that who finds one knows what it is. */
const TOKEN_PREFIX = 'collard_';
const TOKEN = /^Bearer +([\w.~+/-]{1,512}=*)$/i;

/** What of the configuration decides. */
export interface HttpRules {
  readonly host: string;
  /** `auto`: needed beyond this machine, and once a password is set. `off`: a proxy asks for one of its own. */
  readonly login?: 'auto' | 'required' | 'off';
  /** Names that central is called by where it is open, beside localhost and addresses. */
  readonly names?: readonly string[];
  /** Proxies that are believed about who asks, and whether by TLS. */
  readonly trustProxy?: readonly string[];
}

/** Who asks. `by` is what its commands are signed with in their events: `page`, or the name of a token. */
export type Who =
  | { readonly via: 'open'; readonly scope: 'command'; readonly by: null }
  | { readonly via: 'session'; readonly scope: 'command'; readonly by: 'page'; readonly id: string }
  | { readonly via: 'token'; readonly scope: Scope; readonly by: string; readonly id: string };

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the handler of every route that is not for everybody. */
    who: Who | null;
  }
  interface FastifyContextConfig {
    /** For everybody, whoever asks. */
    readonly everybody?: true;
  }
}

export interface Access {
  isClosed(): Promise<boolean>;
  /** Null: nobody that is known. Throws with code INVALID_TOKEN, or WRONG_NAME where central is open and called by a strange name. */
  identify(request: FastifyRequest): Promise<Who | null>;
  /** Resolves when who was let in is no longer, within RECHECK_MS, or when the signal aborts. */
  untilRefused(who: Who, signal: AbortSignal): Promise<void>;
  /** The value of the new cookie; null where the password is another one by now. */
  logIn(passwordHash: string): Promise<string | null>;
  logOut(cookie: string): Promise<void>;
}

type Store = Pick<
  AccessStore,
  'passwordHash' | 'openSession' | 'session' | 'seeSession' | 'endSession' | 'tokenOf' | 'seeToken'
>;

export function createAccess(store: Store, rules: HttpRules, clock: () => Date): Access {
  const ended = createChanges();
  const hasPassword = remembered(async () => (await store.passwordHash()) !== null, clock);
  const isClosed = async () => isAlwaysClosed(rules) || (rules.login !== 'off' && (await hasPassword()));
  const sessionOf = async (id: string): Promise<Who | null> => {
    const row = await store.session(id);
    const now = clock().getTime();
    if (row === null || now - row.seenMs >= SESSION_IDLE_MS || now - row.openedMs >= SESSION_MS) return null;
    if (now - row.seenMs >= SEEN_EVERY_MS) await store.seeSession(id, now);
    return { via: 'session', scope: 'command', by: 'page', id };
  };
  const tokenOf = async (id: string): Promise<Who | null> => {
    const row = await store.tokenOf(id);
    if (row === null) return null;
    const now = clock();
    if (now.getTime() - Date.parse(row.lastUsed ?? '1970') >= SEEN_EVERY_MS)
      await store.seeToken(id, now.toISOString());
    return { via: 'token', scope: row.scope, by: row.name, id };
  };
  const holds = async (who: Who): Promise<boolean> => {
    if (who.via === 'open') return !(await isClosed());
    return (await (who.via === 'token' ? tokenOf(who.id) : sessionOf(who.id))) !== null;
  };
  return {
    isClosed,
    async identify(request) {
      const token = TOKEN.exec(request.headers.authorization ?? '')?.[1];
      if (token !== undefined) {
        const who = await tokenOf(digest(token));
        if (who === null) throw failure('INVALID_TOKEN', 'this token is unknown or revoked');
        return who;
      }
      const cookie = cookieOf(request);
      const who = cookie === null ? null : await sessionOf(digest(cookie));
      if (who !== null) return who;
      if (await isClosed()) return null;
      refuseStrangeName(request, rules.names ?? []);
      return { via: 'open', scope: 'command', by: null };
    },
    untilRefused: (who, signal) => watch(() => holds(who), ended, signal),
    async logIn(passwordHash) {
      const cookie = randomBytes(SECRET_BYTES).toString('base64url');
      return (await store.openSession(digest(cookie), passwordHash, clock().getTime())) ? cookie : null;
    },
    async logOut(cookie) {
      await store.endSession(digest(cookie));
      ended.announce();
    },
  };
}

/** Even before a password is set: then nobody can log in. */
export function isAlwaysClosed({ login = 'auto', host }: HttpRules): boolean {
  return login === 'required' || (login === 'auto' && !isLoopback(host));
}

/** A new token: shown once, while the store gets its hash. */
export function newToken(): { readonly token: string; readonly hash: string } {
  const token = TOKEN_PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
  return { token, hash: digest(token) };
}

/** `__Host-` binds it to this host and to TLS, but a browser takes it by TLS only. */
export function cookieName(request: Pick<FastifyRequest, 'protocol'>): string {
  return request.protocol === 'https' ? '__Host-collard' : 'collard';
}

export function cookieOf(request: Pick<FastifyRequest, 'protocol' | 'headers'>): string | null {
  const name = cookieName(request);
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key = '', value = ''] = part.trim().split('=', 2);
    if (key === name && value !== '') return value;
  }
  return null;
}

export function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host);
}

/** A name that somebody else rules may point here (DNS rebinding), and then its page reads what is open. An address cannot. */
function refuseStrangeName({ host }: FastifyRequest, names: readonly string[]): void {
  const name = host.replace(/:\d*$/, '').toLowerCase();
  if (/^(localhost|\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])$/.test(name) || name.endsWith('.localhost')) return;
  if (names.some((one) => one.toLowerCase() === name)) return;
  throw failure(
    'WRONG_NAME',
    'central is not called so: name it in http.names, or set a password (collard central passwd)',
  );
}

async function watch(holds: () => Promise<boolean>, ended: Changes, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const seen = ended.version;
    if (!(await holds())) return;
    await ended.after(seen, signal, RECHECK_MS);
  }
}

/** Asked again when it is PASSWORD_AGE_MS old; while the store does not answer, what it said last is held to. */
function remembered(ask: () => Promise<boolean>, clock: () => Date): () => Promise<boolean> {
  let known: { readonly value: boolean; readonly atMs: number } | null = null;
  return async () => {
    const now = clock().getTime();
    if (known !== null && Math.abs(now - known.atMs) < PASSWORD_AGE_MS) return known.value;
    try {
      known = { value: await ask(), atMs: now };
    } catch (error) {
      if (known === null) throw error;
      known = { ...known, atMs: now };
    }
    return known.value;
  };
}

function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
