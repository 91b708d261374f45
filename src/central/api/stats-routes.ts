/** Events counted by hour or day, over HTTP. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { ApiParts } from './parts.ts';
import { problems } from './problem.ts';
import { statsAnswer, statsQuery } from './schema.ts';

export function statsRoutes({ statsOf }: ApiParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/stats',
      {
        schema: {
          summary: 'How many events each cat had by hour or day, and how long its meows were',
          querystring: statsQuery,
          response: { 200: statsAnswer, ...problems(400, 404, 429, 503) },
        },
      },
      async (request) => {
        const { by, type, cat, from, to, tz } = request.query;
        const stats = await statsOf({
          by,
          ...(type === undefined ? {} : { types: type }),
          ...(cat === undefined ? {} : { catId: cat }),
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
          ...(tz === undefined ? {} : { tz }),
        });
        return { ...stats, rows: stats.rows.map((row) => ({ ...row, types: { ...row.types } })) };
      },
    );
  };
}
