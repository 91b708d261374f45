/**
 * Requests to the real server over a real store: never a 5xx, every refusal a problem in JSON, every answer bounded.
 * The first byte of an input chooses the method, the second the route; the first line is the query, the rest the body.
 */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { pino } from 'pino';
import { createChanges } from '../../../src/central/api/changes.ts';
import { createMetrics } from '../../../src/central/api/metrics.ts';
import { createServer } from '../../../src/central/api/server.ts';
import { openCatService } from '../../../src/central/cats/cat-service.ts';
import { openCatWatchDog } from '../../../src/central/cats/cat-watchdog.ts';
import { openStore } from '../../../src/central/open-store.ts';
import { openPictures } from '../../../src/central/pictures.ts';
import { retry } from '../../../src/central/retry.ts';
import { statsOf } from '../../../src/central/stats.ts';
import { statusOf } from '../../../src/central/status.ts';
import { decodeCursor, encodeCursor } from '../../../src/central/store/cursor.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { agentTopic, DEFAULT_BASE_TOPIC } from '../../../src/contract/topic.ts';
import { quarantine } from '../../central/store/said.ts';
import { bytes, type FuzzTarget, hold, openFolder } from '../target.ts';
import { EPOCH } from './message.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const;
const ROUTES = [
  '/api/v1/cats',
  '/api/v1/cats/1',
  '/api/v1/cats/1/location',
  '/api/v1/cats/1/activity',
  '/api/v1/cats/1/history',
  '/api/v1/state',
  '/api/v1/events',
  '/api/v1/stats',
  '/api/v1/events/revoke',
  '/api/v1/agents',
  '/api/v1/agents/1/gaps',
  '/api/v1/central',
  '/api/v1/quarantine',
  '/api/v1/quarantine/1',
  '/api/v1/quarantine/1/retry',
  '/api/v1/conflicts',
  '/api/v1/cats/',
  '/',
];
const MAX_ANSWER_BYTES = 4_000_000;
/** A store of its own for so many requests: cats are added all the time, and no household has a thousand. */
const REQUESTS_A_STORE = 300;

interface House {
  readonly app: FastifyInstance;
  readonly store: Store;
  readonly abort: AbortController;
}

