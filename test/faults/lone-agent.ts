/** An agent without a broker, on a port that the test plugs in and out, and a look into its log while it works. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type OpenLogReader, openLogReader } from '../../src/agent/log/open-log-reader.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { openPty, type Pty } from '../../src/simulator/pty.ts';
import { agentBin } from './house.ts';
import { createSupervised, type Supervised } from './supervised.ts';

export interface LoneAgent {
  readonly agent: Supervised;
  readonly logPath: string;
  /** The link that the agent opens; it points to what is plugged in. */
  readonly link: string;
  /** Events after the ones that were given before. The log must be there. */
  fresh(): Promise<readonly StoredEvent[]>;
  /** Resolves with how long it took until one of the events that come now fits; null after `timeoutMs`. */
  sees(fits: (event: StoredEvent) => boolean, timeoutMs: number, meanwhile?: () => unknown): Promise<number | null>;
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 20;

export function startLoneAgent(folder: string, silentAfterMs: number): LoneAgent {
  mkdirSync(join(folder, 'by-id'), { recursive: true });
  const link = join(folder, 'by-id', 'usb-receiver');
  const logPath = join(folder, 'events.db');
  const config = join(folder, 'agent.yaml');
  writeFileSync(
    config,
    `agent: porch
simulated: true
sources: [{ serial: ${link}, format: json, silentAfterMs: ${silentAfterMs} }]
log: { path: ${logPath} }
mqtt: { url: "mqtt://127.0.0.1:9" }
`,
  );
  const command = [process.execPath, agentBin, 'agent', '--config', config];
  const agent = createSupervised({ name: 'agent', log: join(folder, 'agent.log'), command });
  let reader: OpenLogReader | null = null;
  let last = 0;
  const fresh = async () => {
    try {
      reader ??= openLogReader(logPath);
    } catch {
      // The agent has not made it yet.
      return [];
    }
    const epoch = reader.epochs().at(-1);
    if (epoch === undefined) return [];
    const events = await reader.read(epoch.epoch, last + 1, epoch.lastSeq, 10_000, 1e9);
    last = events.at(-1)?.seq ?? last;
    return events;
  };
  agent.start();
  return {
    agent,
    logPath,
    link,
    fresh,
    async sees(fits, timeoutMs, meanwhile = () => undefined) {
      const began = performance.now();
      while (performance.now() - began < timeoutMs) {
        await meanwhile();
        if ((await fresh()).some(fits)) return performance.now() - began;
        await pause(LOOK_EVERY_MS);
      }
      return null;
    },
    async close() {
      reader?.close();
      await agent.kill();
    },
  };
}

/** A new pseudo-terminal behind the link. */
export function plugIn(link: string): Pty {
  const pty = openPty();
  rmSync(link, { force: true });
  symlinkSync(pty.path, link);
  return pty;
}
