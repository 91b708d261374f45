/** Databases on the disk, each with an empty store for a measurement. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDatabase } from '../central/engines/servers.ts';

export const DATABASES = ['sqlite', 'mariadb', 'postgres'] as const;
export type Database = (typeof DATABASES)[number];

export interface BenchDatabase {
  /** Of a store that nobody has used. */
  newUrl(): Promise<string>;
  stop(): Promise<void>;
}

/** As an administrator would set them for a machine of its size; all else is as it comes. */
const SETTINGS = {
  mariadb: { innodb_buffer_pool_size: '512M', innodb_log_file_size: '512M' },
  postgres: { shared_buffers: '512MB', max_wal_size: '4GB' },
} as const;

export async function openDatabase(kind: Database): Promise<BenchDatabase> {
  let made = 0;
  if (kind === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'collard-bench-'));
    return {
      async newUrl() {
        made += 1;
        return `sqlite:${join(folder, `central${made}.db`)}`;
      },
      stop: async () => rmSync(folder, { recursive: true, force: true }),
    };
  }
  const server = await startDatabase(kind, SETTINGS[kind], tmpdir());
  return {
    async newUrl() {
      made += 1;
      await server.run(`create database bench${made}`);
      return server.url(`bench${made}`);
    },
    stop: () => server.stop(),
  };
}
