/** The memory of the agent while readings come as fast as it takes them, and a broker takes what it makes of them, or none does. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { connectAsync } from 'mqtt';
import { openPty } from '../../src/simulator/pty.ts';
import { freePort, startMosquitto, until } from '../servers.ts';
import { begin } from './contenders/child.ts';
import { pour } from './feeder.ts';
import { eventsIn, wire } from './input.ts';
import { type Memory, openInspector } from './inspector.ts';
import { type Slope, slopeOf } from './slope.ts';

export interface MemoryOptions {
  readonly readings: number;
  readonly format: 'json' | 'frame';
  /** How often it is looked, evenly over the readings. */
  readonly samples: number;
  /** The first part of them, in which V8 and SQLite grow to their size, is left out of the slopes. */
  readonly warmUp: number;
  /** No broker answers: all that comes waits in the log. */
  readonly offline?: boolean;
  readonly tell: (line: string) => void;
}

export interface MemorySample extends Memory {
  readonly readings: number;
}

export interface MemoryResult {
  readonly readings: number;
  readonly events: number;
  readonly seconds: number;
  readonly samples: readonly MemorySample[];
  /** In bytes for 1 000 000 readings. */
  readonly slopes: Readonly<Record<keyof Memory, Slope>>;
}

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
/** Made and poured at once. */
const PIECE_READINGS = 10_000;
const PATIENCE_MS = 120_000;
const MARKER = Buffer.from('"type":"collard.battery.low"');

/** Rejects where an event does not come. */
export async function runMemory(options: MemoryOptions): Promise<MemoryResult> {
  const { readings, format, samples: count, warmUp, tell } = options;
  const begun = new AsyncDisposableStack();
  try {
    const { pty, heard, inspector } = await openHouse(format, options.offline ?? false, begun);
    const samples: MemorySample[] = [];
    const began = performance.now();
    for (let n = 1, done = 0; n <= count; n += 1) {
      const upTo = Math.round((readings * n) / count);
      for (; done < upTo; done = Math.min(upTo, done + PIECE_READINGS)) {
        await pour(pty, wire(format, done, Math.min(upTo, done + PIECE_READINGS)), PATIENCE_MS);
      }
      const expected = eventsIn(0, done);
      await until(`${expected} events have come`, () => heard() >= expected, PATIENCE_MS);
      const sample = { readings: done, ...(await inspector.memory()) };
      samples.push(sample);
      tell(lineOf(sample));
    }
    const later = samples.slice(Math.floor(samples.length * warmUp));
    const slope = (of: keyof Memory) => slopeOf(later.map((one) => [one.readings / 1e6, one[of]]));
    return {
      readings,
      events: heard(),
      seconds: (performance.now() - began) / 1_000,
      samples,
      slopes: {
        rssBytes: slope('rssBytes'),
        heapBytes: slope('heapBytes'),
        externalBytes: slope('externalBytes'),
      },
    };
  } finally {
    await begun.disposeAsync();
  }
}

/** The broker's word is enough here: who is central would take the processor from it. */
async function openHouse(format: 'json' | 'frame', offline: boolean, begun: AsyncDisposableStack) {
  const folder = mkdtempSync(join(tmpdir(), 'collard-memory-'));
  begun.defer(() => rmSync(folder, { recursive: true, force: true }));
  const pty = openPty(true);
  begun.defer(pty.close);
  const path = join(folder, 'events.db');
  const ear = offline ? null : await listen(begun);
  writeFileSync(
    join(folder, 'agent.yaml'),
    `agent: memory
sources: [{ serial: ${pty.path}, format: ${format}, silentAfterMs: 600000 }]
log: { path: ${path}, budgetBytes: 4000000000 }
mqtt: { url: "${ear?.url ?? `mqtt://127.0.0.1:${await freePort()}`}" }
forward: { confirm: broker }
`,
  );
  const port = await freePort();
  const args = [`--inspect=127.0.0.1:${port}`, bin, 'agent', '--config', join(folder, 'agent.yaml')];
  const agent = begin(process.execPath, args);
  begun.defer(agent.stop);
  await agent.says(/source is open/, 60_000);
  const inspector = await openInspector(port);
  begun.defer(inspector.close);
  return { pty, inspector, heard: ear?.heard ?? (await rowsOf(path, begun)) };
}

/** A broker, and who hears all of it. */
async function listen(begun: AsyncDisposableStack) {
  const broker = await startMosquitto(['max_queued_messages 0', 'max_inflight_messages 0']);
  begun.defer(broker.stop);
  const client = await connectAsync(broker.url, { protocolVersion: 5 });
  begun.defer(() => client.endAsync(true));
  let events = 0;
  client.on('message', (_, payload) => {
    events += occurrences(payload);
  });
  await client.subscribeAsync(
    ['events', 'backlog'].map((lane) => `collard/v1/+/+/${lane}`),
    { qos: 1 },
  );
  return { url: broker.url, heard: () => events };
}

/** How many events the log holds. */
async function rowsOf(path: string, begun: AsyncDisposableStack): Promise<() => number> {
  await until('the log is there', () => existsSync(path), PATIENCE_MS);
  const db = new Database(path, { readonly: true });
  begun.defer(() => void db.close());
  const newest = db.prepare<[], number | null>('SELECT max(pos) FROM event').pluck();
  return () => newest.get() ?? 0;
}

function occurrences(payload: Buffer): number {
  let count = 0;
  for (let at = payload.indexOf(MARKER); at !== -1; at = payload.indexOf(MARKER, at + MARKER.length)) count += 1;
  return count;
}

function lineOf({ readings, rssBytes, heapBytes, externalBytes }: MemorySample): string {
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
  return `${readings} readings  RSS ${mb(rssBytes)}  heap after gc ${mb(heapBytes)}  external ${mb(externalBytes)}`;
}
