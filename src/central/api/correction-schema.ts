/** What corrections and the state of the models are over HTTP. */
import { z } from 'zod';
import { words } from './schema.ts';

export const revokeBody = z.strictObject({ epoch: z.uuid(), seq: z.int().min(1), reason: words });

export const reassignBody = z.strictObject({
  epoch: z.uuid(),
  seq: z.int().min(1),
  cat: z.int().min(1),
  reason: words,
});

const corrected = z.array(z.string()).describe('ids of what was corrected: a shake has a start and an end');

export const revokeAnswer = z.object({
  revoked: z.boolean().describe('false: it was taken back before'),
  events: corrected,
});

export const reassignAnswer = z.object({
  reassigned: z.boolean().describe('false: it was given to this cat before'),
  events: corrected,
});

export const modelsAnswer = z.object({
  skipped: z.array(
    z.object({
      type: z.string(),
      version: z.int(),
      events: z.int(),
      needed: z.boolean().describe('of a type that the cats are made of'),
      reason: z.string(),
    }),
  ),
  stopped: z
    .object({ id: z.string(), agent: z.string(), type: z.string(), version: z.int(), reason: z.string() })
    .nullable()
    .describe('the event that the cats stand still before (fold: stop)'),
});
