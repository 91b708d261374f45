/**
 * Questions to the JSON gateway of etcd v3: of several addresses the one that answered last is asked first. Where user and password are
 * given, a token is asked for with them, and another one when that is not known any more: it ends by time, and with the process of etcd.
 */
import type { IncomingMessage } from 'node:http';
import { childOf, createGate } from '../lib/wait.ts';

// An import of node:http reads all that it exports, and for WebSocket Node.js loads undici: 30 ms of every start of an agent, and 1 MB.
const { request: requestHttp } = process.getBuiltinModule('node:http');
const { request: requestHttps } = process.getBuiltinModule('node:https');

/** An answer that is longer is none, where nothing else is said. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MAX_REASON = 200;

export interface EtcdOptions {
  readonly endpoints: readonly string[];
  /** One address has so long for one answer. */
  readonly timeoutMs: number;
  /** What a person corrects where nobody answers, and where the user is not let in. */
  readonly settings: { readonly address: string; readonly user: string };
  /** Absent: it asks nobody who he is. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM texts. Absent: the authorities of the system. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly maxAnswerBytes?: number;
}

export interface Session {
  /** The answer as JSON. Rejects with code ETCD_AWAY where no address answers, or with the signal's reason. */
  ask(path: string, body: object, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>>;
  /** An answer that goes on until the signal aborts: only its beginning must come in time. Rejects as `ask` does. */
  open(path: string, body: object, signal: AbortSignal): Promise<IncomingMessage>;
  /** What went wrong on the way, as the functions above tell it. */
  away(reason: unknown): Error;
}

/** It answers, and does not let this user do that. */
class Refused extends Error {
  readonly isUnknownToken: boolean;

  constructor(status: number, message: string) {
    super(message);
    this.isUnknownToken = status === 401 || /invalid auth token|auth store is old/.test(message);
  }
}

export function createSession(options: EtcdOptions): Session {
  const { endpoints, settings, timeoutMs, username, password = '', maxAnswerBytes = MAX_ANSWER_BYTES } = options;
  let first = 0;
  /** Null: not asked for. Empty: etcd asks nobody who he is. */
  let token: string | null = username === undefined ? '' : null;
  const entrance = createGate(1);
  const away = (reason: unknown) => awayFrom(endpoints, settings, reason);
  const read = async (response: IncomingMessage) => checked(await textOf(response, maxAnswerBytes));
  /** All that wait for a token get the same one. */
  const renew = (endpoint: string, used: string | null, signal: AbortSignal) =>
    entrance(async () => {
      if (token !== used || username === undefined) return;
      token = await authenticate(() =>
        post(`${endpoint}/v3/auth/authenticate`, { name: username, password }, '', options, signal).then(read),
      );
    });
  const send = async <T>(endpoint: string, signal: AbortSignal, work: (known: string) => Promise<T>): Promise<T> => {
    if (token === null) await renew(endpoint, null, signal);
    const used = token;
    try {
      return await work(used ?? '');
    } catch (error) {
      if (!(error instanceof Refused) || !error.isUnknownToken || username === undefined) throw error;
      await renew(endpoint, used, signal);
      return work(token ?? '');
    }
  };
  /** One address after the other, each once. */
  const each = async <T>(
    signal: AbortSignal,
    work: (endpoint: string, until: AbortSignal) => Promise<T>,
  ): Promise<T> => {
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
    throw away(reason);
  };
  return {
    away,
    ask: (path, body, signal) =>
      each(signal, (endpoint, until) =>
        send(endpoint, until, (known) => post(`${endpoint}/v3${path}`, body, known, options, until).then(read)),
      ),
    open: (path, body, signal) =>
      each(signal, (endpoint, until) =>
        send(endpoint, until, (known) =>
          inTime(until, signal, (lasting) => post(`${endpoint}/v3${path}`, body, known, options, lasting)),
        ),
      ),
  };
}

/** Empty where etcd asks nobody who he is. */
async function authenticate(ask: () => Promise<Readonly<Record<string, unknown>>>): Promise<string> {
  try {
    const { token } = await ask();
    return typeof token === 'string' ? token : '';
  } catch (error) {
    if (error instanceof Refused && error.message.includes('authentication is not enabled')) return '';
    throw error;
  }
}

/** Resolves when the answer begins. Not `fetch`: that takes no authority of one's own. Rejects with `Refused`. */
async function post(
  url: string,
  body: object,
  token: string,
  { ca, cert, key }: Pick<EtcdOptions, 'ca' | 'cert' | 'key'>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const request = url.startsWith('https:') ? requestHttps : requestHttp;
  const own = Object.fromEntries(Object.entries({ ca, cert, key }).filter(([, pem]) => pem !== undefined));
  const headers = { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: token }) };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const tls = { ...own, rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;
    const sent = request(url, { method: 'POST', headers, signal, ...tls }, resolve);
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
  const { statusCode = 0 } = response;
  if (statusCode === 200) return response;
  throw new Refused(statusCode, `${statusCode} ${reasonOf(await textOf(response, MAX_ANSWER_BYTES))}`);
}

/** An answer that is a stream tells its errors in it. */
function checked(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text.split('\n', 1)[0] ?? '');
  if (typeof value !== 'object' || value === null) throw new Error('it does not answer as etcd does');
  if ('error' in value) throw new Refused(0, reasonOf(text));
  return value as Readonly<Record<string, unknown>>;
}

/** What etcd says of an error, in its words. */
function reasonOf(text: string): string {
  const [, told] = /"(?:message|error)":\s*"((?:[^"\\]|\\.)*)"/.exec(text) ?? [];
  return (told ?? text).slice(0, MAX_REASON);
}

async function textOf(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`its answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
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

function awayFrom(endpoints: readonly string[], { address, user }: EtcdOptions['settings'], reason: unknown): Error {
  const where = `etcd at ${endpoints.join(', ')}`;
  const why = reason instanceof Error ? reason.message || String('code' in reason ? reason.code : '') : String(reason);
  const isRefused = reason instanceof Refused && /auth|permission|user name|password/i.test(why);
  const text = isRefused
    ? `${where} does not let us in (${why}): correct ${user}`
    : `${where} does not answer (${why}): start it, or correct ${address}`;
  return Object.assign(new Error(text, { cause: reason }), { code: 'ETCD_AWAY' });
}
