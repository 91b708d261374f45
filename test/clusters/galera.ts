/** Three MariaDB servers as one Galera cluster, as `config/galera/galera.cnf` says. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { findProgram, until } from '../servers.ts';
import {
  asNode,
  type Cluster,
  type ClusterNode,
  choosePorts,
  closeAll,
  createNode,
  example,
  newFolder,
  type Ports,
  replaced,
  subfolder,
  type User,
  userOf,
} from './node.ts';
import { galeraPath } from './paths.ts';

const run = promisify(execFile);
const SIZE = 3;
const PORTS = [3306, 4567, 4568, 4444] as const;
const READY_MS = 90_000;

export interface Galera extends Cluster {
  /** All nodes in one: `mysql://root@127.0.0.1:1,127.0.0.1:2,127.0.0.1:3/DATABASE`. */
  url(database: string): string;
  /** One statement on node 1. */
  run(statement: string): Promise<void>;
  /** Of node `index`. */
  status(index: number): Promise<ReadonlyMap<string, string>>;
  port(index: number): number;
}

export async function startGalera(): Promise<Galera> {
  if (galeraPath === null) throw new Error('MariaDB with Galera is not installed');
  const user = userOf('mysql');
  const folder = newFolder('galera', user);
  const numbers = Array.from({ length: SIZE }, (_, i) => i + 1);
  const ports = await choosePorts(numbers.flatMap((no) => PORTS.map((port) => `10.0.0.${no}:${port}`)));
  const port = (index: number) => ports.of(`10.0.0.${index + 1}:3306`);
  const folders = numbers.map((no) => subfolder(folder, `n${no}`, user));
  const made: ClusterNode[] = [];
  try {
    // The others copy from it.
    await install(folders[0] ?? '', user);
    for (const [index, own] of folders.entries()) {
      if (index > 0) subfolder(own, 'data', user);
      const conf = join(own, 'galera.cnf');
      writeFileSync(conf, configured(own, index + 1, ports));
      made.push(nodeAt(index, own, conf, port(index), user));
    }
    for (const node of made) await node.start();
    await until('all three are one', async () => (await statusAt(port(0))).get('wsrep_cluster_size') === String(SIZE));
  } catch (error) {
    await closeAll(made, folder);
    throw error;
  }
  return {
    nodes: made,
    urls: numbers.map((_, i) => `mysql://root@127.0.0.1:${port(i)}`),
    url: (database) => `mysql://root@${numbers.map((_, i) => `127.0.0.1:${port(i)}`).join(',')}/${database}`,
    run: (statement) => runAt(port(0), statement),
    status: (index) => statusAt(port(index)),
    port,
    close: () => closeAll(made, folder),
  };
}

function configured(own: string, no: number, ports: Ports): string {
  let text = ports.onLoopback(asNode(example('galera/galera.cnf'), no));
  text = replaced(text, /^bind_address = .*$/m, 'bind_address = 127.0.0.1');
  // Three servers on one machine: small ones, each with all of its ports moved.
  text = replaced(text, 'gmcast.listen_addr', `base_port=${ports.of(`10.0.0.${no}:4567`)};gmcast.listen_addr`);
  text = replaced(text, 'gcache.size=256M', 'gcache.size=64M');
  return `${text}
port = ${ports.of(`10.0.0.${no}:3306`)}
datadir = ${join(own, 'data')}
socket = ${join(own, 'sock')}
pid_file = ${join(own, 'pid')}
innodb_buffer_pool_size = 64M
innodb_log_file_size = 32M
performance_schema = off
max_connections = 100
`;
}

async function install(own: string, user: User | null): Promise<void> {
  const data = subfolder(own, 'data', user);
  await run(
    findProgram('mariadb-install-db') ?? '',
    ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    { ...user, cwd: own, env: { ...process.env, HOME: own, TMPDIR: own } },
  );
}

/** The first start of the first node begins the cluster; after that it is one like the others. */
function nodeAt(index: number, own: string, conf: string, port: number, user: User | null): ClusterNode {
  let begins = index === 0;
  return createNode({
    name: `n${index + 1}`,
    folder: own,
    command: () => {
      const more = begins ? ['--wsrep-new-cluster'] : [];
      begins = false;
      return [galeraPath ?? '', `--defaults-file=${conf}`, ...more];
    },
    user,
    isReady: async () => (await statusAt(port)).get('wsrep_ready') === 'ON',
    readyMs: READY_MS,
    stopMs: 30_000,
  });
}

async function statusAt(port: number): Promise<ReadonlyMap<string, string>> {
  const connection = await createConnection({ host: '127.0.0.1', port, user: 'root', connectTimeout: 2_000 });
  try {
    const [rows] = await connection.query<RowDataPacket[]>({ sql: "show status like 'wsrep\\_%'", timeout: 3_000 });
    return new Map(rows.map((row) => [String(row.Variable_name), String(row.Value)]));
  } finally {
    connection.destroy();
  }
}

async function runAt(port: number, statement: string): Promise<void> {
  const connection = await createConnection({ host: '127.0.0.1', port, user: 'root', database: 'mysql' });
  try {
    await connection.query(statement);
  } finally {
    await connection.end();
  }
}
