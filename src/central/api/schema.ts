/** What goes in and out over HTTP: one schema for checking, types and OpenAPI. */
import { z } from 'zod';
import { fullType } from '../../contract/event.ts';
import { fusedAttributes, fusedQuery } from './event-schema.ts';

export const MAX_EVENTS_A_PAGE = 1_000;
/** The most types that one query names. */
const MAX_TYPES = 32;
const MOMENT = 'must be a moment such as 2026-11-20T08:00Z';

/** Any offset comes in; UTC with milliseconds is what events carry. */
const moment = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/, { error: MOMENT, abort: true })
  .refine((text) => !Number.isNaN(Date.parse(text)), MOMENT)
  .transform((text) => new Date(text).toISOString());
/** Checked for content by the part behind, which tells one length for all that ask it. */
export const words = z.string().max(1_000);

export const catPath = z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });

export const newCatBody = z.strictObject({ name: words, collar: words.optional() });
export const changeCatBody = z
  .strictObject({ name: words.optional(), collar: words.optional() })
  .refine((body) => body.name !== undefined || body.collar !== undefined, 'name or collar must be given');
export const locationBody = z.strictObject({ location: words });

export const historyQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(1_000).default(100) });
export const stateQuery = z.strictObject({ at: moment.optional() });
/** Never sent through a serializer: it does not end. */
export const streamAnswer = {
  description: 'event, cats, agents, models; first hello, or reset where the cursor is of another store',
  content: { 'text/event-stream': { schema: z.string() } },
};
export const streamQuery = z.strictObject({ after: z.string().max(4_096).optional() });

const types = z
  .union([z.string().max(128), z.array(z.string().max(128)).max(MAX_TYPES)])
  .optional()
  .transform((value) => (value === undefined ? undefined : [value].flat().flatMap((text) => text.split(','))))
  .transform((types) => types?.slice(0, MAX_TYPES).map((type) => fullType(type.trim())))
  .describe('`meow.ended`, or several with commas');

const AFTER =
  '`next` of the page before; refused with 400 (bad-cursor) where it is none, or is ahead of the store, as one of before a ' +
  'restore from a backup may be: begin without it then';

export const eventsQuery = z
  .strictObject({
    order: z.enum(['asc', 'desc']).default('asc').describe('asc: from `after` on; desc: newest first from `before`'),
    sort: z
      .enum(['position', 'time'])
      .optional()
      .describe(
        'position: the order of the store, in which who goes on from `next` misses nothing that comes late (asc only; the ' +
          'default there); time: when it happened (the default of desc)',
      ),
    after: z.string().max(4_096).optional().describe(AFTER),
    before: z.string().max(4_096).optional().describe('`next` of the page before, with order=desc'),
    limit: z.coerce.number().int().min(1).max(MAX_EVENTS_A_PAGE).default(100),
    type: types,
    cat: z.coerce.number().int().min(1).optional().describe('number of a cat'),
    collar: z.string().max(64).optional(),
    agent: z.string().max(64).optional(),
    from: moment.optional().describe('events at or after this moment'),
    to: moment.optional().describe('events before this moment'),
    fused: fusedQuery,
  })
  .refine((query) => !query.fused || query.order === 'desc', { path: ['fused'], error: 'goes with order=desc' })
  .refine((query) => query.after === undefined || query.order === 'asc', {
    path: ['after'],
    error: 'goes with order=asc',
  })
  .refine((query) => query.before === undefined || query.order === 'desc', {
    path: ['before'],
    error: 'goes with order=desc',
  })
  .refine((query) => query.sort !== 'position' || query.order === 'asc', {
    path: ['sort'],
    error: 'position goes with order=asc',
  });

export const statsQuery = z.strictObject({
  by: z.enum(['hour', 'day']).default('day'),
  type: types,
  cat: z.coerce.number().int().min(1).optional().describe('number of a cat; all cats without it'),
  from: moment.optional().describe('events at or after this moment; 7 days before `to`, or 31 with by=day'),
  to: moment.optional().describe('events before this moment; now'),
  tz: z
    .string()
    .max(64)
    .optional()
    .describe('IANA name of the zone whose hours and days are meant; that of this machine'),
});

export const statsAnswer = z.object({
  by: z.enum(['hour', 'day']),
  tz: z.string(),
  from: z.string(),
  to: z.string(),
  rows: z.array(
    z.object({
      from: z.string().describe('RFC 3339 with the offset of the zone at that moment'),
      to: z.string(),
      catId: z.int(),
      name: z.string(),
      events: z.int(),
      types: z.record(z.string(), z.int()),
      meows: z.int().describe('meows that have ended'),
      meowMs: z.number().describe('how long they were together'),
      meanMs: z.number().nullable(),
    }),
  ),
});

