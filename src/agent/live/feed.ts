/**
 * What the detectors are given, told live to who asks on a socket beside the log: `collard tune` looks on without a second opening of
 * the port. Only the agent's own user may connect. Nobody who looks on holds anything up: what a slow one does not take is left out.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { aborted } from '../../lib/wait.ts';
import type { Reading } from '../decoder/reading.ts';
import type { WatchInput } from '../detector/watch.ts';

export interface LiveFeed {
  /** An input that the detectors have just been given. */
  note(input: WatchInput): void;
  /** Resolves after the signal aborted. Never rejects: without a socket nobody looks on, and that is told. */
  run(signal: AbortSignal): Promise<void>;
}

/** The first line that the feed sends; then a reading of that collar on each line, or how many were left out. */
export interface LiveHead {
  readonly live: 1;
  readonly agent: string;
  readonly collar: string;
}
export type LiveLine = Reading | { readonly leftOut: number };

/** Who looks on at once. */
export const MAX_WATCHERS = 4;
/** What a watcher has not taken yet: of one collar at 50 Hz half a minute. */
export const MAX_UNSENT_BYTES = 256 * 1024;
const MAX_REQUEST_BYTES = 1024;
/** The kernel takes no longer path of a socket. */
const MAX_PATH_BYTES = 107;

interface Watcher {
  readonly socket: Socket;
  readonly collar: string;
  leftOut: number;
}

export function liveSocketPath(logPath: string): string {
  return `${logPath}.live`;
}

export function openLiveFeed(
  logPath: string,
  agent: string,
  logger: { warn(fields: object, message: string): void },
): LiveFeed {
  const path = liveSocketPath(logPath);
  const watchers = new Set<Watcher>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (sockets.size >= MAX_WATCHERS) return void socket.destroy();
    sockets.add(socket);
    greet(socket, agent, watchers);
    socket.once('close', () => sockets.delete(socket));
  });
  return {
    note(input) {
      if (watchers.size === 0 || input.type !== 'reading') return;
      for (const watcher of watchers) if (watcher.collar === input.reading.collar) tellReading(watcher, input.reading);
    },
    async run(signal) {
      const reason = await listen(server, path);
      if (reason !== null) logger.warn({ path, reason }, 'collard tune cannot look on');
      server.on('error', (error) => logger.warn({ path, reason: error.message }, 'collard tune cannot look on'));
      await aborted(signal);
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Why it does not listen; else null. The log is ours alone, and so is what lies beside it: a socket there is of a run before. */
async function listen(server: Server, path: string): Promise<string | null> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `the path is longer than ${MAX_PATH_BYTES} bytes`;
  try {
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
  } catch (error) {
    server.close();
    return error instanceof Error ? error.message : String(error);
  }
  return null;
}

/** One line, which names the collar, makes a watcher. */
function greet(socket: Socket, agent: string, watchers: Set<Watcher>): void {
  let asked = '';
  // Who goes away in the middle is nobody's concern.
  socket.on('error', () => undefined);
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    asked += text;
    const end = asked.indexOf('\n');
    if (end < 0 && asked.length <= MAX_REQUEST_BYTES) return;
    socket.removeAllListeners('data').resume();
    const collar = collarIn(asked.slice(0, Math.max(0, end)));
    if (collar === null) return void socket.destroy();
    const head: LiveHead = { live: 1, agent, collar };
    socket.write(`${JSON.stringify(head)}\n`);
    const watcher = { socket, collar, leftOut: 0 };
    watchers.add(watcher);
    socket.once('close', () => watchers.delete(watcher));
  });
}

function collarIn(line: string): string | null {
  try {
    const asked: unknown = JSON.parse(line);
    return typeof asked === 'object' && asked !== null && 'collar' in asked && typeof asked.collar === 'string'
      ? asked.collar
      : null;
  } catch {
    // Somebody else's words: the connection ends.
    return null;
  }
}

function tellReading(watcher: Watcher, reading: Reading): void {
  const { socket } = watcher;
  if (socket.writableLength > MAX_UNSENT_BYTES) {
    watcher.leftOut += 1;
    return;
  }
  if (watcher.leftOut > 0) socket.write(`${JSON.stringify({ leftOut: watcher.leftOut })}\n`);
  watcher.leftOut = 0;
  socket.write(`${JSON.stringify(reading)}\n`);
}
