/** Every route with every method: what it answers to strangers, and what each answer carries. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constantFrom, sample, tuple } from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_REQUESTS_A_MINUTE } from '../../src/central/api/server.ts';
import { logInTo, type Serving, startServing, tokenFor } from '../central/api/serving.ts';

const SECRET = 'outside-of-the-page';
const VARIANTS = 1_000;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'] as const;
const WRITING: readonly string[] = ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'];
/** What never ends has no answer without a body. */
const STREAM = '/api/v1/stream';
/** Each route with the methods that it has; HEAD comes with GET. A new one also takes part in the walk of `test/central/api/tour.ts`. */
const ROUTES: Readonly<Record<string, readonly string[]>> = {
  '/': ['GET'],
  '/index.html': ['GET'],
  '/favicon.svg': ['GET'],
  '/healthz': ['GET'],
  '/readyz': ['GET'],
  '/metrics': ['GET'],
  '/api/openapi.json': ['GET'],
  '/api/v1/cats': ['GET', 'POST'],
  '/api/v1/cats/1': ['PATCH'],
  '/api/v1/cats/1/location': ['PUT'],
  '/api/v1/cats/1/picture': ['GET'],
  '/api/v1/pictures': ['GET'],
  '/api/v1/cats/1/activity': ['GET'],
  '/api/v1/cats/1/history': ['GET'],
  '/api/v1/state': ['GET'],
  '/api/v1/events': ['GET'],
  '/api/v1/events/1/1': ['GET'],
  '/api/v1/events/revoke': ['POST'],
  '/api/v1/events/reassign': ['POST'],
  '/api/v1/models': ['GET'],
  '/api/v1/stats': ['GET'],
  '/api/v1/agents': ['GET'],
  '/api/v1/agents/1/gaps': ['GET'],
  '/api/v1/agents/1/collars/1/live': ['GET'],
  '/api/v1/agents/1/collars/1/compare': ['POST'],
  '/api/v1/central': ['GET'],
  '/api/v1/agents/keys': ['GET'],
  '/api/v1/agents/1/keys': ['POST', 'DELETE'],
  '/api/v1/agents/1/keys/1': ['DELETE'],
  '/api/v1/quarantine': ['GET', 'DELETE'],
  '/api/v1/quarantine/1': ['GET', 'DELETE'],
  '/api/v1/quarantine/1/retry': ['POST'],
  '/api/v1/conflicts': ['GET'],
  [STREAM]: ['GET'],
  '/api/v1/session': ['GET'],
  '/login': ['GET', 'POST'],
  '/logout': ['POST'],
  '/nothing-here': [],
};
/** What is for everybody, also where central is closed: that it lives, and what a login needs. */
const FOR_ALL: readonly string[] = ['/favicon.svg', '/healthz', '/readyz', '/login', '/logout'];
const table = Object.keys(ROUTES).flatMap((route) => METHODS.map((method): [string, string] => [method, route]));

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let central: Serving;
let home = '';
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'collard-page-'));
  const pageDir = join(home, 'page');
  mkdirSync(pageDir);
  writeFileSync(join(pageDir, 'index.html'), '<!doctype html><title>page</title>');
  writeFileSync(join(pageDir, '.hidden'), SECRET);
  writeFileSync(join(home, 'secret.html'), SECRET);
  writeFileSync(join(home, 'central.yaml'), SECRET);
  central = await startServing({ pageDir });
});
afterAll(async () => {
  await central.stop();
  rmSync(home, { recursive: true, force: true });
});

