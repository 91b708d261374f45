/** Who may use page and API, over real HTTP. Time is moved by hand. */
import { once } from 'node:events';
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PASSWORD_AGE_MS, SESSION_IDLE_MS, SESSION_MS } from '../../../src/central/api/access.ts';
import { MAX_TRIES } from '../../../src/central/api/login-limit.ts';
import { hashPassword } from '../../../src/central/api/password.ts';
import { until } from '../../servers.ts';
import {
  CHEAP,
  logInTo,
  PASSWORD,
  postForm,
  type Serving,
  type ServingOptions,
  startServing,
  tokenFor,
} from './serving.ts';

let central: Serving;
let nowMs = 0;
const start = async (http: ServingOptions['http'] = {}) => {
  central = await startServing({ clock: () => new Date(nowMs), http });
};
beforeEach(() => {
  nowMs = Date.parse('2026-11-26T08:00Z');
});
afterEach(() => central.stop());

const setPassword = async (password = PASSWORD) => {
  await central.store.setPassword(await hashPassword(password, CHEAP));
  nowMs += PASSWORD_AGE_MS;
};
const statusOf = async (headers: Record<string, string> = {}, path = 'api/v1/cats', method = 'GET') =>
  (await fetch(new URL(path, central.url), { method, headers, redirect: 'manual' })).status;
const addCat = (name: string, headers: Record<string, string>) =>
  fetch(new URL('api/v1/cats', central.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ name }),
  });
/** With a host header of its own, which fetch does not allow. */
const statusAs = async (host: string, path = '/api/v1/cats', headers: Record<string, string> = {}, method = 'GET') => {
  const { hostname, port } = new URL(central.url);
  const asked = request({ host: hostname, port, path, method, headers: { host, ...headers }, agent: false }).end();
  const [answer] = (await once(asked, 'response')) as [{ statusCode: number; resume(): void }];
  answer.resume();
  return answer.statusCode;
};

describe('central on its own machine', () => {
  test('is open until a password is set, and then closed, without a restart', async () => {
    await start();
    expect(await statusOf()).toBe(200);
    await setPassword();
    expect(await statusOf()).toBe(401);
    await central.store.setPassword(null);
    nowMs += PASSWORD_AGE_MS;
    expect(await statusOf()).toBe(200);
  });

  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil.example:8321'])(
    'is not open to a name that somebody else rules: %s',
    async (host) => {
      await start();
      expect(await statusAs(host)).toBe(421);
      expect(await statusAs(host, '/')).toBe(421);
      // A login belongs to a host: there is nothing to guard once there is one.
      await setPassword();
      expect(await statusAs(host)).toBe(401);
    },
  );

  test.each([
    'localhost',
    'LOCALHOST:8321',
    '127.0.0.1:1',
    '192.168.1.7:8321',
    '[::1]:8321',
    'a.localhost',
    'Cats.Home',
  ])('is open to %s', async (host) => {
    await start({ names: ['cats.home'] });
    expect(await statusAs(host)).toBe(200);
  });

  test('may be closed before a password is set, or left open whatever is set', async () => {
    await start({ login: 'required' });
    expect(await statusOf()).toBe(401);
    await central.stop();
    await start({ login: 'off' });
    await setPassword();
    expect(await statusOf()).toBe(200);
  });

  test('refuses a wrong token even where it asks for none, and holds a right one to its scope', async () => {
    await start();
    expect(await statusOf({ authorization: 'Bearer collard_nonsense' })).toBe(401);
    const read = await tokenFor(central, 'read');
    expect(await statusOf(read)).toBe(200);
    expect((await addCat('Mia', read)).status).toBe(403);
    // What a proxy asks for is its own.
    expect(await statusOf({ authorization: 'Basic Y2F0OmNhdA==' })).toBe(200);
  });
});

describe('beyond its machine', () => {
  // Where it listens decides, and nothing else is set.
  beforeEach(() => start({ host: '0.0.0.0' }));

  test('says what to do where no password is set, and lets nobody in', async () => {
    const page = await fetch(new URL('login', central.url));
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('collard central passwd --config central.yaml');
    const tried = await postForm(central.url, 'login', { password: '' });
    expect(tried.status).toBe(403);
    expect(tried.headers.get('set-cookie')).toBeNull();
  });

  test('leads a browser to the login, and tells a program what to send', async () => {
    const led = await fetch(central.url, { headers: { accept: 'text/html,*/*' }, redirect: 'manual' });
    expect([led.status, led.headers.get('location')]).toEqual([303, 'login']);
    const answer = await fetch(new URL('api/v1/cats', central.url), { headers: { accept: 'text/html' } });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="collard"');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toMatchObject({ type: 'urn:collard:problem:login-needed' });
  });

  test('hides from strangers why it is not ready, and tells that it lives', async () => {
    await central.stop();
    const why = 'the models stand still before porch';
    central = await startServing({ http: { login: 'required' }, notReady: () => why });
    const ready = await central.call('GET', 'readyz');
    expect(ready.status).toBe(503);
    expect(ready.text).not.toContain('porch');
    expect((await central.call('GET', 'healthz')).status).toBe(200);
    expect((await central.call('GET', 'metrics')).status).toBe(401);
  });
});

