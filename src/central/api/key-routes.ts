/** Who may sign as which agent, over HTTP. Keys change hands on the machine of central only: whoever changes them may be anybody. */
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { encodePublicKey, keyIdOf, parsePublicKey } from '../../contract/signature.ts';
import { AGENT_NAME, CENTRAL_AGENT } from '../../contract/topic.ts';
import type { AgentKey } from '../store/key-store.ts';
import type { ApiParts } from './parts.ts';
import { failure, problems } from './problem.ts';

const agent = z
  .string()
  .regex(AGENT_NAME, 'is no name of an agent')
  .refine((name) => name !== CENTRAL_AGENT, `${CENTRAL_AGENT} signs nothing`);
const keyAnswer = z.object({
  agent: z.string(),
  keyId: z.string().describe('16 hex digits of the SHA-256 of the key'),
  key: z.string().describe('Ed25519, 32 bytes in base64url'),
  how: z.enum(['enrolled', 'first-use']),
  since: z.string(),
  revokedAt: z.string().nullable(),
});
const keysAnswer = z.object({ keys: z.array(keyAnswer) });
const agentPath = z.object({ agent });
const keyPath = z.object({ agent, key: z.string().max(64).describe('its id, or the key itself') });
const newKeyBody = z.strictObject({ key: z.string().max(64).describe('as `collard agent key` prints it') });

export function keyRoutes({ store, changes, clock }: ApiParts): FastifyPluginAsyncZod {
  const revoke = async (name: string, keyId: string | null, log: FastifyRequest['log']) => {
    const revoked = await store.revokeKeys(name, keyId, clock().toISOString());
    if (revoked.length === 0) throw failure('KEY_NOT_FOUND', whyNone(name, keyId, await store.keys(name)));
    for (const key of revoked) log.warn({ agent: name, keyId: key.keyId }, `a key of ${name} is revoked`);
    changes.announce();
    return { keys: revoked.map(shown) };
  };
  return async (app) => {
    app.addHook('onRequest', async (request) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') refuseOthers(request);
    });
    app.get(
      '/agents/keys',
      { schema: { summary: 'The keys of all agents', response: { 200: keysAnswer, ...problems(429) } } },
      async () => ({ keys: (await store.keys()).map(shown) }),
    );
    app.post(
      '/agents/:agent/keys',
      {
        schema: {
          summary: 'Enrol a key: from now on the agent must sign. On this machine only',
          params: agentPath,
          body: newKeyBody,
          response: { 201: keyAnswer, ...problems(400, 403, 409, 413, 415, 429) },
        },
      },
      async (request, reply) => {
        const name = request.params.agent;
        const key = parsePublicKey(request.body.key);
        if (key === null) throw failure('INVALID_KEY', 'key must be an Ed25519 public key: 32 bytes in base64');
        const enrolled = await store.enrollKey(name, key, 'enrolled', clock().toISOString());
        if (enrolled === null) throw new Error(`the key of ${name} was not enrolled`);
        request.log.warn({ agent: name, keyId: enrolled.keyId }, `a key of ${name} is enrolled`);
        changes.announce();
        return reply.code(201).send(shown(enrolled));
      },
    );
    app.delete(
      '/agents/:agent/keys',
      {
        schema: {
          summary: 'Revoke all keys of an agent: it is heard no more. On this machine only',
          params: agentPath,
          response: { 200: keysAnswer, ...problems(400, 403, 404, 415, 429) },
        },
      },
      (request) => revoke(request.params.agent, null, request.log),
    );
    app.delete(
      '/agents/:agent/keys/:key',
      {
        schema: {
          summary: 'Revoke one key. On this machine only',
          params: keyPath,
          response: { 200: keysAnswer, ...problems(400, 403, 404, 415, 429) },
        },
      },
      (request) => {
        const { key: text } = request.params;
        const key = parsePublicKey(text);
        return revoke(request.params.agent, key === null ? text : keyIdOf(key), request.log);
      },
    );
  };
}

/** No other machine, nobody that a proxy speaks for, and no web page, which always names where it comes from. */
function refuseOthers({ socket, headers }: Pick<FastifyRequest, 'socket' | 'headers'>): void {
  const { remoteAddress = '', localAddress } = socket;
  const here = remoteAddress === localAddress || /^(::ffff:)?127\.|^::1$/.test(remoteAddress);
  const forwarded = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
  if (!here || forwarded)
    throw failure('NOT_HERE', 'keys are changed on the machine of central only: collard central enroll');
  if (headers.origin !== undefined) throw failure('CROSS_SITE', 'keys are changed by collard central, not by a page');
}

/** Who has lost a card has to know what shuts it out. */
function whyNone(name: string, keyId: string | null, keys: readonly AgentKey[]): string {
  if (keys.length === 0)
    return (
      `${name} has no key that is enrolled, so that none can be revoked. Enrol the key of its new card ` +
      `(collard central enroll --agent ${name} --key KEY), which shuts out all that is not signed with it, ` +
      'or take its certificate or user away at the broker'
    );
  if (keyId === null) return `all keys of ${name} are revoked already: it is heard no more`;
  return `${name} has no such key that is not revoked: collard central keys shows those that it has`;
}

function shown({ key, ...rest }: AgentKey): z.output<typeof keyAnswer> {
  return { ...rest, key: encodePublicKey(key) };
}
