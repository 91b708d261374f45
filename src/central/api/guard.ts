/** In front of every route: another site may change nothing, and who is not known, or may not, gets no further. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access, Who } from './access.ts';
import { failure } from './problem.ts';

/** Of the folder of the page, what somebody sees who is not logged in. */
const LOGIN_STYLE = '/login.css';
const REALM = 'Bearer realm="collard"';

export function addGuard(app: FastifyInstance, access: Access): void {
  app.decorateRequest('who', null);
  app.addHook('onRequest', async (request) => refuseCrossSite(request));
  // Once the limit of requests is past, which counts refused ones too, and before a body is read.
  app.addHook('preParsing', async (request, reply) => {
    if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store');
    if (request.routeOptions.config.everybody === true || request.url.split('?')[0] === LOGIN_STYLE) return;
    const who = await identify(request, reply, access);
    if (who === null) {
      if (!wantsPage(request)) throw loginNeeded(reply);
      await reply.code(303).header('cache-control', 'no-store').header('location', 'login').send();
      return;
    }
    if (isUnsafe(request) && who.scope === 'read') {
      reply.header('www-authenticate', `${REALM}, error="insufficient_scope", scope="command"`);
      throw failure('SCOPE_NEEDED', `the token ${who.by} may only read: this needs one with the scope command`);
    }
    request.who = who;
  });
  app.addHook('onResponse', async (request, reply) => {
    const { who, method, url } = request;
    if (who === null || who.via === 'open' || !isUnsafe(request)) return;
    request.log.info({ by: who.by, via: who.via, method, url, status: reply.statusCode }, 'a command was given');
  });
}

/** What events of its commands say of who asked; null where nobody had to say who it is. */
export function byOf({ who }: Pick<FastifyRequest, 'who'>): string | null {
  return who?.by ?? null;
}

async function identify(request: FastifyRequest, reply: FastifyReply, access: Access): Promise<Who | null> {
  try {
    return await access.identify(request);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'INVALID_TOKEN')
      reply.header('www-authenticate', `${REALM}, error="invalid_token"`);
    throw error;
  }
}

function loginNeeded(reply: FastifyReply): Error {
  reply.header('www-authenticate', REALM);
  const how = 'log in on the page, or send a token (collard central token add) as Authorization: Bearer';
  return failure('LOGIN_NEEDED', `central must know who asks: ${how}`);
}

/** A person who opened it in a browser is led to where the password is asked for. */
function wantsPage({ method, url, headers }: FastifyRequest): boolean {
  return method === 'GET' && /^\/[^/?]*(\?|$)/.test(url) && (headers.accept ?? '').includes('text/html');
}

function isUnsafe({ method }: FastifyRequest): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/**
 * A page of another site that a person has open must not add cats. A browser says where a page comes from by Fetch Metadata, and
 * where it does not trust the connection, by Origin alone. Programs send neither.
 */
function refuseCrossSite(request: FastifyRequest): void {
  if (!isUnsafe(request)) return;
  const { 'sec-fetch-site': site, origin } = request.headers;
  const isOwn =
    site === undefined ? origin === undefined || hostOf(origin) === request.host.toLowerCase() : isSame(site);
  if (!isOwn) throw failure('CROSS_SITE', 'another site may not change anything here');
}

function isSame(site: string | string[]): boolean {
  return site === 'same-origin' || site === 'none';
}

/** As it stands in a host header; null for `null`, which a page has that hides where it comes from. */
function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