/** The path goes out as it is written: fetch would tidy it. An endless answer is left after its headers. */
function ask(method: string, path: string, headers: Record<string, string> = {}, url = central.url): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request({ host: hostname, port, method, path, headers, agent: false }, (response) => {
      const answer = (body: string) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      if (String(response.headers['content-type']).startsWith('text/event-stream')) {
        answer('');
        response.destroy();
        return;
      }
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.on('end', () => answer(body));
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('each route with each method', () => {
  test('is in this table if it is in the API', async () => {
    const { paths } = JSON.parse((await ask('GET', '/api/openapi.json')).body) as {
      paths: Record<string, Record<string, unknown>>;
    };
    for (const [path, methods] of Object.entries(paths)) {
      expect(ROUTES[path.replaceAll(/\{\w+\}/g, '1')], path).toEqual(
        Object.keys(methods).map((method) => method.toUpperCase()),
      );
    }
  });

  test.each(table)('%s %s answers with all headers and no trace of the inside', async (method, route) => {
    const { status, headers, body } = await ask(method, route);
    const has = ROUTES[route]?.includes(method === 'HEAD' && route !== STREAM ? 'GET' : method) ?? false;
    if (!has) expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe-|\*/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers['x-powered-by']).toBeUndefined();
    expect(headers['access-control-allow-origin']).toBeUndefined();
    expect(body).not.toMatch(/node_modules|\bat .*\.[jt]s:\d+|SQLITE|\/home\//);
  });

  test.each(table.filter(([method]) => WRITING.includes(method)))(
    '%s %s from another site changes nothing',
    async (method, route) => {
      for (const site of ['cross-site', 'same-site', 'anything']) {
        const { status } = await ask(method, route, { 'sec-fetch-site': site, 'content-type': 'application/json' });
        expect([403, 404, 405, 501]).toContain(status);
        if (ROUTES[route]?.includes(method)) expect(status).toBe(403);
      }
    },
  );

  test.each(['/%c0', '/api/v1/cats/%ff', `/api/v1/cats/${'1'.repeat(200)}/history`])(
    'a path that no route can take is a problem with all headers: %s',
    async (path) => {
      const { status, headers, body } = await ask('GET', path);
      expect([400, 404]).toContain(status);
      expect(headers['content-type']).toContain('application/problem+json');
      expect(JSON.parse(body)).toMatchObject({ status });
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' });
      expect(headers['content-security-policy']).toContain("default-src 'none'");
    },
  );

  test('a form of another site cannot write: only JSON is taken', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const response = await fetch(new URL('api/v1/cats', central.url), {
        method: 'POST',
        headers: { 'content-type': type },
        body: '{"name":"Mia"}',
      });
      expect(response.status).toBe(415);
    }
    expect((await central.call('GET', 'api/v1/cats')).body.cats).toEqual([]);
  });

  test('the name in the host header comes back nowhere', async () => {
    for (const host of ['evil.example', 'evil.example:80@127.0.0.1', '\'"><script>']) {
      for (const route of ['/', '/api/openapi.json', '/nothing-here', '/api/v1/cats']) {
        const { headers, body } = await ask('GET', route, { host, 'x-forwarded-host': host });
        expect(JSON.stringify(headers) + body).not.toContain('evil.example');
        expect(JSON.stringify(headers) + body).not.toContain('<script>');
      }
    }
  });
});

