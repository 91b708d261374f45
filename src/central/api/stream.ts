/**
 * Server-sent events (WHATWG HTML §9.2). Each client has its own cursor and pulls from the store when its socket has room,
 * so that a slow client costs no memory and a lost one nothing. `id:` is the arrival cursor; a client that comes back with it
 * gets what it missed. An event that is corrected comes again with its correction.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { correctionOf } from '../../contract/correction.ts';
import { runAll } from '../../lib/run-all.ts';
import { type Child, childOf, delay } from '../../lib/wait.ts';
import type { CentralEvent, Cursor } from '../store/store.ts';
import type { Access, Who } from './access.ts';
import { wireEventText } from './cloud-event.ts';
import type { ApiParts, CursorCodec } from './parts.ts';
import { failure, problems } from './problem.ts';
import { streamAnswer, streamQuery } from './schema.ts';
import { createSnapshots, SNAPSHOT_EVERY_MS, type Snapshots } from './snapshots.ts';

/** The most clients that follow at once; the next is refused with 503. */
export const MAX_STREAM_CLIENTS = 100;
export const HEARTBEAT_MS = 15_000;
/** A client that takes nothing for so long is let go. */
export const SLOW_CLIENT_MS = 30_000;
/** How many events are read and written at once. */
const EVENTS_A_READ = 100;
/** What a browser waits before it connects again. */
const RETRY_MS = 2_000;

export function streamRoutes(parts: ApiParts, access: Access): FastifyPluginAsyncZod {
  const snapshots = createSnapshots(parts);
  const clients = new Set<ServerResponse>();
  return async (app) => {
    app.get(
      '/stream',
      {
        // Its answer would have no body, and so never begin: the client would wait and keep its place.
        exposeHeadRoute: false,
        schema: {
          summary: 'Events and read models as server-sent events; resume by Last-Event-ID or `after`',
          querystring: streamQuery,
          response: { 200: streamAnswer, ...problems(429, 503) },
        },
      },
      async (request, reply) => {
        if (clients.size >= MAX_STREAM_CLIENTS) {
          reply.header('retry-after', '30');
          throw failure('TOO_MANY_STREAMS', `${MAX_STREAM_CLIENTS} clients follow already`);
        }
        const asked = request.headers['last-event-id'] ?? request.query.after ?? null;
        const headers = reply.getHeaders();
        reply.hijack();
        const response = reply.raw;
        clients.add(response);
        parts.metrics.streamClients(clients.size);
        const client = childOf(parts.signal);
        response.once('close', client.abort);
        try {
          response.writeHead(200, {
            ...(headers as Record<string, string>),
            'content-type': 'text/event-stream; charset=utf-8',
            'cache-control': 'no-store',
            'x-accel-buffering': 'no',
          });
          const from = typeof asked === 'string' ? asked : null;
          const loops = [
            (stop: AbortSignal) => follow(parts, snapshots, response, { from, who: request.who }, stop),
            (stop: AbortSignal) => watch(access, request.who, client, stop),
          ];
          await runAll(loops, client.signal);
        } catch (error) {
          // The end of central tells that the store is lost.
          if (!isStoreFailed(error)) request.log.error({ err: error }, 'stream failed');
        } finally {
          client.release();
          clients.delete(response);
          parts.metrics.streamClients(clients.size);
          response.end();
        }
      },
    );
  };
}

/** Ends the stream once who follows it has logged out, or its token is revoked. */
async function watch(
  access: Access,
  who: Who | null,
  client: Pick<Child, 'abort'>,
  signal: AbortSignal,
): Promise<void> {
  if (who !== null) await access.untilRefused(who, signal);
  client.abort();
}

/** Writes until the signal aborts. */
async function follow(
  parts: ApiParts,
  snapshots: Snapshots,
  out: ServerResponse,
  { from: asked, who }: { readonly from: string | null; readonly who: Who | null },
  signal: AbortSignal,
): Promise<void> {
  const { store, changes, cursors } = parts;
  const head = await store.arrivalHead();
  const resumed = asked === null ? null : resumable(cursors, asked, head);
  let cursor = resumed ?? head;
  // `reset`: the cursor is not ours, so the client must read the events again.
  const greeting = JSON.stringify({
    version: parts.version,
    simulated: parts.simulated,
    login: who?.via === 'session',
    now: parts.clock().toISOString(),
    resumed: resumed !== null,
  });
  const kind = asked !== null && resumed === null ? 'reset' : 'hello';
  await write(out, `retry: ${RETRY_MS}\n${frame(kind, greeting, cursors.encode(cursor))}`, signal);
  const sent = { cats: '', agents: '', models: '' };
  while (!signal.aborted) {
    const seen = changes.version;
    const page = await store.arrivals(cursor, EVENTS_A_READ);
    const at = new Map(cursor);
    for (const event of page.events) {
      at.set(event.shard, event.arrival);
      await write(out, frame('event', wireEventText(event), cursors.encode(at)), signal);
      // Once more, as they are now: no cursor, since they are no news.
      for (const one of await corrected(store, event)) await write(out, frame('event', wireEventText(one)), signal);
      if (signal.aborted) return;
    }
    cursor = page.next;
    const models = await snapshots.read();
    for (const name of ['cats', 'agents', 'models'] as const) {
      if (models[name] === sent[name]) continue;
      sent[name] = models[name];
      await write(out, frame(name, models[name]), signal);
    }
    if (page.events.length > 0) continue;
    await wait(parts, seen, models.outdated, out, signal);
  }
}

/** What an event corrects: an event, and where that is a correction, what it had corrected. */
async function corrected(store: ApiParts['store'], event: CentralEvent): Promise<readonly CentralEvent[]> {
  const found: CentralEvent[] = [];
  for (let one: CentralEvent | null = event; one !== null && found.length < 2; ) {
    const correction = correctionOf(one);
    one = correction === null ? null : await store.event(correction.epoch, correction.seq);
    if (one !== null) found.push(one);
  }
  return found;
}

/** Null where the text is no cursor, or is ahead of this store: then it comes from another one. */
function resumable(cursors: CursorCodec, asked: string, head: Cursor): Cursor | null {
  try {
    const cursor = cursors.decode(asked);
    return [...cursor].every(([shard, arrival]) => arrival <= (head.get(shard) ?? 0)) ? cursor : null;
  } catch {
    return null;
  }
}

/** Until something is announced, or the models may be read again; a comment goes out when nothing was for long, so that nobody takes us for dead. */
async function wait(
  { changes }: ApiParts,
  seen: number,
  outdated: boolean,
  out: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  await changes.after(seen, signal, outdated ? SNAPSHOT_EVERY_MS : HEARTBEAT_MS);
  const quiet = changes.version === seen && !outdated;
  if (quiet && !signal.aborted) await write(out, ': still here\n\n', signal);
}

function frame(event: string, json: string, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${json}\n\n`;
}

/** Resolves when the socket has room again. A client that takes nothing for SLOW_CLIENT_MS is cut. */
async function write(out: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted || out.write(text)) return;
  const drained = childOf(signal);
  out.once('drain', drained.abort);
  await delay(SLOW_CLIENT_MS, drained.signal);
  out.off('drain', drained.abort);
  drained.release();
  if (!drained.signal.aborted) out.destroy();
}

function isStoreFailed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STORE_FAILED';
}
