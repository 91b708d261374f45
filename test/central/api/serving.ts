/** A central for tests: the real store on SQLite, the real server on a free port, and an agent that sends what a test says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type HttpRules, newToken } from '../../../src/central/api/access.ts';
import { type Changes, createChanges } from '../../../src/central/api/changes.ts';
import { createMetrics } from '../../../src/central/api/metrics.ts';
import { hashPassword } from '../../../src/central/api/password.ts';
import { openCatService } from '../../../src/central/cats/cat-service.ts';
import { openCatWatchDog } from '../../../src/central/cats/cat-watchdog.ts';
import { type CentralConfig, centralSchema } from '../../../src/central/config.ts';
import type { LookOn } from '../../../src/central/look-on.ts';
import { openStore } from '../../../src/central/open-store.ts';
import { retry } from '../../../src/central/retry.ts';
import { runServe } from '../../../src/central/serve.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { chainOver, chainStart } from '../../../src/contract/chain.ts';
import type { Compared, CompareQuestion } from '../../../src/contract/compare.ts';
import { type EventData, type EventType, newEvent, type StoredEvent } from '../../../src/contract/event.ts';
import type { LiveTrace } from '../../../src/contract/live.ts';
import { DEFAULT_BASE_TOPIC } from '../../../src/contract/topic.ts';
import { aborted } from '../../../src/lib/wait.ts';
import { ONE_MORE } from '../../contract/compared.ts';

export const EPOCH = '01a20867-068a-70da-b9ee-759f41bde6a8';

export interface Serving {
  readonly url: string;
  readonly store: Store;
  /** The file of the store. */
  readonly path: string;
  readonly changes: Changes;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Stops the server and starts it again on the same port; the store stays. */
  restart(downMs?: number): Promise<void>;
  /** The server alone. Resolves to the milliseconds that it took. */
  stopServer(): Promise<number>;
  /** The server was stopped, and nobody has started it again. */
  readonly isAway: boolean;
  stop(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly headers: Headers;
  readonly text: string;
  // A test reads what it expects; a wrong guess fails it.
  readonly body: ReturnType<typeof JSON.parse>;
}

export interface ServingOptions {
  readonly simulated?: boolean;
  readonly pageDir?: string;
  /** The folder of pictures. */
  readonly pictures?: string;
  readonly host?: string;
  /** Who may use it; on this machine all, where this says nothing. */
  readonly http?: Partial<HttpRules>;
  readonly clock?: () => Date;
  readonly rules?: CentralConfig['rules'];
  readonly notReady?: () => string | null;
  readonly fold?: CentralConfig['fold'];
  /** What the only collar that can be looked at does now. */
  readonly look?: () => LiveTrace;
  /** What other settings would make of it. */
  readonly compare?: (question: CompareQuestion, signal: AbortSignal) => Promise<Compared>;
  /** What is wrong with the disk of its store. */
  readonly room?: () => readonly string[];
  readonly onAlert?: (change: 'raised' | 'cleared') => void;
}