describe('where central is closed, each route with each method', () => {
  let closed: Serving;
  let read: Record<string, string>;
  let command: Record<string, string>;
  let cookie: Record<string, string>;
  const askClosed = (method: string, path: string, headers: Record<string, string> = {}) =>
    ask(method, path, headers, closed.url);
  beforeAll(async () => {
    closed = await startServing({ pageDir: join(home, 'page'), http: { login: 'required' } });
    read = await tokenFor(closed, 'read');
    command = await tokenFor(closed, 'command');
    cookie = { cookie: await logInTo(closed) };
  });
  afterAll(() => closed.stop());
  const isRead = (method: string) => method === 'GET' || method === 'HEAD';
  /** PROPFIND is refused before anybody asks who it comes from. */
  const guarded = table.filter(([method, route]) => !FOR_ALL.includes(route) && method !== 'PROPFIND');

  test.each(guarded)('%s %s is nothing for who is not known', async (method, route) => {
    const strangers: Record<string, string>[] = [
      {},
      { authorization: 'Bearer collard_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' },
      { authorization: 'Basic Y2F0OmNhdA==' },
      { authorization: `Bearer ${'x'.repeat(600)}` },
      { cookie: 'collard=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' },
      { cookie: `__Host-${cookie.cookie}` },
    ];
    for (const headers of strangers) {
      const { status, headers: given, body } = await askClosed(method, route, headers);
      expect(status, JSON.stringify(headers)).toBe(401);
      expect(given['www-authenticate']).toContain('Bearer realm="collard"');
      expect(given['set-cookie']).toBeUndefined();
      expect(body).not.toContain('page</title>');
    }
  });

  test.each(guarded)('%s %s is for a token of its scope, and for a login', async (method, route) => {
    const mayRead = await askClosed(method, route, read);
    if (isRead(method)) expect([401, 403]).not.toContain(mayRead.status);
    else expect(mayRead.status).toBe(403);
    for (const headers of [command, cookie])
      expect([401, 403]).not.toContain((await askClosed(method, route, headers)).status);
  });

  test.each(FOR_ALL)('%s is for everybody', async (route) => {
    for (const method of ROUTES[route] ?? []) {
      const { status, headers } = await askClosed(method, route);
      expect(status, method).toBeLessThan(500);
      // A wrong password is refused by its own page.
      expect(headers['www-authenticate'], method).toBeUndefined();
    }
  });

  test('the limit of requests counts those that are refused, too', async () => {
    await closed.restart();
    const asked = Array.from({ length: MAX_REQUESTS_A_MINUTE + 20 }, () => askClosed('GET', '/api/v1/cats'));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
  });
});

describe('the folder of the page', () => {
  // A new server counts requests from zero.
  beforeAll(() => central.restart());
  const up = constantFrom(
    '..',
    '%2e%2e',
    '%2E.',
    '.%2e',
    '%252e%252e',
    '%c0%ae%c0%ae',
    '%uff0e%uff0e',
    '....//..',
    '..;',
    '.%00.',
    '%ff..',
  );
  const slash = constantFrom('/', '%2f', '%2F', '%5c', '\\', '//', '%252f', '%c0%af', '/./', '%00/', ';/');
  const start = constantFrom('/', '//', '/page/', '/index.html/', '/./', '/%2f', '/\\', '/api/v1/', '/assets%2f');
  const goal = constantFrom(
    'secret.html',
    'central.yaml',
    'secret.html%00.css',
    'central.yaml?x.js',
    'page/.hidden',
    'etc/passwd',
    '.hidden',
  );
  const variants = tuple(start, up, slash, up, slash, goal).map(([a, b, c, d, e, f]) => [
    a + b + c + f,
    a + b + c + d + e + f,
  ]);

  test(`is never left, by ${VARIANTS} spellings`, async () => {
    const known = readFileSync(join(home, 'page/index.html'), 'utf8');
    const paths = [...new Set(sample(variants, { numRuns: 2 * VARIANTS, seed: 7 }).flat())].slice(0, VARIANTS);
    expect(paths).toHaveLength(VARIANTS);
    expect(MAX_REQUESTS_A_MINUTE).toBeGreaterThan(VARIANTS);
    const answers = await Promise.all(paths.map((path) => ask('GET', path)));
    for (const [i, { status, body }] of answers.entries()) {
      expect(body, paths[i]).not.toContain(SECRET);
      expect(body, paths[i]).not.toContain('root:');
      expect(status === 200 ? body : known, paths[i]).toBe(known);
      expect(status, paths[i]).toBeLessThan(500);
    }
    // Not the limit of requests has kept them out.
    expect(answers.filter(({ status }) => status === 429)).toEqual([]);
  });

  test('hides what begins with a dot and what is no part of a page', async () => {
    for (const path of ['/.hidden', '/%2ehidden', '/./.hidden', '/index.html~', '/INDEX.HTML']) {
      expect([403, 404], path).toContain((await ask('GET', path)).status);
    }
  });
});
