/** Central's configuration: one schema for the file, the environment and the documentation. */
import { z } from 'zod';
import { brokerUrl, discoverSchema } from '../broker/address.ts';
import { DEFAULT_BASE_TOPIC } from '../contract/topic.ts';
import { parseStoreUrl } from './store/store-url.ts';

const rule = z.discriminatedUnion('rule', [
  z.strictObject({
    rule: z.literal('shaking'),
    cat: z.string().optional().describe('the name of one cat; all cats where it is absent'),
    // So many are remembered of each cat (MAX_KEPT_MEOWS): more would never be reached.
    meows: z.int().min(1).max(1_000).default(20),
    seconds: z.number().positive().optional().describe('or so many seconds of shaking in that time'),
    withinMinutes: z.number().positive().default(10),
  }),
  z.strictObject({ rule: z.literal('still'), cat: z.string().optional(), hours: z.number().positive().default(12) }),
  z.strictObject({ rule: z.literal('silent'), cat: z.string().optional(), hours: z.number().positive().default(1) }),
  z.strictObject({ rule: z.literal('battery'), cat: z.string().optional() }),
]);

export const centralSchema = z.strictObject({
  group: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/)
    .default('central')
    .describe('MQTT client id of this central, and of all that share its store'),
  store: z.strictObject({
    url: z.string().superRefine((url, context) => {
      const parsed = parseStoreUrl(url);
      if (typeof parsed === 'string') context.addIssue({ code: 'custom', message: parsed });
    }),
    password: z.string().optional().describe('of the database, where it does not stand in the URL'),
  }),
  mqtt: z.strictObject({
    url: brokerUrl,
    discover: discoverSchema,
    username: z.string().optional(),
    password: z.string().optional(),
    ca: z.string().optional(),
    cert: z.string().optional(),
    key: z.string().optional(),
    baseTopic: z
      .string()
      .regex(/^[^#+]+[^#+/]$/)
      .default(DEFAULT_BASE_TOPIC),
    keepaliveSeconds: z.int().min(1).max(600).default(30),
    connectTimeoutMs: z.int().min(100).default(10_000),
    retryFirstMs: z.int().min(10).default(1_000),
    retryMaxMs: z.int().min(10).default(20_000).describe('a broker that is back is found again after so long'),
    sessionExpirySeconds: z
      .int()
      .min(0)
      .default(7 * 86_400)
      .describe('how long the broker keeps messages while central is away'),
  }),
  trust: z
    .strictObject({
      keys: z
        .enum(['optional', 'first-use', 'required'])
        .default('optional')
        .describe(
          'agents without an enrolled key: take them unsigned, enrol the first key heard, or take nothing of them',
        ),
    })
    .prefault({}),
  retention: z
    .strictObject({
      keepDays: z.number().positive().describe('older events go from the store into sealed segments'),
      segments: z.string().min(1).describe('the folder of the segments'),
    })
    .optional()
    .describe('without it all events are kept in the store for ever'),
  fold: z
    .enum(['quarantine', 'stop'])
    .default('quarantine')
    .describe('an event that the models need and cannot read: leave it out and note it, or stand still before it'),
  http: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: z.int().min(0).max(65_535).default(8321),
    })
    .prefault({}),
  rules: z
    .array(rule)
    .default([
      { rule: 'shaking', meows: 20, withinMinutes: 10 },
      { rule: 'still', hours: 12 },
      { rule: 'silent', hours: 1 },
      { rule: 'battery' },
    ]),
});

export type CentralConfig = z.infer<typeof centralSchema>;
export type Rule = CentralConfig['rules'][number];
export const CENTRAL_SECRETS: readonly string[] = ['mqtt.password', 'store.url', 'store.password'];
