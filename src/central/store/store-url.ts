/** Where the store is, as `store.url` says it: `sqlite:PATH`, `mysql://…` (or `mariadb://…`), `postgres://…`. */
import { isIP } from 'node:net';

export type StoreAddress = FileAddress | ServerAddress;

export interface FileAddress {
  readonly kind: 'sqlite';
  readonly path: string;
}

export interface ServerAddress {
  readonly kind: 'mysql' | 'postgres';
  readonly host: string;
  readonly port: number;
  /** Of a Unix socket, instead of host and port; for PostgreSQL the folder that it is in. */
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
  if (!URL.canParse(text)) return STORE_URL_FORMS;
  const url = new URL(text);
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
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '' && socket === null) return 'a URL with a host, or with ?socket=PATH';
  const ssl = option('ssl');
  if (ssl !== null && ssl !== 'verify' && ssl !== 'off') return 'a URL with ?ssl=verify or ?ssl=off';
  const files = { ca: option('sslca'), cert: option('sslcert'), key: option('sslkey') };
  const near = socket !== null || isLoopback(host);
  const named = Object.values(files).some((file) => file !== null);
  const tls = ssl === 'off' || (ssl === null && near && !named) ? null : files;
  // mysql2 would ask the certificate of an address for the name `localhost` (lib/base/connection.js, startTLS): it proves nothing.
  if (tls !== null && kind === 'mysql' && socket === null && isIP(host) !== 0)
    return 'a URL with the name of the server that its certificate holds, for a certificate is never checked for an address';
  return {
    kind,
    host,
    port: url.port === '' ? PORTS[kind] : Number(url.port),
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
  const { kind, host, port, socket, database } = address;
  return socket === null
    ? `${kind}://${host.includes(':') ? `[${host}]` : host}:${port}/${database}`
    : `${kind}://${socket}/${database}`;
}

/** Does what is sent there leave this machine unencrypted? */
export function isPlainAcrossNetwork(address: StoreAddress): boolean {
  return address.kind !== 'sqlite' && address.tls === null && address.socket === null && !isLoopback(address.host);
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
