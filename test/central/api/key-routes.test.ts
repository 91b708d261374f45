import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePublicKey } from '../../../src/contract/signature.ts';
import { newKey } from '../../contract/signing.ts';
import { type Serving, startServing } from './serving.ts';

let central: Serving;
const now = '2026-11-26T12:00:00.000Z';
const [first, second] = [newKey(), newKey()];
const text = (key: typeof first) => encodePublicKey(key.publicKey);
const shown = (key: typeof first, agent = 'porch') => ({
  agent,
  keyId: key.keyId,
  key: text(key),
  how: 'enrolled',
  since: now,
  revokedAt: null,
});
beforeAll(async () => {
  central = await startServing({ clock: () => new Date(now) });
});
afterAll(() => central.stop());

describe('the keys of agents over HTTP', () => {
  test('are enrolled, shown, and told with the agent', async () => {
    const before = central.changes.version;
    const enrolled = await central.call('POST', 'api/v1/agents/porch/keys', { key: text(first) });
    expect(enrolled).toMatchObject({ status: 201, body: shown(first) });
    expect(central.changes.version).toBeGreaterThan(before);
    expect((await central.call('GET', 'api/v1/agents/keys')).body).toEqual({ keys: [shown(first)] });
    const { agents } = (await central.call('GET', 'api/v1/agents')).body;
    expect(agents).toMatchObject([{ agent: 'porch', signed: 'verified' }]);
  });

  test('are revoked by id, by the key itself, or all at once, and each once', async () => {
    for (const agent of ['shed', 'attic']) {
      for (const key of [first, second]) await central.call('POST', `api/v1/agents/${agent}/keys`, { key: text(key) });
    }
    const gone = (key: typeof first, agent: string) => ({ ...shown(key, agent), revokedAt: now });
    expect(await central.call('DELETE', `api/v1/agents/shed/keys/${first.keyId}`)).toMatchObject({
      status: 200,
      body: { keys: [gone(first, 'shed')] },
    });
    expect(await central.call('DELETE', `api/v1/agents/shed/keys/${text(second)}`)).toMatchObject({
      status: 200,
      body: { keys: [gone(second, 'shed')] },
    });
    const all = await central.call('DELETE', 'api/v1/agents/attic/keys');
    expect(all.body.keys.map((key: { keyId: string }) => key.keyId).sort()).toEqual([first.keyId, second.keyId].sort());
    for (const path of ['shed/keys', `shed/keys/${first.keyId}`, 'nobody/keys']) {
      expect(await central.call('DELETE', `api/v1/agents/${path}`)).toMatchObject({
        status: 404,
        body: { type: 'urn:collard:problem:key-not-found' },
      });
    }
    expect((await central.call('GET', 'api/v1/agents/keys')).body.keys).toHaveLength(5);
  });

  test('that are not there are told with what shuts the agent out all the same', async () => {
    await central.call('POST', 'api/v1/agents/cellar/keys', { key: text(first) });
    const detailOf = async (path: string) => (await central.call('DELETE', `api/v1/agents/${path}`)).body.detail;
    expect(await detailOf('nobody/keys')).toMatch(/collard central enroll --agent nobody --key KEY.*at the broker$/);
    expect(await detailOf(`nobody/keys/${first.keyId}`)).toContain('collard central enroll --agent nobody');
    expect(await detailOf(`cellar/keys/${second.keyId}`)).toContain('collard central keys');
    await central.call('DELETE', 'api/v1/agents/cellar/keys');
    expect(await detailOf('cellar/keys')).toBe('all keys of cellar are revoked already: it is heard no more');
  });

  test.each([
    ['no key', 'porch', { key: 'AAAA' }, 400],
    ['a private key', 'porch', { key: '-----BEGIN PRIVATE KEY-----' }, 400],
    ['nothing', 'porch', {}, 400],
    ['more than a key', 'porch', { key: text(first), how: 'first-use' }, 400],
    ['a key for central', 'central', { key: text(first) }, 400],
    ['a key for a name that is none', 'a.b', { key: text(first) }, 400],
  ])('are not made of %s', async (_title, agent, body, status) => {
    expect((await central.call('POST', `api/v1/agents/${agent}/keys`, body)).status).toBe(status);
  });
});

describe('who may change keys', () => {
  const send = (headers: Record<string, string>, url = central.url) =>
    new Promise<number | undefined>((resolve, reject) => {
      const target = new URL('api/v1/agents/porch/keys', url);
      const json = { 'content-type': 'application/json', ...headers };
      request(target, { method: 'POST', headers: json }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end(JSON.stringify({ key: text(second) }));
    });

  test.each([
    ['a page of another site', { 'sec-fetch-site': 'cross-site', origin: 'http://evil.example' }],
    ['a page of this site', { 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1' }],
    ['a page whose name was bound to this address', { host: 'evil.example', origin: 'http://evil.example' }],
    ['who comes through a proxy', { 'x-forwarded-for': '192.0.2.7' }],
    ['who comes through a proxy that says so in the standard way', { forwarded: 'for=192.0.2.7' }],
  ])('is not %s', async (_title, headers) => {
    expect(await send(headers)).toBe(403);
    const { keys } = (await central.call('GET', 'api/v1/agents/keys')).body;
    expect(
      keys.filter((key: { agent: string; keyId: string }) => key.agent === 'porch' && key.keyId === second.keyId),
    ).toEqual([]);
  });

  test('is a program on this machine, whatever address of it central has', async () => {
    const own = Object.values(networkInterfaces())
      .flat()
      .find((one) => one?.family === 'IPv4' && !one.internal);
    const everywhere = await startServing({ host: '0.0.0.0', http: { login: 'off' } });
    try {
      const { port } = new URL(everywhere.url);
      for (const host of ['127.0.0.1', ...(own === undefined ? [] : [own.address])]) {
        expect(await send({}, `http://${host}:${port}`)).toBe(201);
      }
    } finally {
      await everywhere.stop();
    }
  });
});