describe('a login', () => {
  beforeEach(async () => {
    await start({ trustProxy: ['127.0.0.1'] });
    await setPassword();
  });

  test('is a cookie that no script and no other site gets, and the store holds nothing that could be one', async () => {
    const response = await postForm(central.url, 'login', { password: PASSWORD });
    expect([response.status, response.headers.get('location')]).toEqual([303, './']);
    const cookie = response.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^collard=[\w-]{43}; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Strict$/);
    const value = cookie.slice('collard='.length).split(';', 1)[0] ?? '';
    expect(await central.store.session(value)).toBeNull();
    expect(await statusOf({ cookie: `other=1; collard=${value}; more=2` })).toBe(200);
    expect(await statusOf({ cookie: `collard=${value.slice(0, -1)}` })).toBe(401);
    const who = await fetch(new URL('api/v1/session', central.url), { headers: { cookie: `collard=${value}` } });
    expect(await who.json()).toEqual({ via: 'session', by: 'page', scope: 'command' });
  });

  test('by TLS is bound to it, where the proxy that says so is believed', async () => {
    const tls = { 'x-forwarded-proto': 'https' };
    const cookie = await logInTo(central, tls);
    const response = await postForm(central.url, 'login', { password: PASSWORD }, tls);
    expect(response.headers.get('set-cookie')).toMatch(/^__Host-collard=.*; Path=\/; .*; Secure$/);
    expect(await statusOf({ cookie, ...tls })).toBe(200);
    expect(await statusOf({ cookie })).toBe(401);
    expect(await statusOf({ cookie: cookie.replace('__Host-', ''), ...tls })).toBe(401);
    await central.stop();
    await start();
    await setPassword();
    const plain = await postForm(central.url, 'login', { password: PASSWORD }, tls);
    expect(plain.headers.get('set-cookie')).toMatch(/^collard=/);
  });

  test('ends by logging out, and nobody else’s does', async () => {
    const [mine, other] = [await logInTo(central), await logInTo(central)];
    const out = await postForm(central.url, 'logout', {}, { cookie: mine });
    expect([out.status, out.headers.get('location')]).toEqual([303, 'login?ended']);
    expect(out.headers.get('set-cookie')).toMatch(/^collard=; Path=\/; Max-Age=0; HttpOnly; SameSite=Strict$/);
    expect(await statusOf({ cookie: mine })).toBe(401);
    expect(await statusOf({ cookie: other })).toBe(200);
  });

  test('ends when it is not used, and whatever it does after its longest time', async () => {
    const idle = await logInTo(central);
    nowMs += SESSION_IDLE_MS - 1;
    expect(await statusOf({ cookie: idle })).toBe(200);
    nowMs += SESSION_IDLE_MS - 1;
    expect(await statusOf({ cookie: idle })).toBe(200);
    nowMs += SESSION_IDLE_MS;
    expect(await statusOf({ cookie: idle })).toBe(401);
    const busy = await logInTo(central);
    const opened = nowMs;
    while (nowMs + SESSION_IDLE_MS - 1 < opened + SESSION_MS) {
      nowMs += SESSION_IDLE_MS - 1;
      expect(await statusOf({ cookie: busy })).toBe(200);
    }
    nowMs = opened + SESSION_MS;
    expect(await statusOf({ cookie: busy })).toBe(401);
  });

  test('ends with the password, which another process may change', async () => {
    const cookie = await logInTo(central);
    await setPassword('battery staple');
    expect(await statusOf({ cookie })).toBe(401);
    expect((await postForm(central.url, 'login', { password: PASSWORD })).status).toBe(401);
  });

  test('with a wrong password is refused, too often not even looked at, and a session goes on meanwhile', async () => {
    const cookie = await logInTo(central);
    const tries = Array.from({ length: MAX_TRIES }, (_, i) =>
      postForm(central.url, 'login', { password: `wrong ${i}` }),
    );
    for (const tried of await Promise.all(tries)) {
      expect(tried.status).toBe(401);
      expect(await tried.text()).toContain('That is not the password.');
    }
    const late = await postForm(central.url, 'login', { password: PASSWORD });
    expect([late.status, late.headers.get('retry-after')]).toEqual([429, '900']);
    expect(await late.text()).toContain('Try again in 15 minutes');
    expect(await statusOf({ cookie })).toBe(200);
    // Behind a proxy that is believed, each has tries of its own.
    const other = await postForm(central.url, 'login', { password: PASSWORD }, { 'x-forwarded-for': '192.0.2.7' });
    expect(other.status).toBe(303);
  });

  test.each([
    ['no form', { 'content-type': 'application/json' }, '{"password":"correct horse"}', 401],
    ['a body of no known kind', { 'content-type': 'text/plain' }, 'password=correct+horse', 415],
    ['no field', { 'content-type': 'application/x-www-form-urlencoded' }, 'pass=correct+horse', 401],
    ['far too much', { 'content-type': 'application/x-www-form-urlencoded' }, `password=${'x'.repeat(9_000)}`, 413],
    [
      'more than one may be',
      { 'content-type': 'application/x-www-form-urlencoded' },
      `password=${'x'.repeat(600)}`,
      401,
    ],
    ['broken escapes', { 'content-type': 'application/x-www-form-urlencoded' }, 'password=%zz%ff', 401],
  ])('with %s is no login', async (_what, headers, body, status) => {
    const response = await fetch(new URL('login', central.url), { method: 'POST', headers, body });
    expect(response.status).toBe(status);
    expect(response.headers.get('set-cookie')).toBeNull();
  });

  test.each<[Record<string, string>, number]>([
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:1' }, 403],
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ origin: 'http://127.0.0.1:1' }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 303],
    [{}, 303],
  ])('that another site wants is none: %o', async (headers, status) => {
    expect((await postForm(central.url, 'login', { password: PASSWORD }, headers)).status).toBe(status);
  });

  test('is asked for again by a page that another site has led to: its cookie was left out', async () => {
    const led = await fetch(new URL('login', central.url), { headers: { 'sec-fetch-site': 'cross-site' } });
    expect(await led.text()).toContain('http-equiv="refresh"');
    const own = await fetch(new URL('login', central.url), { headers: { 'sec-fetch-site': 'same-origin' } });
    expect(await own.text()).not.toContain('http-equiv="refresh"');
    const cookie = await logInTo(central);
    const known = await fetch(new URL('login', central.url), { headers: { cookie }, redirect: 'manual' });
    expect([known.status, known.headers.get('location')]).toEqual([303, './']);
  });
});

