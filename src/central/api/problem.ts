/** Errors as problem details (RFC 9457): one shape for all of them, with every fault of a request at once. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';

export const problemSchema = z
  .object({
    type: z.string().describe('about:blank, or urn:collard:problem:<code in lower case>'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .describe('every fault of the request'),
  })
  .meta({ id: 'Problem' });

export type Problem = z.infer<typeof problemSchema>;

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** Codes that the parts behind the API throw, and what they are over HTTP. */
const statusOfCode: Readonly<Record<string, number>> = {
  CAT_EXISTS: 409,
  CAT_NOT_FOUND: 404,
  EVENT_NOT_FOUND: 404,
  UNDO_IS_FINAL: 409,
  NOT_OF_A_CAT: 409,
  TAKEN_BACK: 409,
  NO_PICTURE: 404,
  NOT_IN_QUARANTINE: 404,
  KEY_NOT_FOUND: 404,
  INVALID_NAME: 400,
  INVALID_PLACE: 400,
  INVALID_COLLAR: 400,
  INVALID_REASON: 400,
  INVALID_KEY: 400,
  TOO_MANY_KEYS: 409,
  REFUSED: 409,
  BAD_CURSOR: 400,
  BAD_TIME_ZONE: 400,
  LOOK_REFUSED: 409,
  NO_ANSWER: 503,
  NOT_CONNECTED: 503,
  TOO_MANY_LOOKS: 503,
  TOO_MANY_STREAMS: 503,
  STORE_AWAY: 503,
  STORE_FAILED: 503,
  TOO_MUCH_HISTORY: 503,
  EXPIRED: 503,
  SEGMENT_DAMAGED: 503,
  MODEL_STOPPED: 503,
  CROSS_SITE: 403,
  NOT_HERE: 403,
  LOGIN_NEEDED: 401,
  INVALID_TOKEN: 401,
  SCOPE_NEEDED: 403,
  WRONG_NAME: 421,
};

/** Of every route that is not for everybody. */
const ALWAYS = [401, 421] as const;

/** For the `response` of a route: these statuses, each a problem, and those that all routes have. */
export function problems<S extends number>(...statuses: readonly S[]) {
  const answer = { description: 'problem', content: { 'application/problem+json': { schema: problemSchema } } };
  return Object.fromEntries(
    [...statuses, ...ALWAYS].map((status) => [status, { ...answer, description: titles[status] ?? 'problem' }]),
  );
}

export function failure(code: keyof typeof statusOfCode & string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

export function addErrorHandlers(app: FastifyInstance): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    if (hasZodFastifySchemaValidationErrors(error)) {
      const errors = error.validation.map((fault) => ({
        path: `${error.validationContext ?? 'request'}${fault.instancePath.replaceAll('/', '.').replace(/\.$/, '')}`,
        message: fault.message ?? 'not valid',
      }));
      return sendProblem(reply, 400, errors.map((fault) => `${fault.path}: ${fault.message}`).join('; '), { errors });
    }
    const code = String(error.code ?? '');
    const status = statusOfCode[code] ?? error.statusCode ?? 500;
    if (status < 500 || statusOfCode[code] !== undefined) return sendProblem(reply, status, error.message, { code });
    // What went wrong inside is for the log, not for strangers.
    request.log.error({ err: error }, 'request failed');
    return sendProblem(reply, status, 'central could not do this; its log says why');
  });
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) =>
    sendProblem(reply, 404, `there is nothing at ${request.method} ${request.url.split('?')[0] ?? ''}`),
  );
}

/** What fastify refuses before any hook has run: a path that cannot be decoded, or is too long. */
export function refuseRequest(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  reply.headers({
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  });
  sendProblem(reply, error.statusCode ?? 400, error.message);
}

export function sendProblem(
  reply: FastifyReply,
  status: number,
  detail: string,
  more: { readonly code?: string; readonly errors?: Problem['errors'] } = {},
): FastifyReply {
  const ours = more.code !== undefined && more.code in statusOfCode;
  const problem: Problem = {
    type: ours ? `urn:collard:problem:${more.code?.toLowerCase().replaceAll('_', '-')}` : 'about:blank',
    title: titles[status] ?? 'Error',
    status,
    detail,
    ...(more.errors === undefined ? {} : { errors: more.errors }),
  };
  return reply.code(status).type('application/problem+json').serializer(JSON.stringify).send(problem);
}
