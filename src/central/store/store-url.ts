/**
 * Where the store is, as `store.url` says it: `sqlite:PATH`, `mysql://…` (or `mariadb://…`), `postgres://…`. `mysql:` may name the
 * hosts of one cluster, with commas between them.
 */
import { isIP } from 'node:net';

export type StoreAddress = FileAddress | ServerAddress;

export interface FileAddress {
  readonly kind: 'sqlite';
  readonly path: string;
}

export interface Host {
  readonly host: string;
  readonly port: number;
}

export interface ServerAddress {
  readonly kind: 'mysql' | 'postgres';
  /** Nodes of one cluster: the first one that can be worked with is used. */
  readonly hosts: readonly [Host, ...Host[]];
  /** Of a Unix socket, instead of hosts; for PostgreSQL the folder that it is in. */
  readonly socket: string | null;
  readonly user: string;
  readonly password: string | null;
  readonly database: string;
  /** PEM files. Null: no TLS. Where there is TLS, the server's name and certificate are checked, always. */
  readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null } | null;
}

export const STORE_URL_FORMS =
  'sqlite:PATH, mysql://USER:PASSWORD@HOST/DATABASE or postgres://USER:PASSWORD@HOST/DATABASE';

const KINDS: Readonly<Record<string, ServerAddress['kind']>> = {
  'mysql:': 'mysql',
  'mariadb:': 'mysql',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
};
const PORTS: Readonly<Record<ServerAddress['kind'], number>> = { mysql: 3306, postgres: 5432 };
const OPTIONS: readonly string[] = ['socket', 'ssl', 'sslca', 'sslcert', 'sslkey'];

/** What is wrong comes back as text, and never holds what was given: that may be a password. */
export function parseStoreUrl(text: string): StoreAddress | string {
  const path = /^sqlite:(.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'sqlite', path };
  const { first, rest } = separated(text);
  if (!URL.canParse(first) || !rest.every((one) => URL.canParse(one))) return STORE_URL_FORMS;
  const url = new URL(first);
  const kind = KINDS[url.protocol];
  if (kind === undefined) return STORE_URL_FORMS;
  const option = (name: string) => url.searchParams.get(name);
  const unknown = [...url.searchParams.keys()].find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) return `a URL with no other options than ${OPTIONS.join(', ')}`;
  const database = decoded(url.pathname.slice(1));
  if (database === null || database === '' || database.includes('/')) return 'a URL that ends in /DATABASE';
  const user = decoded(url.username);
  const password = decoded(url.password);
  if (user === null || password === null)
    return 'a URL whose user and password are written with %40 for @ and the like';
  if (user === '') return 'a URL with a user: USER:PASSWORD@HOST';
  const socket = option('socket');
  const hostOf = (one: URL): Host => ({
    host: one.hostname.replace(/^\[|\]$/g, ''),
    port: one.port === '' ? PORTS[kind] : Number(one.port),
  });
  const others = rest.map((one) => hostOf(new URL(one)));
  const hosts = [hostOf(url), ...others] as const;
  if (hosts.some(({ host }) => host === '') && socket === null) return 'a URL with a host, or with ?socket=PATH';
  if (others.length > 0 && (kind !== 'mysql' || socket !== null))
    return 'a URL with one host: only mysql:// takes several, those of a cluster';
  const ssl = option('ssl');
  if (ssl !== null && ssl !== 'verify' && ssl !== 'off') return 'a URL with ?ssl=verify or ?ssl=off';
  const files = { ca: option('sslca'), cert: option('sslcert'), key: option('sslkey') };
  const near = socket !== null || hosts.every(({ host }) => isLoopback(host));
  const named = Object.values(files).some((file) => file !== null);
  const tls = ssl === 'off' || (ssl === null && near && !named) ? null : files;
  // mysql2 would ask the certificate of an address for the name `localhost` (lib/base/connection.js, startTLS): it proves nothing.
  if (tls !== null && kind === 'mysql' && socket === null && hosts.some(({ host }) => isIP(host) !== 0))
    return 'a URL with the name of the server that its certificate holds, for a certificate is never checked for an address';
  return {
    kind,
    hosts,
    socket,
    user,
    password: password === '' ? null : password,
    database,
    tls,
  };
}

/** For people: nothing of it is secret. */
export function storeName(address: StoreAddress): string {
  if (address.kind === 'sqlite') return `sqlite:${address.path}`;
  const { kind, hosts, socket, database } = address;
  return `${kind}://${socket ?? hosts.map(hostName).join(',')}/${database}`;
}

function hostName({ host, port }: Host): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Does what is sent there leave this machine unencrypted? */
export function isPlainAcrossNetwork(address: StoreAddress): boolean {
  if (address.kind === 'sqlite' || address.tls !== null || address.socket !== null) return false;
  return !address.hosts.every(({ host }) => isLoopback(host));
}

/** A URL of the first host with all else, and one of each further host. */
function separated(text: string): { readonly first: string; readonly rest: readonly string[] } {
  const [, scheme = '', user = '', hosts = '', end = ''] =
    /^([a-z]+:\/\/)([^@/?#]*@)?([^@/?#]*)(.*)$/s.exec(text) ?? [];
  const [host, ...others] = hosts.split(',');
  if (others.length === 0) return { first: text, rest: [] };
  return { first: `${scheme}${user}${host}${end}`, rest: others.map((other) => `${scheme}${other}`) };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
