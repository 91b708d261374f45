/**
 * etcd by its JSON gateway (v3): keys, leases, transactions, watches. Long numbers come as texts and leave as numbers; keys and values are
 * texts here. Of several addresses the one that answered last is asked first.
 */
import { childOf } from '../lib/wait.ts';
import { decodeEntry, encodeText, type KeyValue, type WireEntry } from './entry.ts';
import { type Change, watchFrames } from './watch-frames.ts';

export type Compare =
  /** 0: it is not there. */
  { readonly key: string; readonly createRevision: number } | { readonly key: string; readonly modRevision: number };

export type Operation =
  | { readonly put: string; readonly value: string; readonly lease?: string }
  | { readonly delete: string };

export interface Etcd {
  /** All keys that begin so, as of one revision. */
  range(
    prefix: string,
    signal: AbortSignal,
  ): Promise<{ readonly entries: readonly KeyValue[]; readonly revision: number }>;
  /** All of it or nothing. `revision` is that of the change where it succeeded. */
  commit(
    when: readonly Compare[],
    then: readonly Operation[],
    signal: AbortSignal,
  ): Promise<{ readonly succeeded: boolean; readonly revision: number }>;
  grant(ttlSeconds: number, signal: AbortSignal): Promise<{ readonly lease: string; readonly ttlSeconds: number }>;
  /** Null: the lease is gone. */
  keepAlive(lease: string, signal: AbortSignal): Promise<{ readonly ttlSeconds: number } | null>;
  /** All keys under it go at once. */
  revoke(lease: string, signal: AbortSignal): Promise<void>;
  /** Changes from a revision on, those of one answer together. Ends when the connection does, or when these changes are not kept any more: then take a range again. */
  watch(prefix: string, fromRevision: number, signal: AbortSignal): AsyncIterable<readonly Change[]>;
}

export interface EtcdOptions {
  readonly endpoints: readonly string[];
  /** One address has so long for one answer. */
  readonly timeoutMs: number;
  readonly fetch?: typeof fetch;
}

interface Answer {
  readonly header?: { readonly revision?: string };
  readonly kvs?: readonly WireEntry[];
  readonly succeeded?: boolean;
  readonly ID?: string;
  readonly TTL?: string;
  readonly result?: { readonly TTL?: string };
  readonly error?: unknown;
}

/** Every function rejects with code ETCD_AWAY where no address answers, or with the signal's reason. */
export function createEtcd(options: EtcdOptions): Etcd {
  const ask = asker(options);
  const post = async (path: string, body: unknown, signal: AbortSignal): Promise<Answer> =>
    ask(signal, options.timeoutMs, async (endpoint, until) => {
      const response = await send(endpoint, path, body, until);
      return (await response.json()) as Answer;
    });
  const send = async (endpoint: string, path: string, body: unknown, signal: AbortSignal) => {
    const { fetch: call = fetch } = options;
    const response = await call(`${endpoint}/v3${path}`, { method: 'POST', body: JSON.stringify(body), signal });
    if (!response.ok) throw new Error(`${response.status} ${(await response.text()).slice(0, 200)}`);
    return response;
  };
  return {
    async range(prefix, signal) {
      const { kvs = [], header } = await post(
        '/kv/range',
        { key: encodeText(prefix), range_end: after(prefix) },
        signal,
      );
      return { entries: kvs.map(decodeEntry), revision: Number(header?.revision ?? 0) };
    },
    async commit(when, then, signal) {
      const body = { compare: when.map(comparison), success: then.map(operation) };
      const { succeeded = false, header } = await post('/kv/txn', body, signal);
      return { succeeded, revision: Number(header?.revision ?? 0) };
    },
    async grant(ttlSeconds, signal) {
      const { ID = '', TTL } = await post('/lease/grant', { TTL: String(ttlSeconds) }, signal);
      return { lease: ID, ttlSeconds: Number(TTL) };
    },
    async keepAlive(lease, signal) {
      const { result } = await post('/lease/keepalive', { ID: lease }, signal);
      const ttlSeconds = Number(result?.TTL ?? 0);
      return ttlSeconds > 0 ? { ttlSeconds } : null;
    },
    async revoke(lease, signal) {
      await post('/lease/revoke', { ID: lease }, signal);
    },
    async *watch(prefix, fromRevision, signal) {
      const connection = childOf(signal);
      try {
        const create_request = {
          key: encodeText(prefix),
          range_end: after(prefix),
          start_revision: String(fromRevision),
        };
        const response = await ask(connection.signal, options.timeoutMs, (endpoint, until) =>
          // The answer goes on for ever: only its beginning must come in time.
          inTime(until, connection.signal, (lasting) => send(endpoint, '/watch', { create_request }, lasting)),
        );
        yield* watchFrames(response.body);
      } catch (error) {
        if (!signal.aborted) throw isAway(error) ? error : away(options.endpoints, error);
      } finally {
        connection.abort();
        connection.release();
      }
    },
  };
}

type Ask = <T>(
  signal: AbortSignal,
  timeoutMs: number,
  work: (endpoint: string, until: AbortSignal) => Promise<T>,
) => Promise<T>;

/** Asks one address after the other, each once. */
function asker({ endpoints }: EtcdOptions): Ask {
  let first = 0;
  return async (signal, timeoutMs, work) => {
    let reason: unknown;
    for (let n = 0; n < endpoints.length; n += 1) {
      signal.throwIfAborted();
      const at = (first + n) % endpoints.length;
      const until = childOf(signal);
      const timer = setTimeout(until.abort, timeoutMs);
      try {
        const result = await work(endpoints[at] ?? '', until.signal);
        first = at;
        return result;
      } catch (error) {
        reason = until.signal.aborted ? new Error(`no answer for ${timeoutMs} ms`) : error;
      } finally {
        clearTimeout(timer);
        until.release();
      }
    }
    signal.throwIfAborted();
    throw away(endpoints, reason);
  };
}

async function inTime<T>(until: AbortSignal, lasting: AbortSignal, work: (signal: AbortSignal) => Promise<T>) {
  const own = childOf(lasting);
  until.addEventListener('abort', own.abort, { once: true });
  try {
    return await work(own.signal);
  } finally {
    until.removeEventListener('abort', own.abort);
  }
}

/** No address answers now. */
export function isAway(error: unknown): error is Error & { readonly code: 'ETCD_AWAY' } {
  return error instanceof Error && 'code' in error && error.code === 'ETCD_AWAY';
}

function away(endpoints: readonly string[], reason: unknown): Error {
  const why = reason instanceof Error ? (reason.cause instanceof Error ? reason.cause.message : reason.message) : '';
  const text = `etcd at ${endpoints.join(', ')} does not answer (${why}): start it, or correct workers.etcd`;
  return Object.assign(new Error(text, { cause: reason }), { code: 'ETCD_AWAY' });
}

function comparison(compare: Compare) {
  const key = encodeText(compare.key);
  return 'createRevision' in compare
    ? { key, target: 'CREATE', result: 'EQUAL', create_revision: String(compare.createRevision) }
    : { key, target: 'MOD', result: 'EQUAL', mod_revision: String(compare.modRevision) };
}

function operation(one: Operation) {
  if ('delete' in one) return { request_delete_range: { key: encodeText(one.delete) } };
  return { request_put: { key: encodeText(one.put), value: encodeText(one.value), lease: one.lease ?? '0' } };
}

/** The first key after all that begin so. Prefixes end with a character of ASCII. */
function after(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return encodeText(prefix.slice(0, -1) + String.fromCharCode(last + 1));
}
