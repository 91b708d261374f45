/**
 * etcd by its JSON gateway (v3): keys, leases, transactions, watches. Long numbers come as texts and leave as numbers; keys and values are
 * texts here.
 */
import { childOf } from '../lib/wait.ts';
import { decodeEntry, encodeText, type KeyValue, type WireEntry } from './entry.ts';
import { createSession, type EtcdOptions } from './session.ts';
import { type Change, watchFrames } from './watch-frames.ts';

export type Compare =
  /** 0: it is not there. */
  { readonly key: string; readonly createRevision: number } | { readonly key: string; readonly modRevision: number };

export type Operation =
  | { readonly put: string; readonly value: string; readonly lease?: string }
  | { readonly delete: string };

export interface Etcd {
  /** All keys that begin so, as of one revision; or the first ones, as many as `limit`. */
  range(
    prefix: string,
    signal: AbortSignal,
    limit?: number,
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

interface Answer {
  readonly header?: { readonly revision?: string };
  readonly kvs?: readonly WireEntry[];
  readonly succeeded?: boolean;
  readonly ID?: string;
  readonly TTL?: string;
  readonly result?: { readonly TTL?: string };
}

/** Every function rejects with code ETCD_AWAY where no address answers, or with the signal's reason. */
export function createEtcd(options: EtcdOptions): Etcd {
  const session = createSession(options);
  const post = async (path: string, body: object, signal: AbortSignal) =>
    (await session.ask(path, body, signal)) as Answer;
  return {
    async range(prefix, signal, limit = 0) {
      const body = { key: encodeText(prefix), range_end: after(prefix), limit: String(limit) };
      const { kvs = [], header } = await post('/kv/range', body, signal);
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
        yield* watchFrames(await session.open('/watch', { create_request }, connection.signal));
      } catch (error) {
        if (!signal.aborted) throw isAway(error) ? error : session.away(error);
      } finally {
        connection.abort();
        connection.release();
      }
    },
  };
}

/** No address answers now. */
export function isAway(error: unknown): error is Error & { readonly code: 'ETCD_AWAY' } {
  return error instanceof Error && 'code' in error && error.code === 'ETCD_AWAY';
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
