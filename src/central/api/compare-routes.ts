/** What other settings of shakes would change, by the readings that an agent keeps. Nothing is stored or applied: its agent is asked. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { MAX_COMPARE_HOURS, SHAKE_LIMITS, type ShakeKey } from '../../contract/compare.ts';
import { AGENT_NAME } from '../../contract/topic.ts';
import type { ApiParts } from './parts.ts';
import { failure, problems } from './problem.ts';

const within = (key: ShakeKey) => {
  const { least, most, whole } = SHAKE_LIMITS[key];
  return (whole ? z.int() : z.number()).min(least).max(most).optional();
};
const settings = {
  sensitivity: within('sensitivity').describe('above 1: weaker shakes count'),
  quietMs: within('quietMs').describe('so long without shaking ends a shake'),
  levelOn: within('levelOn').describe('from this level of a collar with levels a shake begins'),
  levelHold: within('levelHold').describe('and it goes on above this share of it'),
  edgesOn: within('edgesOn').describe('so many edges or counted movements are a shake'),
  edgesMs: within('edgesMs').describe('when they come within this time'),
};
const compareBody = z.strictObject({
  hours: z.number().gt(0).max(MAX_COMPARE_HOURS).describe('of the newest readings'),
  shake: z.strictObject(settings).describe('what the collar would have of its own; what is absent stays as it is'),
});

const shake = z
  .tuple([z.number(), z.number().nullable()])
  .describe('start and end in milliseconds after fromMs; null: not ended');
const compareAnswer = z.object({
  collar: z.string(),
  fromMs: z.number().describe('wall time, as toMs'),
  toMs: z.number(),
  coveredMs: z.number().describe('of which readings are kept'),
  readings: z.number(),
  levels: z.array(z.number()).describe('the strongest level of each column from fromMs to toMs'),
  past: z.array(shake).describe('shakes as they were decided when the readings came'),
  anew: z.array(shake).describe('as they would be'),
  changes: z
    .array(z.object({ what: z.enum(['added', 'removed', 'moved']), before: shake.nullable(), after: shake.nullable() }))
    .describe('the newest, by time'),
  added: z.number(),
  removed: z.number(),
  moved: z.number().describe('the same shake at another time or of another length'),
  same: z.number(),
  decidedBy: z.array(z.string()).describe('detectors of then, by version and hash of their settings'),
  triedBy: z.string(),
  own: z.object(settings).describe('for detect.shake.collars in agent.yaml'),
});

export function compareRoutes({ compare, signal }: ApiParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/agents/:agent/collars/:collar/compare',
      {
        schema: {
          summary: 'What other settings would have made of the readings that an agent keeps: nothing is changed by it',
          params: z.object({ agent: z.string().regex(AGENT_NAME), collar: z.string().min(1).max(64) }),
          body: compareBody,
          response: { 200: compareAnswer, ...problems(400, 403, 409, 429, 503) },
        },
      },
      async (request, reply) => {
        if (compare === undefined) throw failure('LOOK_REFUSED', 'nothing is compared here');
        const { agent, collar } = request.params;
        const left = new AbortController();
        // Who goes away does not want to know any more.
        reply.raw.once('close', () => left.abort());
        const compared = await compare(agent, { collar, ...request.body }, AbortSignal.any([signal, left.signal]));
        reply.header('cache-control', 'no-store');
        const { levels, past, anew, changes, decidedBy, ...rest } = compared;
        const copy = ([startMs, endMs]: readonly [number, number | null]): [number, number | null] => [startMs, endMs];
        return {
          ...rest,
          levels: [...levels],
          past: past.map(copy),
          anew: anew.map(copy),
          changes: changes.map(({ what, before, after }) => ({
            what,
            before: before && copy(before),
            after: after && copy(after),
          })),
          decidedBy: [...decidedBy],
        };
      },
    );
  };
}
