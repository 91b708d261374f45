/** What goes in and out of the routes of quarantine. */
import { z } from 'zod';

const page = {
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  agent: z.string().max(64).optional(),
};
const from = z.coerce.number().int().min(0).default(0);
const kind = z.enum(['unreadable', 'refused', 'rejected']);
const time = z.string().describe('RFC 3339 in UTC');
const dropped = z.object({ agent: z.string(), kind: z.enum([...kind.options, 'conflict']), messages: z.int() });

export const keptPath = z.object({ no: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });
export const keptQuery = z.strictObject({
  ...page,
  after: from.describe('the number of the last message of the page before'),
  kind: kind.optional(),
});
export const conflictsQuery = z.strictObject({ ...page, after: from.describe('how many to leave out') });

const kept = z.object({
  no: z.int(),
  agent: z.string().describe('empty where the topic names no agent that is known'),
  topic: z.string(),
  kind: kind.describe('rejected: one event of a batch, of which the others are stored'),
  reason: z.string(),
  noted: time,
  lastNoted: time,
  times: z.int().describe('how often it came: agents send again'),
  bytes: z.int(),
  place: z.object({ epoch: z.string(), seq: z.int() }).nullable().describe('which a rejected event has left empty'),
});

export const keptAnswer = z.object({
  messages: z.array(kept),
  held: z.object({ messages: z.int(), bytes: z.int(), noted: z.int().describe('all that ever came') }),
  dropped: z.array(dropped).describe('what had to go for room, ever'),
});
export const keptMessageAnswer = kept.extend({
  payload: z.string().describe('base64; shorter than `bytes` where it was cut'),
});
export const droppedAnswer = z.object({ dropped: z.int() });
export const retriedAnswer = z.union([
  z.object({ ok: z.literal(true), inserted: z.int(), duplicates: z.int(), conflicts: z.int() }),
  z.object({ ok: z.literal(false), reason: z.string() }),
]);
export const conflictsAnswer = z.object({
  conflicts: z.array(
    z.object({
      agent: z.string(),
      epoch: z.string(),
      seq: z.int(),
      noted: time,
      body: z.string().describe('the event in JSON'),
    }),
  ),
});
