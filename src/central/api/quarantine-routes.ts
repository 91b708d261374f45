/** What could not be taken in, over HTTP: look at it, take it along, try it again, drop it. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Kept } from '../store/kept.ts';
import type { ApiParts } from './parts.ts';
import { failure, problems } from './problem.ts';
import {
  conflictsAnswer,
  conflictsQuery,
  droppedAnswer,
  keptAnswer,
  keptMessageAnswer,
  keptPath,
  keptQuery,
  retriedAnswer,
} from './quarantine-schema.ts';

/** What is there. */
export function quarantineRoutes({ store }: ApiParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/quarantine',
      {
        schema: {
          summary: 'Messages in quarantine, oldest first',
          querystring: keptQuery,
          response: { 200: keptAnswer, ...problems(400, 429) },
        },
      },
      async ({ query: { after, limit, agent, kind } }) => {
        const filter = { ...(agent === undefined ? {} : { agent }), ...(kind === undefined ? {} : { kind }) };
        const { dropped, ...held } = await store.quarantineTally();
        const messages = await store.quarantined({ after, limit, ...filter });
        return { messages: [...messages], held, dropped: [...dropped] };
      },
    );
    app.get(
      '/quarantine/:no',
      {
        schema: {
          summary: 'One of them with its payload',
          params: keptPath,
          response: { 200: keptMessageAnswer, ...problems(400, 404, 429) },
        },
      },
      async ({ params: { no } }) => {
        const message = await store.quarantinedMessage(no);
        if (message === null) throw unknown(no);
        const { payload, ...kept } = message;
        return { ...(kept satisfies Kept), payload: Buffer.from(payload).toString('base64') };
      },
    );
    app.get(
      '/conflicts',
      {
        schema: {
          summary: 'Events under numbers that belong to other events',
          querystring: conflictsQuery,
          response: { 200: conflictsAnswer, ...problems(400, 429) },
        },
      },
      async ({ query: { after, limit, agent } }) => ({
        conflicts: [...(await store.conflicting({ after, limit, ...(agent === undefined ? {} : { agent }) }))],
      }),
    );
  };
}

/** What a person decides of it. */
export function quarantineCommands({ store, retry, changes }: ApiParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/quarantine/:no/retry',
      {
        schema: {
          summary: 'Take one in again: it is stored and leaves, or stays with the reason',
          params: keptPath,
          response: { 200: retriedAnswer, ...problems(400, 403, 404, 415, 429) },
        },
      },
      async ({ params: { no } }) => {
        const retried = await retry(no);
        if (retried === null) throw unknown(no);
        return retried;
      },
    );
    app.delete(
      '/quarantine/:no',
      {
        schema: {
          summary: 'Drop one',
          params: keptPath,
          response: { 200: droppedAnswer, ...problems(400, 403, 404, 415, 429) },
        },
      },
      async ({ params: { no } }) => {
        const dropped = await store.dropQuarantined(no);
        if (dropped === 0) throw unknown(no);
        changes.announce();
        return { dropped };
      },
    );
    app.delete(
      '/quarantine',
      { schema: { summary: 'Drop all', response: { 200: droppedAnswer, ...problems(403, 415, 429) } } },
      async () => {
        const dropped = await store.dropQuarantined('all');
        changes.announce();
        return { dropped };
      },
    );
  };
}

function unknown(no: number): Error {
  return failure('NOT_IN_QUARANTINE', `there is no message ${no} in quarantine`);
}
