/** Puts routes, page, headers and limits together. The caller listens and closes. */
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import statics from '@fastify/static';
import swagger from '@fastify/swagger';
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { type Access, createAccess } from './access.ts';
import { catCommandRoutes, catRoutes } from './cat-routes.ts';
import { compareRoutes } from './compare-routes.ts';
import { correctionRoutes } from './correction-routes.ts';
import { deviceRoutes } from './device-routes.ts';
import { eventRoutes } from './event-routes.ts';
import { addGuard } from './guard.ts';
import { keyRoutes } from './key-routes.ts';
import { liveRoutes } from './live-routes.ts';
import { loginRoutes, sessionRoute } from './login-routes.ts';
import { describeApi } from './openapi.ts';
import type { ApiParts } from './parts.ts';
import { pictureRoutes } from './picture-routes.ts';
import { addErrorHandlers, refuseRequest, sendProblem } from './problem.ts';
import { quarantineCommands, quarantineRoutes } from './quarantine-routes.ts';
import { statsRoutes } from './stats-routes.ts';
import { streamRoutes } from './stream.ts';

/** Requests of one address in a minute. A page needs about five, and then one stream. */
export const MAX_REQUESTS_A_MINUTE = 1_200;
export const MAX_BODY_BYTES = 16 * 1024;
/** Connections at once, slow ones included; beyond it new ones are closed. The unit allows twice as many files. */
export const MAX_CONNECTIONS = 2_048;
/** A client must have sent its headers, and then its whole request, within these times. */
const HEADERS_MS = 5_000;
const REQUEST_MS = 20_000;
const CHECK_EVERY_MS = 1_000;

/** A collar with its bell. */
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="13" r="10" fill="none" stroke="#e2725b" stroke-width="4"/><circle cx="16" cy="25" r="5" fill="#f2b84b"/></svg>';

/** Of the API as a whole: none of them where central is open. */
const SECURITY = {
  components: {
    securitySchemes: {
      token: {
        type: 'http',
        scheme: 'bearer',
        description: 'collard central token add; commands need the scope command',
      },
      session: { type: 'apiKey', in: 'cookie', name: '__Host-collard', description: 'of a browser that is logged in' },
    },
  },
  security: [{ token: [] }, { session: [] }, {}] as Record<string, string[]>[],
} as const;

export async function createServer(parts: ApiParts, logger: Logger): Promise<FastifyInstance> {
  const { trustProxy = [] } = parts.http;
  const app = fastify({
    // pino's own type and fastify's differ in optional properties only.
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    frameworkErrors: refuseRequest,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: 5_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 128 },
    trustProxy: trustProxy.length === 0 ? false : [...trustProxy],
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: CHECK_EVERY_MS },
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser('text/plain');
  addErrorHandlers(app);
  await addHeaders(app);
  await app.register(rateLimit, {
    max: MAX_REQUESTS_A_MINUTE,
    timeWindow: 60_000,
    cache: 1_000,
    allowList: (request) => /^\/(healthz|readyz|metrics)$/.test(request.url),
  });
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: 'collard central', version: parts.version }, ...SECURITY },
    transform: jsonSchemaTransform,
    transformObject: describeApi,
  });
  const access = createAccess(parts.store, parts.http, parts.clock);
  addGuard(app, access);
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    parts.metrics.request(request.method, route, reply.statusCode, reply.elapsedTime / 1_000);
  });
  await app.register(
    async (api) => {
      await api.register(catRoutes(parts));
      await api.register(catCommandRoutes(parts));
      await api.register(pictureRoutes(parts));
      await api.register(eventRoutes(parts));
      await api.register(correctionRoutes(parts));
      await api.register(statsRoutes(parts));
      await api.register(deviceRoutes(parts));
      await api.register(liveRoutes(parts));
      await api.register(compareRoutes(parts));
      await api.register(keyRoutes(parts));
      await api.register(quarantineRoutes(parts));
      await api.register(quarantineCommands(parts));
      await api.register(streamRoutes(parts, access));
      await api.register(sessionRoute);
    },
    { prefix: '/api/v1' },
  );
  await app.register(loginRoutes(parts, access));
  addOperations(app, parts, access);
  await addPage(app, parts.pageDir);
  return app;
}

async function addHeaders(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        requireTrustedTypesFor: ["'script'"],
      },
    },
    // Plain HTTP is spoken here; whoever puts TLS in front sends this too.
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
  });
}

function addOperations(app: FastifyInstance, parts: ApiParts, access: Access): void {
  const { store, metrics, notReady, signal, clock } = parts;
  const hide = { schema: { hide: true } };
  const everybody = { ...hide, config: { everybody: true } } as const;
  app.get('/healthz', everybody, async () => ({ status: 'ok' }));
  app.get('/readyz', everybody, async (_request, reply) => {
    const reason = signal.aborted ? 'central is stopping' : notReady();
    // Why may name agents and servers: not for those who are not known.
    if (reason !== null) return sendProblem(reply, 503, (await access.isClosed()) ? 'central is not ready' : reason);
    await store.arrivalHead();
    return { status: 'ok' };
  });
  app.get('/metrics', hide, async (_request, reply) => {
    const text = await metrics.text(store, clock());
    return reply.type(metrics.contentType).send(text);
  });
  app.get('/api/openapi.json', hide, async () => app.swagger());
}

/** Only what a browser may run or show leaves the folder. */
async function addPage(app: FastifyInstance, pageDir: string): Promise<void> {
  app.get('/favicon.svg', { config: { everybody: true }, schema: { hide: true } }, async (_request, reply) =>
    reply.type('image/svg+xml').send(ICON),
  );
  await app.register(statics, {
    root: pageDir,
    cacheControl: false,
    allowedPath: (path) => path === '/' || /^\/[a-z-]+\.(html|css|js|svg)$/.test(path),
    setHeaders: (reply) => reply.header('cache-control', 'no-cache'),
  });
}
