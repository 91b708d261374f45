/** Logging in and out: plain forms, so that it works without scripts. Programs use tokens instead. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { createGate } from '../../lib/wait.ts';
import { type Access, cookieName, cookieOf, isLoopback, SESSION_MS } from './access.ts';
import { createLoginLimit } from './login-limit.ts';
import { type LoginNote, loginPage } from './login-page.ts';
import type { ApiParts } from './parts.ts';
import { isPassword, MAX_PASSWORD_LENGTH } from './password.ts';
import { problems } from './problem.ts';

/** A password with everything escaped, and its name. */
const MAX_FORM_BYTES = 4 * 4 * MAX_PASSWORD_LENGTH;
const FORM = 'application/x-www-form-urlencoded';
const everybody = { config: { everybody: true }, schema: { hide: true } } as const;

export function loginRoutes({ store, clock }: Pick<ApiParts, 'store' | 'clock'>, access: Access): FastifyPluginAsync {
  const limit = createLoginLimit(() => clock().getTime());
  // Each takes 32 MiB while it is made: one at a time, and as many wait as may be tried.
  const alone = createGate(1);
  const isRight = (password: string, hash: string) => alone(() => isPassword(password, hash));
  return async (app) => {
    takeForms(app);
    app.get('/login', everybody, async (request, reply) => {
      if ((await access.identify(request)) !== null) return goTo(reply, './');
      const none = (await store.passwordHash()) === null;
      const ended = (request.query as Record<string, unknown>).ended !== undefined;
      return show(request, reply, 200, none ? 'none-set' : ended ? 'ended' : null);
    });
    app.post('/login', everybody, async (request, reply) => {
      const hash = await store.passwordHash();
      if (hash === null) return show(request, reply, 403, 'none-set');
      const waitSeconds = limit.take(request.ip);
      if (waitSeconds !== null) {
        reply.header('retry-after', String(waitSeconds));
        return show(request, reply, 429, { waitSeconds });
      }
      const password = request.body instanceof URLSearchParams ? (request.body.get('password') ?? '') : '';
      const right = password.length <= 2 * MAX_PASSWORD_LENGTH && (await isRight(password, hash));
      const cookie = right ? await access.logIn(hash) : null;
      if (cookie === null) {
        request.log.warn({ address: request.ip }, 'somebody tried to log in with a wrong password');
        return show(request, reply, 401, 'wrong');
      }
      limit.forget(request.ip);
      request.log.info({ address: request.ip }, 'somebody has logged in');
      return goTo(reply.header('set-cookie', cookieText(request, cookie, SESSION_MS / 1_000)), './');
    });
    app.post('/logout', everybody, async (request, reply) => {
      const cookie = cookieOf(request);
      if (cookie !== null) await access.logOut(cookie);
      return goTo(reply.header('set-cookie', cookieText(request, '', 0)), 'login?ended');
    });
  };
}

const sessionAnswer = z.object({
  via: z.enum(['open', 'session', 'token']).describe('how: nothing was asked for, by logging in, by a token'),
  by: z.string().nullable().describe('what events of its commands say'),
  scope: z.enum(['read', 'command']).describe('command may read, too'),
});

/** What central takes the asker for. */
export const sessionRoute: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/session',
    { schema: { summary: 'Who is asking, and what that may', response: { 200: sessionAnswer, ...problems(429) } } },
    async ({ who }) => {
      const { via, by, scope } = who ?? { via: 'open', by: null, scope: 'command' };
      return { via, by, scope };
    },
  );
};

/** Here only: everywhere else JSON alone is taken, which no form of another site can send. */
function takeForms(app: FastifyInstance): void {
  app.addContentTypeParser(FORM, { parseAs: 'string', bodyLimit: MAX_FORM_BYTES }, (_request, body, done) =>
    done(null, new URLSearchParams(String(body))),
  );
}

function show(request: FastifyRequest, reply: FastifyReply, status: number, note: LoginNote): FastifyReply {
  const view = {
    note,
    isPrivate: request.protocol === 'https' || isLoopback(request.socket.localAddress?.replace('::ffff:', '') ?? ''),
    askAgain: request.method === 'GET' && request.headers['sec-fetch-site'] === 'cross-site',
  };
  return reply.code(status).header('cache-control', 'no-store').type('text/html; charset=utf-8').send(loginPage(view));
}

/** Relative, so that it works under any path. */
function goTo(reply: FastifyReply, location: string): FastifyReply {
  return reply.code(303).header('cache-control', 'no-store').header('location', location).send();
}

function cookieText(request: FastifyRequest, value: string, seconds: number): string {
  const secure = request.protocol === 'https' ? '; Secure' : '';
  return `${cookieName(request)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
}
