/**
 * How the agent is, for whoever asks on this machine: a socket beside the log, which only its owner may open. It works without a
 * broker, and where a broker lets no agent read what it says of itself. Nobody's questions are read: who connects gets the answer.
 */
import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { HealthMessage } from '../contract/message.ts';
import { aborted } from '../lib/wait.ts';
import type { AgentConfig } from './config.ts';
import { codeOf } from './log/log-error.ts';
import type { ForwardStatus } from './publisher/status.ts';
import type { AgentVitals, LoopState } from './vitals.ts';

export interface AgentReport {
  readonly agent: string;
  readonly link: ForwardStatus['link'];
  readonly loops: readonly LoopState[];
  readonly health: HealthMessage;
}

export interface ReportParts {
  readonly config: Pick<AgentConfig, 'agent' | 'log'>;
  readonly health: () => Promise<HealthMessage>;
  readonly vitals: Pick<AgentVitals, 'loops'>;
  readonly status: Pick<ForwardStatus, 'link'>;
  readonly logger: Pick<Logger, 'warn'>;
}

/** The kernel takes no longer name of a socket. */
export const MAX_SOCKET_PATH = 107;
const MAX_CONNECTIONS = 8;
const TAKE_MS = 5_000;

export function reportPath(logPath: string): string {
  return `${logPath}.sock`;
}

/** Resolves after the signal aborted. That nobody can ask is told, and no reason to end. */
export async function runReport(parts: ReportParts, signal: AbortSignal): Promise<void> {
  const path = reportPath(parts.config.log.path);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Whoever asked may leave.
    socket.on('error', () => socket.destroy());
    socket.setTimeout(TAKE_MS, () => socket.destroy());
    reportOf(parts).then(
      (report) => socket.end(`${JSON.stringify(report)}\n`),
      () => socket.destroy(),
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH) throw Object.assign(new Error(path), { code: 'ENAMETOOLONG' });
    // The log is ours alone, so what stands there is of an agent that has died.
    await rm(path, { force: true });
    server.listen(path);
    await once(server, 'listening');
    await chmod(path, 0o600);
  } catch (error) {
    parts.logger.warn({ path, code: codeOf(error) }, 'collard status cannot ask this agent: its socket cannot be made');
  }
  server.on('error', () => undefined);
  await aborted(signal);
  for (const socket of sockets) socket.destroy();
  // Takes its file away, too.
  if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
}

async function reportOf({ config, health, vitals, status }: ReportParts): Promise<AgentReport> {
  return { agent: config.agent, link: status.link, loops: vitals.loops(), health: await health() };
}
