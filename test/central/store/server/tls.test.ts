/** The way to a database: encrypted, and only to the server that the URL names. */
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../../src/central/open-store.ts';
import { type Authority, createAuthority, type Pair } from '../../../lib/certificates.ts';
import { opensslPath, requireServer } from '../../../servers.ts';
import { engine, rowsOf } from '../../engines/fresh.ts';
import { type DatabaseServer, startDatabase, userOf } from '../../engines/servers.ts';
import { epochId, meowing, NOW } from '../events.ts';

const kind = engine === 'mariadb' ? 'mariadb' : 'postgres';
/** What its certificate says: of MariaDB it must be a name. */
const host = kind === 'mariadb' ? 'localhost' : '127.0.0.1';

describe.skipIf(!requireServer('openssl', opensslPath))('a server with TLS', () => {
  let authority: Authority;
  let folder: string;
  let server: DatabaseServer;
  let made = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'collard-tls-'));
    authority = createAuthority();
    write('ca.pem', authority.ca);
    writePair('client', authority.issue('collard'));
    server = await start('server', host);
  });
  afterAll(async () => {
    await server.stop();
    authority.remove();
    rmSync(folder, { recursive: true });
  });

  const path = (name: string) => join(folder, name);
  /** Only its owner may read a key, and that is who the server runs as. */
  const write = (name: string, text: string) => {
    const user = userOf(kind);
    writeFileSync(path(name), text, { mode: 0o600 });
    if (user !== null) for (const one of [folder, path(name)]) chownSync(one, user.uid, user.gid);
    return path(name);
  };
  const writePair = (name: string, { cert, key }: Pair) => ({
    cert: write(`${name}.pem`, cert),
    key: write(`${name}.key`, key),
  });
  const start = (file: string, name: string) => {
    const own = writePair(file, authority.issue(name));
    return startDatabase(
      kind,
      kind === 'mariadb'
        ? { ssl_ca: path('ca.pem'), ssl_cert: own.cert, ssl_key: own.key }
        : { ssl: 'on', ssl_ca_file: path('ca.pem'), ssl_cert_file: own.cert, ssl_key_file: own.key },
    );
  };
  const database = async () => {
    made += 1;
    await server.run(`create database tls${made}`);
    return server.url(`tls${made}`).replace('127.0.0.1', host);
  };
  const cipher =
    kind === 'mariadb'
      ? "show status like 'Ssl_version'"
      : 'select version as Value from pg_stat_ssl where pid = pg_backend_pid()';

  it('stores through TLS 1.2 or later where its authority is named', async () => {
    const url = `${await database()}?sslca=${path('ca.pem')}`;
    const store = await openStore({ url });
    const porch = meowing('porch', epochId(1), 3);
    expect((await store.ingest(porch.batch(1, 3), NOW)).stored.seq).toBe(3);
    await store.close();
    const [row = {}] = await rowsOf(url, cipher);
    expect(Object.values(row).join()).toMatch(/TLSv1\.[23]/);
  });

  it('is refused where nobody known vouches for it', async () => {
    await expect(openStore({ url: `${await database()}?ssl=verify` })).rejects.toThrow(/certificate/);
    const other = createAuthority();
    const ca = write('other.pem', other.ca);
    other.remove();
    await expect(openStore({ url: `${await database()}?sslca=${ca}` })).rejects.toThrow(/certificate/);
  });

  it('is refused under another name than that of its certificate', async () => {
    const elsewhere = await start('elsewhere', 'elsewhere.example');
    try {
      await elsewhere.run('create database other');
      const url = elsewhere.url('other').replace('127.0.0.1', host);
      await expect(openStore({ url: `${url}?sslca=${path('ca.pem')}` })).rejects.toThrow(/does not match certificate/);
    } finally {
      await elsewhere.stop();
    }
  });

  it('takes who shows a certificate, where it asks for one', async () => {
    const url = await database();
    const ca = `sslca=${path('ca.pem')}`;
    const shown = `${url}?${ca}&sslcert=${path('client.pem')}&sslkey=${path('client.key')}`;
    await demandCertificate();
    await expect(openStore({ url: asCollard(`${url}?${ca}`) })).rejects.toThrow(/certificate|denied/);
    const store = await openStore({ url: asCollard(shown) });
    await store.close();
  });

  const asCollard = (url: string) => url.replace(/\/\/\w+@/, '//collard@');
  const demandCertificate = async () => {
    if (kind === 'mariadb') {
      await server.run("create user collard@'%' require x509");
      await server.run("grant all on *.* to collard@'%'");
      return;
    }
    const hba = await rowsOf(server.url('postgres'), 'show hba_file');
    const file = String(Object.values(hba[0] ?? {})[0]);
    writeFileSync(file, 'hostssl all all 127.0.0.1/32 cert\n');
    await server.run('select pg_reload_conf()').catch((error: Error) => expect(error.message).toMatch(/certificate/));
  };
});

describe('a server without TLS', () => {
  it('is refused where TLS is asked for: nothing is sent to it in clear text', async () => {
    const server = await startDatabase(kind, kind === 'mariadb' ? { ssl: '0' } : { ssl: 'off' });
    try {
      await server.run('create database clear');
      await expect(openStore({ url: `${server.url('clear').replace('127.0.0.1', host)}?ssl=verify` })).rejects.toThrow(
        /SSL|TLS|secure/,
      );
    } finally {
      await server.stop();
    }
  });
});