describe('a command', () => {
  beforeEach(async () => {
    await start();
    await setPassword();
  });
  const dataOf = async () =>
    (await central.store.events({ limit: 100 })).events.map(({ data }) => JSON.parse(data) as Record<string, unknown>);

  test('says in its event who gave it', async () => {
    const cookie = await logInTo(central);
    expect((await addCat('Mia', { cookie })).status).toBe(201);
    expect((await addCat('Tom', await tokenFor(central, 'command', 'phone'))).status).toBe(201);
    expect(await dataOf()).toEqual([
      { catId: 1, oldName: null, newName: 'Mia', by: 'page' },
      { catId: 2, oldName: null, newName: 'Tom', by: 'phone' },
    ]);
  });

  test('says nothing of it where nobody had to say who it is', async () => {
    await central.store.setPassword(null);
    nowMs += PASSWORD_AGE_MS;
    expect((await addCat('Mia', {})).status).toBe(201);
    expect(await dataOf()).toEqual([{ catId: 1, oldName: null, newName: 'Mia' }]);
  });

  test('of another site is refused by its origin alone, as browsers send it without TLS', async () => {
    const token = await tokenFor(central, 'command');
    expect((await addCat('Mia', { ...token, origin: 'http://evil.example' })).status).toBe(403);
    expect((await addCat('Mia', { ...token, origin: new URL(central.url).origin })).status).toBe(201);
  });

  test('needs more than a token that may read, which says so', async () => {
    const refused = await addCat('Mia', await tokenFor(central, 'read', 'grafana'));
    expect(refused.status).toBe(403);
    expect(refused.headers.get('www-authenticate')).toContain('error="insufficient_scope", scope="command"');
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('grafana') });
  });
});

describe('the stream', () => {
  beforeEach(async () => {
    await start();
    await setPassword();
  });
  /** Resolves to what tells whether it has ended. */
  const follow = async (headers: Record<string, string>) => {
    const response = await fetch(new URL('api/v1/stream', central.url), { headers });
    expect(response.status).toBe(200);
    let isOver = false;
    const text = response.text().finally(() => {
      isOver = true;
    });
    return { text, isOver: () => isOver };
  };

  test('ends when who follows it logs out, and goes on for others', async () => {
    const [mine, other] = [await logInTo(central), await tokenFor(central, 'read')];
    const [left, stays] = [await follow({ cookie: mine }), await follow(other)];
    await postForm(central.url, 'logout', {}, { cookie: mine });
    expect(await left.text).toContain('"login":true');
    expect(stays.isOver()).toBe(false);
  });

  test('ends when the token is revoked by another process', { timeout: 60_000 }, async () => {
    const followed = await follow(await tokenFor(central, 'read', 'grafana'));
    await central.store.revokeToken('grafana');
    await until('the stream has ended', async () => followed.isOver(), 30_000);
    expect(await followed.text).toContain('"login":false');
  });
});
