/** Where Debian put the servers that clusters are made of, or null; the package beside it. */
import { existsSync } from 'node:fs';
import { findProgram } from '../servers.ts';

const GALERA = '/usr/lib/galera/libgalera_smm.so';
const RABBITMQ = '/usr/lib/rabbitmq/bin/rabbitmq-server';

export const natsPath = findProgram('nats-server');
export const etcdPath = findProgram('etcd');
export const epmdPath = findProgram('epmd');
/** Not the one in PATH: that wants to be its own user. */
export const rabbitmqPath = existsSync(RABBITMQ) ? RABBITMQ : null;
/** MariaDB with what makes it a cluster. */
export const galeraPath = existsSync(GALERA) && findProgram('rsync') !== null ? findProgram('mariadbd') : null;

export const DEBIAN = {
  nats: 'nats-server',
  etcd: 'etcd-server',
  rabbitmq: 'rabbitmq-server',
  galera: 'mariadb-server galera-4 rsync',
} as const;