export async function open(): Promise<FuzzTarget> {
  const folder = openFolder();
  let houses = 0;
  let asked = 0;
  const first = join(folder, 'first.db');
  const furnish = async () => {
    const store = await openStore({ url: `sqlite:${first}` });
    await openCatService(store, () => new Date()).addCat('Mia', 'C1');
    const topic = agentTopic(DEFAULT_BASE_TOPIC, 'porch', 'events');
    for (const payload of [bytes('[]'), bytes('{}')]) {
      await quarantine(
        store,
        { agent: 'porch', topic, payload, kind: 'unreadable', reason: 'no batch' },
        new Date().toISOString(),
      );
    }
    while ((await store.project(500)).events > 0);
    await store.close();
  };
  const build = async (): Promise<House> => {
    houses += 1;
    const file = join(folder, `central-${houses}.db`);
    copyFileSync(first, file);
    const store = await openStore({ url: `sqlite:${file}` });
    const abort = new AbortController();
    const app = await createServer(partsOf(store, abort.signal, folder), pino({ level: 'silent' }));
    return { app, store, abort };
  };
  const leave = async ({ app, store, abort }: House) => {
    abort.abort();
    await app.close();
    await store.close();
    for (const end of ['', '-wal', '-shm']) rmSync(join(folder, `central-${houses}.db${end}`), { force: true });
  };
  await furnish();
  let house = await build();
  const input = (method: number, route: number, query: string, body = '') =>
    Buffer.concat([Uint8Array.of(method, route), bytes(`${query}\n${body}`)]);
  return {
    seeds: [
      input(0, 0, ''),
      input(1, 0, '', '{"name":"Tom","collar":"C2"}'),
      input(3, 1, '', '{"name":"Maja","collar":"C1"}'),
      input(2, 2, '', '{"location":"hall"}'),
      input(0, 3, ''),
      input(0, 4, 'limit=5'),
      input(0, 5, 'at=2026-11-20T08:00Z'),
      input(
        0,
        6,
        `after=${encodeCursor(new Map([[1, 1]]))}&limit=10&type=meow.ended,cat.moved&cat=1&from=2026-11-20T08:00%2B01:00`,
      ),
      input(0, 6, 'order=desc&before=p1&collar=C1&agent=porch&to=2027-01-01T00:00:00.123456789Z'),
      input(1, 7, '', `{"epoch":"${EPOCH}","seq":1,"reason":"a dog"}`),
      input(0, 8, ''),
      input(0, 9, 'kind=refused&after=0&limit=3&agent=porch'),
      input(0, 10, ''),
      input(1, 11, ''),
      input(4, 10, ''),
      input(0, 12, 'after=1'),
      input(5, 13, '9007199254740993/history?limit=1'),
    ],
    words: [
      'limit=',
      'after=',
      'before=',
      'order=desc',
      'type=',
      'cat=',
      'from=',
      'to=',
      'at=',
      '&',
      '%00',
      '%2F',
      '%ff',
      '%F0%9F%90%88',
      '"name":',
      '"location":',
      '"collar":',
      '"reason":',
      '"epoch":',
      '"seq":',
      EPOCH,
    ],
    maxBytes: 600,
    async run(bytesIn) {
      asked += 1;
      if (asked % REQUESTS_A_STORE === 0) {
        await leave(house);
        house = await build();
      }
      await ask(house.app, bytesIn, asked);
    },
    async close() {
      await leave(house);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ask(app: FastifyInstance, input: Uint8Array, count: number): Promise<void> {
  const text = Buffer.from(input.subarray(2)).toString('latin1');
  const at = text.indexOf('\n');
  const [query, body] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
  const method = METHODS[(input[0] ?? 0) % METHODS.length] ?? 'GET';
  const route = ROUTES[(input[1] ?? 0) % ROUTES.length] ?? '/';
  // A path goes on, others ask. What cannot stand in a request line is percent-encoded, as any client does.
  const path = `${route}${route.endsWith('/') ? '' : '?'}${query.replace(/[^!-~]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}`;
  // The stream never ends; and what two slashes begin is a host for those who ask here without a socket.
  if (path.includes('stream') || /^\/[\\/]/.test(path)) return;
  const options: InjectOptions = {
    method,
    url: path,
    // The limit of requests is each address's own.
    remoteAddress: `10.${(count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`,
    ...(body === '' ? {} : { payload: Buffer.from(body, 'latin1'), headers: { 'content-type': 'application/json' } }),
  };
  const { statusCode, headers, payload } = await app.inject(options);
  const what = () => `${method} ${path} ${body} → ${statusCode} ${payload.slice(0, 200)}`;
  hold(statusCode >= 200 && statusCode < 500, what);
  hold(payload.length < MAX_ANSWER_BYTES, () => `${payload.length} bytes for ${what()}`);
  hold(headers['x-content-type-options'] === 'nosniff', what);
  if (statusCode < 400 || method === 'HEAD') return;
  hold(String(headers['content-type']).startsWith('application/problem+json'), what);
  const problem = JSON.parse(payload) as { status: number; title: string; detail: string };
  hold(problem.status === statusCode && problem.title !== '' && typeof problem.detail === 'string', what);
  hold(payload.length < 20_000, what);
}

function partsOf(store: Store, signal: AbortSignal, pageDir: string): Parameters<typeof createServer>[0] {
  const clock = () => new Date();
  const changes = createChanges();
  return {
    store,
    http: { host: '127.0.0.1' },
    retry: (no) =>
      retry({ store, base: DEFAULT_BASE_TOPIC, clock, ingested: () => undefined, changed: changes.announce }, no),
    cats: openCatService(store, clock),
    watchdog: openCatWatchDog({ store, rules: [{ rule: 'still', hours: 12 }], clock, onAlert: () => undefined }),
    changes,
    metrics: createMetrics('0.0.0-fuzz'),
    pictures: openPictures(undefined),
    cursors: { encode: encodeCursor, decode: decodeCursor },
    status: async () => ({ ...(await statusOf(store, { group: 'central' }, clock(), signal)), concerns: [] }),
    statsOf: (question) => statsOf(store, question, new Date(0)),
    clock,
    version: '0.0.0-fuzz',
    simulated: true,
    notReady: () => null,
    pageDir,
    signal,
  };
}
