/** Where Debian put the databases that are servers, or null. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../servers.ts';

export type ServerKind = 'mariadb' | 'postgres';

export const SERVER_PATHS: Readonly<Record<ServerKind, string | null>> = {
  mariadb: findProgram('mariadbd'),
  postgres: newestPostgres(),
};

/** Beside its tools in a folder of its version, which is not in PATH. */
function newestPostgres(): string | null {
  const folder = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(folder).map(Number);
    return join(folder, String(Math.max(...versions)), 'bin/postgres');
  } catch {
    return findProgram('postgres');
  }
}
