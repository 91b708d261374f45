/** What events are, for readers: each type with its data, and the CloudEvent around it. The types of the contract hold it to account. */
import { z } from 'zod';
import { type AlertData, type EventData, type EventType, fullType, WRITTEN_VERSIONS } from '../../contract/event.ts';
import { AGENT_NAME } from '../../contract/topic.ts';

const text = z.string();
export const moment = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  .describe('RFC 3339 in UTC with milliseconds');
export const epoch = z.uuid().describe('of the log that numbered it');
export const seq = z.int().min(1);
export const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe('SHA-256 in hex');
const catId = z.int().min(1).describe('number of a cat');
const reason = text.max(1_000);
const by = text.optional().describe('who told central: page, or the name of a token');
const detector = text.optional().describe('what decided it: version and hash of its settings');
const lastSeen = moment.describe('when the collar was heard last');
export const alertData = z.object({
  catId,
  rule: text.describe('shaking, still, silent or battery'),
  key: text.describe('the rule with its limits: what is cleared is what was raised'),
  text,
}) satisfies z.ZodType<AlertData>;

export const eventData = {
  'cat.named': z.object({ catId, oldName: text.nullable(), newName: text, by }),
  'collar.assigned': z.object({ catId, collar: text, by }),
  'cat.moved': z.object({
    from: text.nullable().describe('null at first'),
    to: text,
    confidence: z.number().min(0).max(1).optional(),
    catId: catId.optional().describe('where a person says so'),
    detector,
    by,
  }),
  'collar.sighted': z.object({
    place: text.describe('where the receiver or the sensor is'),
    sensor: text.optional().describe('its name, where the place has more than one'),
    rssi: z.number().optional().describe('mean over the time before, in dBm'),
    forMs: z.number().min(0).optional().describe('the length of that time'),
    motion: z.literal(true).optional().describe('a motion sensor'),
  }),
  'meow.started': z.object({ level: z.number().describe('of the first readings of the shake, in g'), detector }),
  'meow.ended': z.object({
    durationMs: z.number().min(0),
    peakG: z.number(),
    readings: z.int().min(0),
    place: text.nullable(),
    detector,
  }),
  'collar.silent': z.object({ lastSeen, detector }),
  'collar.heard': z.object({ lastSeen, detector }),
  'battery.low': z.object({ percent: z.number().min(0).max(100), detector }),
  'sensor.failed': z.object({ source: text, reason }),
  'sensor.recovered': z.object({ source: text, reason }),
  'clock.synced': z.object({
    boot: text,
    offsetMs: z.number().describe('added to monoMs of unsynced events of that boot: the time at which they happened'),
  }),
  'history.lost': z.object({
    epoch,
    fromSeq: seq,
    toSeq: seq,
    count: z.int().min(1),
    reason,
    runs: z.array(z.int()).optional().describe('lengths from fromSeq on: lost, not lost, lost, …; absent: all of it'),
  }),
  'history.conflict': z.object({ epoch, seq, reason }),
  'alert.raised': alertData,
  'alert.cleared': alertData,
  'event.revoked': z.object({ epoch, seq, reason, by }),
  'event.reassigned': z.object({ epoch, seq, catId, reason, by }),
} as const satisfies { readonly [T in EventType]: z.ZodType<Loose<EventData[T]>> & Whole<EventData[T]> };

/** No field is forgotten, optional ones neither. */
type Whole<T> = { readonly shape: { readonly [K in keyof T]-?: unknown } };
/** An optional field may also be there and undefined: JSON knows no difference. */
type Loose<T> = { readonly [K in keyof T]: undefined extends T[K] ? T[K] | undefined : T[K] };

/** What every CloudEvent of ours has; on the wire the last one of a batch also has `chain`, and a proof where the agent signs. */
const envelope = {
  specversion: z.literal('1.0'),
  id: text.describe('epoch/seq'),
  source: z.string().regex(new RegExp(`^/collard/agent/${AGENT_NAME.source.slice(1, -1)}$`)),
  subject: z.string().max(256).optional().describe('collar/ID or cat/NUMBER'),
  time: moment,
  dataschema: z.string().describe('urn:collard:TYPE:VERSION'),
  epoch,
  seq,
  clock: z.enum(['synced', 'unsynced']).describe('unsynced: the agent did not know the time yet'),
  boot: z.string().max(64).optional().describe('of unsynced events: which start of the machine'),
};

/** As agents send them. */
const wire = {
  ...envelope,
  monoMs: z.number().optional().describe('of unsynced events: milliseconds since that start'),
  chain: hash.optional().describe('of the whole history up to here'),
  chainbefore: hash.optional(),
  signature: z.string().optional().describe('Ed25519, base64url'),
  keyid: z.string().optional(),
};

/** Of a sighting after which those of several agents together gave a cat a place: made by the models, and asked for with `fused`. */
export const fusedAttributes = {
  fusedcat: z.int().min(1).optional().describe('of a sighting that decided where a cat is: the cat'),
  fusedfrom: z.string().optional().describe('where it was before; absent at first'),
  fusedto: z.string().optional().describe('where it is'),
  fusedpercent: z.int().min(0).max(100).optional().describe('how sure that is; absent where a motion sensor saw it'),
  fusedagents: z.string().optional().describe('agents that heard it or saw it, with commas'),
};

export const fusedQuery = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true')
  .describe(
    'true: among them, whatever `type` says, are the sightings by which several agents together gave a cat its place, and ' +
      'they say so (with order=desc)',
  );

/** As central gives them; webhooks and the export as CloudEvents say `monoms`, since names of attributes are in lower case there. */
const read = {
  ...envelope,
  monoMs: z.number().optional().describe('of unsynced events: milliseconds since that start'),
  monoms: z.string().optional().describe('the same, in webhooks and exports as CloudEvents'),
  originaltime: moment
    .optional()
    .describe(
      'what the clock said before it was set, by which the event is hashed: `time` was corrected by a clock.synced',
    ),
  position: z.int().optional().describe('in the order of the store; absent until all before it is there'),
  revoked: z.literal(true).optional().describe('taken back'),
  reassignedto: z.int().optional().describe('number of the cat that it was given to'),
  correctedby: z.string().optional().describe('id of the event that says so'),
  correction: z.string().optional().describe('its reason'),
  catname: z.string().optional().describe('in webhooks'),
  ...fusedAttributes,
};

const TYPES = Object.keys(eventData) as EventType[];
const schemaOf = (type: EventType) => z.literal(`urn:collard:${type}:${WRITTEN_VERSIONS[type]}`);

/** Of each type one schema. Further types and newer versions may come: they are kept and given as they are. */
function eventsAs<T extends z.ZodRawShape>(shape: T, suffix: string) {
  return TYPES.map((type) =>
    z
      .object({ ...shape, type: z.literal(fullType(type)), dataschema: schemaOf(type), data: eventData[type] })
      .meta({ id: `${fullType(type)}${suffix}` }),
  );
}

type Several = [z.ZodType, z.ZodType, ...z.ZodType[]];
export const wireEvent = z.union(eventsAs(wire, '') as unknown as Several).meta({ id: 'Event' });
export const readEvent = z.union(eventsAs(read, '.read') as unknown as Several).meta({ id: 'ReadEvent' });
