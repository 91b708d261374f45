/**
 * Brokers by etcd: each value below a prefix is the URL of one, best under a lease of its own that dies with it. Over the JSON gateway of
 * etcd v3, where keys and values are base64 and 64-bit numbers are text.
 */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Readable } from 'node:stream';
import { childOf } from '../lib/wait.ts';
import { etcdPrefix, MAX_BROKERS } from './address.ts';
import type { Candidate } from './endpoint.ts';

const ANSWER_MS = 5_000;
/** An answer, or one notice of a watch, that is larger is none about a handful of brokers. */
const MAX_ANSWER_BYTES = 256 * 1024;

/** PEM texts, as for the broker. */
export interface EtcdTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface EtcdFound {
  readonly candidates: readonly Candidate[];
  /** Where a watch goes on so that it misses nothing. */
  readonly revision: string;
}

/** In the order of their keys. Rejects where etcd does not answer. */
export async function findByEtcd(address: string, tls: EtcdTls, signal: AbortSignal): Promise<EtcdFound> {
  const { pathname } = new URL(address);
  const body = { ...rangeOf(etcdPrefix(pathname)), limit: String(MAX_BROKERS) };
  const answer = await inTime(signal, async (until) => parse(await post(address, '/v3/kv/range', body, tls, until)));
  const kvs = Array.isArray(answer.kvs) ? (answer.kvs as { readonly value?: unknown }[]) : [];
  const { revision } = (answer.header ?? {}) as { readonly revision?: unknown };
  if (typeof revision !== 'string') throw new Error(`${originOf(address)} does not answer as etcd does`);
  const texts = kvs.map(({ value }) =>
    Buffer.from(String(value ?? ''), 'base64')
      .toString('utf8')
      .trim(),
  );
  return { candidates: texts.map((url) => ({ url })), revision };
}

/** Resolves when something below the prefix has changed since then, or may have. Rejects where etcd does not answer. */
export async function watchEtcd(address: string, revision: string, tls: EtcdTls, signal: AbortSignal): Promise<void> {
  const { pathname } = new URL(address);
  const start_revision = String(BigInt(revision) + 1n);
  const body = { create_request: { ...rangeOf(etcdPrefix(pathname)), start_revision } };
  const stream = await post(address, '/v3/watch', body, tls, signal);
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.length > MAX_ANSWER_BYTES) return;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    // The first word says only that the watch stands. Events, or the end of the watch, are a reason to look again.
    if (lines.some((line) => /"(events|canceled)"/.test(line))) return;
  }
}

async function inTime<T>(signal: AbortSignal, work: (until: AbortSignal) => Promise<T>): Promise<T> {
  const child = childOf(signal);
  const timer = setTimeout(child.abort, ANSWER_MS);
  try {
    return await work(child.signal);
  } finally {
    clearTimeout(timer);
    child.release();
  }
}

/** From the prefix to the first key that no longer begins with it. */
function rangeOf(prefix: string): { readonly key: string; readonly range_end: string } {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return { key: Buffer.from(prefix).toString('base64'), range_end: end.toString('base64') };
}

function originOf(address: string): string {
  const { protocol, hostname, port } = new URL(address);
  return `${protocol === 'etcd:' ? 'https' : 'http'}://${hostname}:${port === '' ? '2379' : port}`;
}

/** Not `fetch`: that takes no authority of one's own. */
async function post(address: string, path: string, body: object, tls: EtcdTls, signal: AbortSignal): Promise<Readable> {
  const url = `${originOf(address)}${path}`;
  const request = url.startsWith('https:') ? requestHttps : requestHttp;
  const { ca, cert, key } = tls;
  const own = Object.fromEntries(Object.entries({ ca, cert, key }).filter(([, pem]) => pem !== undefined));
  const headers = { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers, signal, minVersion: 'TLSv1.2', ...own }, (response) => {
      if (response.statusCode === 200) return resolve(response);
      response.destroy();
      reject(new Error(`etcd at ${originOf(address)} answers ${response.statusCode}`));
    });
    sent.on('error', (cause: NodeJS.ErrnoException) => {
      reject(new Error(`etcd at ${originOf(address)} cannot be asked (${cause.code ?? cause.message})`, { cause }));
    });
    sent.end(JSON.stringify(body));
  });
}

async function parse(stream: Readable): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.length > MAX_ANSWER_BYTES) throw new Error('the answer of etcd is too large');
  }
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
