/**
 * Connections to MariaDB or MySQL. Of a cluster one node is used until it cannot be worked with, then the next: writers on several
 * nodes would undo each other's transactions.
 */
import type { Pool, PoolConnection, ResultSetHeader } from 'mysql2';
import { CONNECT_MS, type Guard, MAX_CONNECTIONS, tlsFiles } from './server-dialect.ts';
import type { Wire, Wires } from './server-driver.ts';
import type { Host, ServerAddress } from './store-url.ts';

/** Nothing is connected yet. Rejects with the disk's error for a certificate that cannot be read. `isAway`: would another node do? */
export async function openPools(
  address: ServerAddress,
  guard: Guard,
  isAway: (error: unknown) => boolean,
): Promise<Wires> {
  const { createPool } = await import('mysql2');
  const pools = address.hosts.map((host) => createPool(poolOptions(address, host)));
  const known = new WeakSet<PoolConnection>();
  let at = 0;
  return {
    async take() {
      let reason: unknown;
      for (let tries = 0; tries < pools.length; tries += 1) {
        const index = at;
        try {
          return await wireFrom(pools[index] as Pool, known, guard);
        } catch (error) {
          if (!isAway(error)) throw error;
          reason ??= error;
          // Others may have gone on already.
          if (at === index) at = (index + 1) % pools.length;
        }
      }
      throw reason;
    },
    async end() {
      await Promise.all(pools.map(ended));
    },
  };
}

function poolOptions(address: ServerAddress, { host, port }: Host) {
  const { socket, user, password, database, tls } = address;
  return {
    ...(socket === null ? { host, port } : { socketPath: socket }),
    user,
    database,
    ...(password === null ? {} : { password }),
    ...(tls === null ? {} : { ssl: { ...tlsFiles(address), rejectUnauthorized: true, verifyIdentity: true } }),
    charset: 'utf8mb4',
    flags: ['-FOUND_ROWS'],
    connectionLimit: MAX_CONNECTIONS,
    connectTimeout: CONNECT_MS,
    enableKeepAlive: true,
    decimalNumbers: true,
    stringifyObjects: true,
  };
}

async function wireFrom(pool: Pool, known: WeakSet<PoolConnection>, guard: Guard): Promise<Wire> {
  const connection = await new Promise<PoolConnection>((resolve, reject) => {
    pool.getConnection((error, one) => (error === null ? resolve(one) : reject(error)));
  });
  const wire = wireOf(connection);
  if (!known.has(connection)) {
    try {
      await guard.admit(async (text) => (await wire.run(text, [])).rows as Record<string, unknown>[]);
    } catch (error) {
      wire.release(true);
      throw error;
    }
    // Told between two statements: the next one is told too.
    connection.on('error', () => undefined);
    known.add(connection);
  }
  return wire;
}

function wireOf(connection: PoolConnection): Wire {
  return {
    run: (text, parameters) =>
      new Promise((resolve, reject) => {
        connection.query<ResultSetHeader>(text, [...parameters], (error, result) => {
          if (error !== null) reject(error);
          else if (Array.isArray(result)) resolve({ rows: result, affected: null });
          else resolve({ rows: [], affected: result.affectedRows });
        });
      }),
    release: (cut) => (cut ? connection.destroy() : connection.release()),
  };
}

function ended(pool: Pool): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    pool.end((error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}
