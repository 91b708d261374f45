/** The last minute of a collar, for who looks on. Nothing of it is stored: its agent is asked. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { LIVE_COLUMN_MS } from '../../contract/live.ts';
import { AGENT_NAME } from '../../contract/topic.ts';
import type { ApiParts } from './parts.ts';
import { failure, problems } from './problem.ts';

const liveAnswer = z.object({
  collar: z.string(),
  nowMs: z.number().describe('in the clock of the agent, as all times here'),
  columnMs: z.int(),
  measure: z
    .enum(['acceleration', 'level', 'edges'])
    .nullable()
    .describe('what the level is: g, the level that the collar tells, or edges of late; null: nothing was heard yet'),
  borders: z.object({
    onOdds: z.number().nullable().describe('a shake begins above these log-odds; null: by the level alone'),
    offOdds: z.number().nullable().describe('and goes on above those'),
    level: z.number().describe('a shake begins above this level; with acceleration, it goes on above it'),
  }),
  columns: z.array(
    z.object({
      no: z.int().describe('it began at so many times columnMs'),
      level: z.number(),
      odds: z.number().nullable(),
      shaking: z.boolean(),
    }),
  ),
  bursts: z.array(z.object({ startMs: z.number(), endMs: z.number().nullable().describe('null: it goes on') })),
  rateHz: z.number().nullable(),
  restG: z.number().nullable(),
  warnings: z.array(z.string()),
});

export function liveRoutes({ look }: ApiParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/agents/:agent/collars/:collar/live',
      {
        schema: {
          summary:
            'The last minute of a collar with thresholds and bursts, as far as somebody has looked: ask once a second',
          params: z.object({ agent: z.string().regex(AGENT_NAME), collar: z.string().min(1).max(64) }),
          response: { 200: liveAnswer, ...problems(400, 409, 429, 503) },
        },
      },
      async ({ params: { agent, collar } }, reply) => {
        if (look === undefined) throw failure('LOOK_REFUSED', 'nobody may look on here');
        const { columns, bursts, warnings, ...trace } = await look(agent, collar);
        reply.header('cache-control', 'no-store');
        return {
          ...trace,
          columnMs: LIVE_COLUMN_MS,
          columns: [...columns],
          bursts: [...bursts],
          warnings: [...warnings],
        };
      },
    );
  };
}