export const eventPath = z.object({
  epoch: z.uuid(),
  seq: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
});

const time = z.string().describe('RFC 3339 in UTC');

const alert = z.object({
  rule: z.enum(['shaking', 'still', 'silent', 'battery']),
  key: z.string().describe('the rule with its limits'),
  since: time,
  text: z.string(),
});

export const catAnswer = z
  .object({
    id: z.int(),
    name: z.string(),
    isMeowed: z.boolean().describe('shaking now'),
    location: z.string().nullable(),
    locationSince: time.nullable(),
    confidence: z
      .number()
      .optional()
      .describe('how sure the sightings of several agents are of the location, 0 to 1; absent where there are none'),
    collar: z.string().nullable(),
    lastSeen: time.nullable().describe('its newest event'),
    lastHeard: time.nullable().describe('the newest sign of its collar: an event, or what an agent says'),
    meowsToday: z.int(),
    batteryLow: z.boolean(),
    silent: z.boolean(),
  })
  .meta({ id: 'Cat' });

export const catsAnswer = z.object({ simulated: z.boolean(), cats: z.array(catAnswer) });
export const stateAnswer = z.object({ at: time, simulated: z.boolean(), cats: z.array(catAnswer) });

const ruleAnswer = z.object({
  rule: z.enum(['shaking', 'still', 'silent', 'battery']),
  own: z.boolean().describe('of this cat by its name, in the place of those of all cats'),
  meows: z.int().optional(),
  seconds: z.number().optional(),
  withinMinutes: z.number().optional(),
  hours: z.number().optional(),
});

export const activityAnswer = z.object({
  catId: z.int(),
  checkedAt: time,
  newEvents: z.int(),
  alerts: z.array(alert),
  rules: z.array(ruleAnswer).describe('what it looks for in this cat: `rules` of the configuration'),
});

const correction = z.object({
  by: z.string().describe('id of the event that corrects'),
  catId: z.int().nullable().describe('the cat that it was given to; null: it was taken back'),
  reason: z.string(),
});

export const historyAnswer = z.object({
  history: z.array(
    z.object({
      id: z.string(),
      timestamp: time,
      catId: z.int(),
      location: z.string().nullable(),
      eventType: z.enum(['cat_name', 'location', 'meow']),
      oldValue: z.string().nullable(),
      newValue: z.string().nullable(),
      correction: correction.nullable().describe('by which the event came to this cat'),
    }),
  ),
  corrected: z
    .array(
      z.object({
        id: z.string(),
        timestamp: time,
        type: z.string(),
        data: z.record(z.string(), z.unknown()),
        correction,
      }),
    )
    .describe('events that do not count for it any more'),
});

export const eventAnswer = z.looseObject({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  time,
  seq: z.int(),
  originaltime: time.optional().describe('what a clock said that was not set then; `time` was corrected since'),
  position: z.int().optional(),
  revoked: z.literal(true).optional().describe('taken back'),
  reassignedto: z.int().optional().describe('number of the cat that it was given to'),
  correctedby: z.string().optional().describe('id of the event that says so'),
  correction: z.string().optional().describe('its reason'),
  ...fusedAttributes,
});

export const eventsAnswer = z.object({ events: z.array(eventAnswer), next: z.string() });

export const agentsAnswer = z.object({
  simulated: z.boolean(),
  agents: z.array(
    z.object({
      agent: z.string(),
      state: z.enum(['online', 'offline', 'unknown']),
      session: z.int(),
      version: z.string(),
      signed: z
        .enum(['unsigned', 'verified', 'first-use', 'revoked'])
        .describe('must it sign: not, by an enrolled key, by the first that was heard, or is it heard no more'),
      lastHeard: time.nullable(),
      lastEvent: time.nullable(),
      lastStored: time.nullable(),
      health: z.record(z.string(), z.unknown()).nullable().describe('its health message as it came'),
      epochs: z.array(
        z.object({
          epoch: z.string(),
          mark: z.int(),
          highestSeq: z.int(),
          missing: z.int(),
          chainOk: z.boolean(),
        }),
      ),
      conflicts: z.int(),
      gaps: z.int(),
      quarantined: z.int().describe('messages of it in quarantine'),
    }),
  ),
  unassigned: z.array(z.object({ collar: z.string(), lastSeen: time, agent: z.string() })),
});
