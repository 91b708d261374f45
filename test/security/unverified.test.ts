/** NODE_TLS_REJECT_UNAUTHORIZED=0, with which Node.js takes any certificate, and servers with one that nobody vouches for. */
import { once } from 'node:events';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { openStore } from '../../src/central/open-store.ts';
import { etcdOf } from '../../src/central/ownership/etcd-of.ts';
import { collard } from '../cli/run.ts';
import { type Authority, createAuthority, type Pair } from '../lib/certificates.ts';

let authority: Authority;
let pair: Pair;
beforeAll(() => {
  authority = createAuthority();
  pair = authority.selfSigned('127.0.0.1');
});
afterAll(() => authority.remove());

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function unverified(): void {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  onTestFinished(() => void vi.unstubAllEnvs());
}

async function startHttps() {
  let asked = 0;
  const server = createHttps(pair, (_request, response) => {
    asked += 1;
    response.end('{}');
  });
  return { port: await portOf(server), asked: () => asked };
}

test('the whole program ignores it and says so once, also where it uses fetch', async () => {
  const { port, asked } = await startHttps();
  const args = ['cat', 'list', '--url', `https://127.0.0.1:${port}/`, '--debug'];
  const { status, stderr } = await collard(args, { NODE_TLS_REJECT_UNAUTHORIZED: '0' });
  expect(stderr.match(/NODE_TLS_REJECT_UNAUTHORIZED/g)).toHaveLength(1);
  expect(stderr).toContain('warning: NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored, certificates are verified');
  expect(stderr).toMatch(/self-signed certificate/);
  expect([status, asked()]).toEqual([69, 0]);
}, 60_000);

test('etcd is told nothing, in a process that has it', async () => {
  const { port, asked } = await startHttps();
  unverified();
  const etcd = etcdOf({}, [`https://127.0.0.1:${port}`], 10_000);
  await expect(etcd.range('/x', new AbortController().signal)).rejects.toThrow('self-signed certificate');
  expect(asked()).toBe(0);
}, 30_000);

test('a PostgreSQL server is told nothing, in a process that has it', async () => {
  let heard = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, { isServer: true, ...pair });
      secure.on('error', () => undefined).on('data', ({ length }) => (heard += length));
    });
  });
  const port = await portOf(server);
  unverified();
  const opening = openStore({ url: `postgres://me:pw@127.0.0.1:${port}/x?ssl=verify` });
  await expect(opening).rejects.toThrow('self-signed certificate');
  expect(heard).toBe(0);
}, 30_000);
