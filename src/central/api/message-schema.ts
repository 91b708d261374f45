/** The small messages on MQTT, for readers. Those of agents may grow: what is not known there is left alone. */
import { z } from 'zod';
import { alertData, epoch, hash, moment, seq, wireEvent } from './event-schema.ts';
import { catAnswer } from './schema.ts';

const count = z.int().min(0);
const bytes = count.describe('bytes');

export const eventBatch = z
  .array(wireEvent)
  .min(1)
  .max(500)
  .describe('consecutive events of one epoch (CloudEvents batch)');

export const syncMessage = z.object({
  epoch,
  firstSeq: count.describe('the oldest that the agent still holds'),
  lastSeq: count.describe('0: an empty log'),
  chain: hash,
  key: z.string().optional().describe('Ed25519, base64url'),
  signature: z.string().optional(),
});

export const storedMessage = z.object({
  incarnation: z.string().max(64).describe('another one: central was put back from a backup'),
  epoch,
  seq: count.describe('all up to here is committed'),
  chain: hash.describe('at seq, of what is stored'),
  need: z
    .array(z.tuple([seq, seq]))
    .max(64)
    .describe('ranges that central knows to exist and does not hold'),
  batch: z
    .object({ from: seq, to: seq, chain: hash })
    .nullish()
    .describe('the batch that this answers, where some of it was not new'),
  accepts: z.array(z.string()).optional().describe('gzip: batches may come so'),
});

export const stateMessage = z.object({
  state: z.enum(['online', 'offline']),
  session: count.describe('rises with every connection: a late will of an older one says nothing'),
  version: z.string(),
});

export const centralStateMessage = z.object({ state: z.enum(['online', 'offline']) });

const sourceHealth = z.object({
  source: z.string(),
  state: z.enum(['open', 'failed', 'ended']),
  reason: z.string().nullable(),
  readings: count,
  discarded: z.record(z.string(), count).describe('what could not be read, by reason'),
  lostSamples: count,
  lastReading: moment.nullable(),
});

export const healthMessage = z.object({
  version: z.string(),
  simulated: z.boolean(),
  epoch: z.string(),
  lastSeq: count,
  storedSeq: count,
  queue: count.describe('events that central has not confirmed'),
  unwritten: count.optional().describe('events that wait for the log of the agent'),
  oldestUnstored: moment.nullable(),
  lastConfirmed: moment.nullable(),
  stalled: z.boolean(),
  conflicting: z.boolean(),
  oversize: count,
  lastError: z.string().nullable(),
  logBytes: bytes,
  disk: z.enum(['ok', 'warn', 'thinning', 'losing']),
  walBytes: bytes,
  walHeld: z.boolean().optional().describe('another program reads the log without an end, so that walBytes grows'),
  diskFreeBytes: bytes.nullable(),
  rssBytes: bytes,
  clock: z.enum(['synced', 'unsynced']),
  protocol: z.enum(['5', '3.1.1']),
  sources: z.array(sourceHealth),
  collars: z.array(
    z.object({
      collar: z.string(),
      lastHeard: moment,
      rssiDbm: z.number().optional(),
      place: z.string().optional(),
      batteryPercent: z.number().optional(),
    }),
  ),
});

export const requestMessage = z.object({
  transaction: z.string().max(128),
  epoch: z.string().optional(),
  seq: count.optional().describe('chain: at this one; at the end where it is absent'),
  from: seq.optional().describe('events'),
  to: seq.optional().describe('events'),
});

export const responseMessage = z.object({
  transaction: z.string().nullable(),
  status: z.enum(['ok', 'error']),
  reason: z.string().optional(),
});

export const catMessage = catAnswer
  .omit({})
  .extend({
    meowsSince: moment.describe('since when meowsToday counts'),
    batteryPercent: z.number().nullable().describe('as an agent last heard it'),
  })
  .meta({ id: 'CatMessage' });

export const meowMessage = z.object({
  id: z.string().describe('of its event'),
  catId: z.int(),
  name: z.string(),
  time: moment,
  collar: z.string().nullable(),
  location: z.string().nullable(),
  late: z.boolean().describe('it began more than five minutes before this was sent'),
});

export const alertMessage = alertData.extend({
  change: z.enum(['raised', 'cleared']),
  name: z.string().describe('of the cat'),
  since: z.string(),
});
