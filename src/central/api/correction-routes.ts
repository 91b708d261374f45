/** What the models leave out, and what a person corrects, over HTTP: each correction is an event of its own, and can be undone. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { modelsAnswer, reassignAnswer, reassignBody, revokeAnswer, revokeBody } from './correction-schema.ts';
import { byOf } from './guard.ts';
import type { ApiParts } from './parts.ts';
import { problems } from './problem.ts';

export function correctionRoutes({ store, cats, changes }: ApiParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/models',
      {
        schema: {
          summary: 'What the models leave out because it cannot be read, and where they stand still',
          response: { 200: modelsAnswer, ...problems(429) },
        },
      },
      async () => {
        const { skipped, stopped } = await store.foldStatus();
        return { skipped: [...skipped], stopped };
      },
    );
    app.post(
      '/events/revoke',
      {
        schema: {
          summary: 'Take an event back, by another event; a correction is undone by it',
          body: revokeBody,
          response: { 200: revokeAnswer, ...problems(400, 403, 404, 409, 413, 415, 429) },
        },
      },
      async (request) => {
        const { epoch, seq, reason } = request.body;
        const events = await cats.as(byOf(request)).revoke(epoch, seq, reason);
        changes.announce();
        return { revoked: events.length > 0, events: [...events] };
      },
    );
    app.post(
      '/events/reassign',
      {
        schema: {
          summary: 'Give an event to another cat, by another event',
          body: reassignBody,
          response: { 200: reassignAnswer, ...problems(400, 403, 404, 409, 413, 415, 429, 503) },
        },
      },
      async (request) => {
        const { epoch, seq, cat, reason } = request.body;
        const events = await cats.as(byOf(request)).reassign(epoch, seq, cat, reason);
        changes.announce();
        return { reassigned: events.length > 0, events: [...events] };
      },
    );
  };
}
