/** Cats over HTTP: the read model, and the commands of CatService. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { CatRow, CentralEvent, MeowingRow } from '../store/store.ts';
import { byOf } from './guard.ts';
import type { ApiParts } from './parts.ts';
import { problems } from './problem.ts';
import {
  activityAnswer,
  catAnswer,
  catPath,
  catsAnswer,
  changeCatBody,
  historyAnswer,
  historyQuery,
  locationBody,
  newCatBody,
  stateAnswer,
  stateQuery,
} from './schema.ts';

/** The changes that count, and beside them the events that were corrected: the originals are kept. */
function historyOf(catId: number, rows: readonly MeowingRow[], events: readonly CentralEvent[]) {
  const given = new Map(events.map((event) => [`${event.epoch}/${event.seq}`, event.correction]));
  return {
    history: rows.map((row) => ({ ...row, correction: given.get(row.id) ?? null })),
    corrected: events.flatMap(({ epoch, seq, time, type, data, revoked, reassignedTo, correction }) => {
      if (correction === null || (!revoked && reassignedTo === catId)) return [];
      const original = {
        id: `${epoch}/${seq}`,
        timestamp: time,
        type,
        data: JSON.parse(data) as Record<string, unknown>,
      };
      return [{ ...original, correction }];
    }),
  };
}

/** What is known of the cats. */
export function catRoutes({ store, watchdog, clock, simulated }: ApiParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/cats',
      { schema: { summary: 'The cats now', response: { 200: catsAnswer, ...problems(429) } } },
      async () => ({ simulated, cats: [...(await store.cats(clock()))] }),
    );
    app.get(
      '/cats/:id/activity',
      {
        schema: {
          summary: 'What the watchdog says of a cat',
          params: catPath,
          response: { 200: activityAnswer, ...problems(400, 404, 429) },
        },
      },
      async (request) => {
        const activity = await watchdog.checkCatActivity(request.params.id);
        const cat = (await store.cats(clock())).find(({ id }) => id === request.params.id);
        const rules = (cat === undefined ? [] : watchdog.rulesFor(cat)).map(({ cat: only, ...rule }) => ({
          ...rule,
          own: only !== undefined,
        }));
        return { ...activity, alerts: [...activity.alerts], rules };
      },
    );
    app.get(
      '/cats/:id/history',
      {
        schema: {
          summary: 'Changes of a cat, and its events that were corrected, newest first',
          params: catPath,
          querystring: historyQuery,
          response: { 200: historyAnswer, ...problems(400, 429) },
        },
      },
      async (request) => {
        const { params, query } = request;
        return historyOf(
          params.id,
          await store.catHistory(params.id, query.limit),
          await store.correctedEvents(params.id, query.limit),
        );
      },
    );
    app.get(
      '/state',
      {
        schema: {
          summary: 'The cats as of a moment',
          querystring: stateQuery,
          response: { 200: stateAnswer, ...problems(400, 429, 503) },
        },
      },
      async (request) => {
        const at = request.query.at === undefined ? clock() : new Date(request.query.at);
        const rows = request.query.at === undefined ? await store.cats(at) : await store.catsAt(at);
        return { at: at.toISOString(), simulated, cats: [...rows] };
      },
    );
  };
}

/** What people say of the cats. */
export function catCommandRoutes({ cats, changes }: ApiParts): FastifyPluginAsyncZod {
  /** What the log says after the command: for those who follow the stream. */
  const announced = (cat: CatRow): CatRow => {
    changes.announce();
    return cat;
  };
  return async (app) => {
    app.post(
      '/cats',
      {
        schema: {
          summary: 'Add a cat',
          body: newCatBody,
          response: { 201: catAnswer, ...problems(400, 403, 409, 413, 415, 429) },
        },
      },
      async (request, reply) => {
        const cat = announced(await cats.as(byOf(request)).addCat(request.body.name, request.body.collar));
        return reply.code(201).header('location', `/api/v1/cats/${cat.id}`).send(cat);
      },
    );
    app.patch(
      '/cats/:id',
      {
        schema: {
          summary: 'Rename a cat, or give it a collar',
          params: catPath,
          body: changeCatBody,
          response: { 200: catAnswer, ...problems(400, 403, 404, 409, 413, 415, 429) },
        },
      },
      async (request) => {
        const { name, collar } = request.body;
        const change = { ...(name === undefined ? {} : { name }), ...(collar === undefined ? {} : { collar }) };
        return announced(await cats.as(byOf(request)).changeCat(request.params.id, change));
      },
    );
    app.put(
      '/cats/:id/location',
      {
        schema: {
          summary: 'Correct where a cat is',
          params: catPath,
          body: locationBody,
          response: { 200: catAnswer, ...problems(400, 403, 404, 413, 415, 429) },
        },
      },
      async (request) =>
        announced(await cats.as(byOf(request)).updateCatLocation(request.params.id, request.body.location)),
    );
  };
}
