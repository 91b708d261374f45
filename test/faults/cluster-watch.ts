/** Looks into a cluster of databases from outside, at whichever node answers: what has arrived there, and from when it is. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import type { Galera } from '../clusters/galera.ts';
import { EVENTS, type EventRow, type Held, heldOf, MARKS, type MarkRow } from './nemesis-oracle.ts';

const LOOK_EVERY_MS = 100;
const ANSWER_MS = 2_000;

export interface ClusterWatch {
  /** The time of the newest event of each agent that is stored. */
  readonly newest: ReadonlyMap<string, number>;
  /** What each agent said last of itself: events that wait in its log, and when central heard it. */
  readonly waiting: ReadonlyMap<string, { readonly queue: number; readonly heardAt: number }>;
  /** Resolves with how long it took until of each of these agents something is stored that happened later; null after `timeoutMs`. */
  fresh(agents: readonly string[], sinceMs: number, timeoutMs: number): Promise<number | null>;
  /** All that is held of one agent. */
  held(agent: string): Promise<Held>;
  close(): Promise<void>;
}

async function connected(port: number, database: string): Promise<Connection> {
  const options = { host: '127.0.0.1', port, user: 'root', database, connectTimeout: ANSWER_MS, decimalNumbers: true };
  const connection = await createConnection(options);
  connection.on('error', () => undefined);
  return connection;
}

export function watchCluster(database: Galera, name: string): ClusterWatch {
  const newest = new Map<string, number>();
  const waiting = new Map<string, { queue: number; heardAt: number }>();
  let over = false;
  let at = 0;
  let connection: Connection | null = null;
  const ask = async <T>(sql: string, values: readonly unknown[] = [], timeout = ANSWER_MS): Promise<T[]> => {
    const port = database.port(at % database.nodes.length);
    try {
      connection ??= await connected(port, name);
      const [rows] = await connection.query<RowDataPacket[]>({ sql, values: [...values], timeout });
      return rows as unknown as T[];
    } catch (error) {
      connection?.destroy();
      connection = null;
      at += 1;
      throw error;
    }
  };
  const look = async () => {
    const agents = await ask<{ no: number; name: string; health: string | null; heard: string | null }>(
      'select no, name, health, last_heard as heard from agent',
    );
    for (const { no, name: agent, health, heard } of agents) {
      const [row] = await ask<{ time: string | null }>('select max(time) as time from event where agent_no = ?', [no]);
      if (row?.time !== null && row?.time !== undefined) newest.set(agent, Date.parse(row.time));
      if (health === null || heard === null) continue;
      const { queue } = JSON.parse(health) as { readonly queue: number };
      waiting.set(agent, { queue, heardAt: Date.parse(heard) });
    }
  };
  const looking = (async () => {
    while (!over) {
      // The node may be the one that was just killed: the next look asks another one.
      await look().catch(() => undefined);
      await pause(LOOK_EVERY_MS);
    }
  })();
  return {
    newest,
    waiting,
    async fresh(agents, sinceMs, timeoutMs) {
      const began = performance.now();
      while (performance.now() - began < timeoutMs) {
        if (agents.every((agent) => (newest.get(agent) ?? 0) > sinceMs)) return performance.now() - began;
        await pause(LOOK_EVERY_MS / 2);
      }
      return null;
    },
    async held(agent) {
      const all = 120_000;
      const events = await ask<EventRow>(EVENTS, [agent], all);
      return heldOf(events, await ask('select body from conflict', [], all), await ask<MarkRow>(MARKS, [], all));
    },
    async close() {
      over = true;
      await looking;
      connection?.destroy();
    },
  };
}
