/** Debian's MariaDB and PostgreSQL for tests, each on a free port and in a folder of its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { findProgram, freePort, until } from '../../servers.ts';
import { SERVER_PATHS, type ServerKind } from './paths.ts';

export interface DatabaseServer {
  readonly kind: ServerKind;
  /** Of a database of it; the user may do everything. */
  url(database: string): string;
  /** One statement, in the database that is there from the beginning. */
  run(statement: string): Promise<void>;
  kill(): Promise<void>;
  /** After kill(): on the same port and folder. */
  restart(): Promise<void>;
  /** And its folder is removed. */
  stop(): Promise<void>;
}

/** All that is written to a disk twice a commit is written to memory here, where there is enough of it: the settings stay durable. */
function roomiest(): string {
  const memory = '/dev/shm';
  const room = () => {
    const { bavail, bsize } = statfsSync(memory);
    return bavail * bsize;
  };
  return readdirSync('/dev').includes('shm') && room() > 4e9 ? memory : tmpdir();
}

/** `settings`: of the server, besides those that a test needs. `parent`: where its folder is made. Resolves when it answers. */
export async function startDatabase(
  kind: ServerKind,
  settings: Readonly<Record<string, string>> = {},
  parent = roomiest(),
): Promise<DatabaseServer> {
  const folder = mkdtempSync(join(parent, `collard-${kind}-`));
  const port = await freePort();
  const user = userOf(kind);
  const data = join(folder, 'data');
  mkdirSync(data);
  for (const path of [folder, data]) if (user !== null) chownSync(path, user.uid, user.gid);
  const env = { ...process.env, HOME: folder, TMPDIR: folder };
  const { install, args } = kind === 'mariadb' ? mariadb(folder, port, settings) : postgres(folder, port, settings);
  execFileSync(install[0] ?? '', install.slice(1), {
    ...user,
    cwd: folder,
    stdio: 'ignore',
    env,
  });
  const program = SERVER_PATHS[kind] ?? kind;
  let child: ChildProcess | null = null;
  const start = async () => {
    // It ends with this process, however that ends.
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
      ...user,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env,
    });
    child = started;
    let told = '';
    started.stderr?.on('data', (text) => {
      told = (told + text).slice(-2_000);
    });
    await until(
      `${kind} answers`,
      async () => {
        if (started.exitCode !== null) throw new Error(`${kind} ended with ${started.exitCode}: ${told}`);
        return run('select 1').then(
          () => true,
          () => false,
        );
      },
      60_000,
    );
  };
  const end = async (signal: NodeJS.Signals) => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
  };
  const run = (statement: string) => (kind === 'mariadb' ? runMariadb(port, statement) : runPostgres(port, statement));
  await start();
  return {
    kind,
    url: (database) =>
      kind === 'mariadb'
        ? `mysql://root@127.0.0.1:${port}/${database}`
        : `postgres://collard@127.0.0.1:${port}/${database}`,
    run,
    kill: () => end('SIGKILL'),
    restart: start,
    async stop() {
      // PostgreSQL: end at once, cleanly, whoever is connected.
      await end(kind === 'mariadb' ? 'SIGTERM' : 'SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function mariadb(folder: string, port: number, settings: Readonly<Record<string, string>>) {
  const all = { innodb_buffer_pool_size: '64M', innodb_log_file_size: '32M', performance_schema: 'off', ...settings };
  const set = Object.entries(all).map(([name, value]) => `--${name}=${value}`);
  const data = join(folder, 'data');
  return {
    install: [
      findProgram('mariadb-install-db') ?? '',
      '--no-defaults',
      `--datadir=${data}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ],
    args: [
      '--no-defaults',
      `--datadir=${data}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--socket=${join(folder, 'sock')}`,
      `--pid-file=${join(folder, 'pid')}`,
      ...set,
    ],
  };
}

function postgres(folder: string, port: number, settings: Readonly<Record<string, string>>) {
  const all = { listen_addresses: '127.0.0.1', unix_socket_directories: folder, max_connections: '60', ...settings };
  const set = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const data = join(folder, 'data');
  const initdb = (SERVER_PATHS.postgres ?? '').replace(/postgres$/, 'initdb');
  return {
    install: [initdb, '-D', data, '--username=collard', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'],
    args: ['-D', data, '-p', String(port), ...set],
  };
}

async function runMariadb(port: number, statement: string): Promise<void> {
  const connection = await createConnection({ host: '127.0.0.1', port, user: 'root', database: 'mysql' });
  try {
    await connection.query(statement);
  } finally {
    await connection.end();
  }
}

async function runPostgres(port: number, statement: string): Promise<void> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'collard', database: 'postgres' });
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Servers refuse to run as root: then they run as the user that Debian made for them. */
export function userOf(kind: ServerKind): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const name = kind === 'mariadb' ? 'mysql' : 'postgres';
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
