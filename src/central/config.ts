/** Central's configuration: one schema for the file, the environment and the documentation. */
import { z } from 'zod';
import { brokerUrl, discoverSchema } from '../broker/address.ts';
import { DEFAULT_BASE_TOPIC, SHARDS } from '../contract/topic.ts';
import { brokerSchema } from './broker/broker-config.ts';
import { httpSchema, listOfWords } from './http-config.ts';
import { parseStoreUrl } from './store/store-url.ts';

const MAX_ENDPOINTS = 16;

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

const endpoints = listOfWords.pipe(
  z
    .array(z.url({ protocol: /^https?$/ }).refine(isWithoutUser, { error: 'a URL without user and password' }))
    .min(1)
    .max(MAX_ENDPOINTS),
);

/** `0-31` or `0,2,4-7`. */
const SHARD_LIST = /^\d{1,2}(-\d{1,2})?(,\d{1,2}(-\d{1,2})?)*$/;

export function shardsOf(list: string): readonly number[] {
  const all = list.split(',').flatMap((part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
  });
  return [...new Set(all)];
}

export const centralSchema = z
  .strictObject({
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
    broker: brokerSchema,
    workers: z
      .strictObject({
        etcd: endpoints.optional().describe('shards by leases in this etcd: its addresses'),
        username: z.string().min(1).optional().describe('of etcd, where it asks who works there'),
        password: z.string().optional().describe('of that user'),
        leaseSeconds: z
          .int()
          .min(2)
          .max(600)
          .default(10)
          .describe('whoever is not heard for so long loses its shards to the others'),
        shards: z
          .string()
          .regex(SHARD_LIST)
          .optional()
          .describe('without etcd: the shards of this process; the one with shard 0 leads'),
      })
      .superRefine(({ etcd, shards }, context) => {
        if (etcd === undefined && shards === undefined)
          context.addIssue({ code: 'custom', message: 'etcd (http://HOST:2379), or shards such as 0-31' });
        const own = shards === undefined ? [0] : shardsOf(shards);
        if (own.length === 0 || own.some((shard) => shard >= SHARDS))
          context.addIssue({
            code: 'custom',
            message: `shards from 0 to ${SHARDS - 1}, such as 0-31`,
            path: ['shards'],
          });
      })
      .optional()
      .describe('this central is one of several that share the shards of one store'),
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
    http: httpSchema,
    homeAssistant: z
      .strictObject({
        enabled: z.boolean().default(false).describe('tell Home Assistant of each cat and each agent (MQTT discovery)'),
        prefix: z
          .string()
          .max(64)
          .regex(/^[^#+/]+(\/[^#+/]+)*$/)
          .default('homeassistant')
          .describe('its discovery prefix'),
        birth: z
          .string()
          .max(128)
          .regex(/^[^#+/]+(\/[^#+/]+)*$/)
          .default('homeassistant/status')
          .describe('where it says "online" when it has started: then all is told again'),
        page: z
          .url({ protocol: /^https?$/ })
          .optional()
          .describe('where the page of central is reached from outside: a link beside each device'),
      })
      .prefault({}),
    webhooks: z
      .array(
        z.strictObject({
          url: z.string().superRefine((url, context) => {
            if (!isWebhookUrl(url)) {
              context.addIssue({
                code: 'custom',
                message: 'a URL that starts with https:// or http://, without user and password',
              });
            }
          }),
          secret: z.string().min(16).optional().describe('signs what is sent; webhookSecret where it is not given'),
          on: z
            .array(z.enum(['raised', 'cleared']))
            .min(1)
            .default(['raised', 'cleared']),
        }),
      )
      .max(16)
      .default([])
      .describe('who is told of alerts, again and again until it answers'),
    webhookSecret: z.string().min(16).optional(),
    rules: z
      .array(rule)
      .default([
        { rule: 'shaking', meows: 20, withinMinutes: 10 },
        { rule: 'still', hours: 12 },
        { rule: 'silent', hours: 1 },
        { rule: 'battery' },
      ]),
  })
  .superRefine(({ broker, workers }, context) => {
    // Each of them would have one of its own.
    if (!broker.enabled || workers === undefined) return;
    const message = 'not beside workers: they share a broker that runs on its own (config/mosquitto)';
    context.addIssue({ code: 'custom', message, path: ['broker', 'enabled'] });
  });

function isWebhookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return /^https?:$/.test(protocol) && hostname !== '' && isWithoutUser(text);
}

/** What is no URL has none either. */
function isWithoutUser(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

export type CentralConfig = z.infer<typeof centralSchema>;
export type Rule = CentralConfig['rules'][number];
export const CENTRAL_SECRETS: readonly string[] = [
  'mqtt.url',
  'mqtt.password',
  'mqtt.discover.password',
  'workers.password',
  'broker.accounts[].password',
  'store.url',
  'store.password',
  'webhookSecret',
  'webhooks[].secret',
  'webhooks[].url',
];