export async function startServing(options: ServingOptions = {}): Promise<Serving> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-serve-'));
  const clock = options.clock ?? (() => new Date());
  const path = join(folder, 'central.db');
  const store = await openStore({ url: `sqlite:${path}`, now: clock, fold: options.fold ?? 'quarantine' });
  const changes = createChanges();
  const rules = centralSchema.shape.rules.parse(undefined);
  let server = await startServer(options, store, changes, clock, options.rules ?? rules, 0);
  const { url } = server;
  let isAway = false;
  const stopServer = async () => {
    isAway = true;
    const from = performance.now();
    await server.stop();
    return performance.now() - from;
  };
  return {
    url,
    store,
    path,
    changes,
    async call(method, path, body) {
      const json =
        body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      const response = await fetch(new URL(path, url), { method, ...json });
      const text = await response.text();
      const type = response.headers.get('content-type') ?? '';
      const parsed: unknown = type.includes('json') ? JSON.parse(text) : null;
      return { status: response.status, type, headers: response.headers, text, body: parsed };
    },
    async restart() {
      await server.stop();
      const port = Number(new URL(url).port);
      server = await startServer(options, store, changes, clock, options.rules ?? rules, port);
      isAway = false;
    },
    get isAway() {
      return isAway;
    },
    stopServer,
    async stop() {
      await server.stop();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startServer(
  options: ServingOptions,
  store: Store,
  changes: Changes,
  clock: () => Date,
  rules: CentralConfig['rules'],
  port: number,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const abort = new AbortController();
  let listening: (url: string) => void = () => undefined;
  const url = new Promise<string>((resolve) => {
    listening = resolve;
  });
  const ended = runServe(
    {
      store,
      retry: (no) =>
        retry({ store, base: DEFAULT_BASE_TOPIC, clock, ingested: () => undefined, changed: changes.announce }, no),
      changes,
      clock,
      cats: openCatService(store, clock),
      watchdog: openCatWatchDog({ store, rules, clock, onAlert: options.onAlert ?? (() => undefined) }),
      metrics: createMetrics('0.0.0-test'),
      shared: { group: 'central' },
      lookOn: scriptedLook(options.look ?? (() => STILL), options.compare ?? (async () => ONE_MORE)),
      http: { host: options.host ?? '127.0.0.1', port, pictures: options.pictures, ...options.http },
      logger: pino({ level: 'silent' }),
      version: '0.0.0-test',
      simulated: options.simulated ?? false,
      onListening: listening,
      ...(options.room === undefined ? {} : { room: { concerns: options.room } }),
      ...(options.notReady === undefined ? {} : { notReady: options.notReady }),
      ...(options.pageDir === undefined ? {} : { pageDir: options.pageDir }),
    },
    abort.signal,
  );
  const first = await Promise.race([url, ended.then(() => 'ended')]);
  return {
    url: first,
    async stop() {
      abort.abort();
      await ended;
    },
  };
}

/** C0FFEE01 at porch. */
const STILL: LiveTrace = {
  collar: 'C0FFEE01',
  nowMs: 60_000,
  measure: 'acceleration',
  borders: { onOdds: 2, offOdds: 0, level: 0.25 },
  columns: [
    { no: 238, level: 0.01, odds: -4, shaking: false },
    { no: 239, level: 1.4, odds: 3.2, shaking: true },
  ],
  bursts: [{ startMs: 59_500, endMs: null }],
  rateHz: 50,
  restG: 1.01,
  warnings: [],
};

function scriptedLook(look: () => LiveTrace, compare: NonNullable<ServingOptions['compare']>): LookOn {
  return {
    async compare(agent, question, signal) {
      if (agent === 'porch' && question.collar === 'C0FFEE01') return compare(question, signal);
      throw Object.assign(new Error(`${agent}: nothing is kept here`), { code: 'LOOK_REFUSED' });
    },
    async look(agent, collar) {
      if (agent === 'porch' && collar === 'C0FFEE01') return look();
      throw Object.assign(new Error(`${agent} does not hear ${collar}`), { code: 'LOOK_REFUSED' });
    },
    run: aborted,
  };
}

export interface Sender {
  /** Stores one event as the receive loop would, folds it and announces it. Resolves to the event. */
  send<T extends EventType>(type: T, subject: string | null, data: EventData[T], time?: Date): Promise<StoredEvent>;
  sendAll(events: readonly (readonly [EventType, string | null, unknown, Date])[]): Promise<void>;
}

/** An agent whose events go into the store without a broker. */
export function createSender(
  { store, changes }: Pick<Serving, 'store' | 'changes'>,
  agent = 'porch',
  epoch = EPOCH,
): Sender {
  let seq = 0;
  let chain = chainStart(agent, epoch);
  const sendAll: Sender['sendAll'] = async (wanted) => {
    const events = wanted.map(([type, subject, data, time]): StoredEvent => {
      seq += 1;
      const when = { time: time.toISOString(), clock: 'synced', boot: null, monoMs: null } as const;
      return { epoch, seq, ...newEvent(type, subject, data as never, when) };
    });
    chain = chainOver(chain, events);
    await store.ingest({ agent, events, chain }, new Date().toISOString());
    while ((await store.project(500)).events > 0);
    changes.announce();
  };
  return {
    sendAll,
    async send(type, subject, data, time = new Date()) {
      await sendAll([[type, subject, data, time]]);
      const when = { time: time.toISOString(), clock: 'synced', boot: null, monoMs: null } as const;
      return { epoch, seq, ...newEvent(type, subject, data, when) };
    },
  };
}

/** Cheap to make and to check: what it costs elsewhere is no matter of these tests. */
export const CHEAP = { ln: 4, r: 8, p: 1 };
export const PASSWORD = 'correct horse';

/** Central has a password from now on. Resolves to the cookie of somebody who has logged in, as a header. */
export async function logInTo({ store, url }: Pick<Serving, 'store' | 'url'>, headers: Record<string, string> = {}) {
  if ((await store.passwordHash()) === null) await store.setPassword(await hashPassword(PASSWORD, CHEAP));
  const response = await postForm(url, 'login', { password: PASSWORD }, headers);
  return (response.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
}

export function postForm(
  url: string,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(new URL(path, url), { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual', headers });
}

/** Resolves to the header that a program sends. */
export async function tokenFor(
  { store }: Pick<Serving, 'store'>,
  scope: 'read' | 'command',
  name: string = scope,
): Promise<{ readonly authorization: string }> {
  const { token, hash } = newToken();
  await store.addToken({ name, scope, hash }, new Date().toISOString());
  return { authorization: `Bearer ${token}` };
}
