/** The agent's configuration: one schema for the file, the environment and the documentation. */
import { hostname } from 'node:os';
import { z } from 'zod';
import { brokerUrl, discoverSchema } from '../broker/address.ts';
import { AGENT_NAME, CENTRAL_AGENT, DEFAULT_BASE_TOPIC } from '../contract/topic.ts';
import { SHAKE_DEFAULTS } from './detector/shake-settings.ts';
import { parseKeep } from './keep-limits.ts';

const place = z.string().min(1).max(64);
const collar = z.string().min(1).max(64);

const format = {
  format: z
    .enum(['json', 'csv', 'frame', 'mysensors', 'rflink', 'ruuvi', 'bthome', 'cayenne'])
    .default('json')
    .describe('what the receiver writes'),
  place: place.optional().describe('where this receiver or sensor stands'),
  collar: collar.optional().describe('the collar of readings that name none'),
  fields: z
    .record(z.string(), z.string())
    .optional()
    .describe('json: our field name to theirs, such as {"collar": "id"}'),
  columns: z.array(z.string()).optional().describe('csv: the columns in order, where no header line tells them'),
  unit: z
    .enum(['g', 'mg', 'm/s2'])
    .or(z.number().positive())
    .default('g')
    .describe('json, csv: unit of acceleration, or LSB per g'),
  sensors: z
    .record(
      z.string().min(1).max(64),
      z.strictObject({
        kind: z.enum(['motion', 'shake']).optional().describe('what its switch stands for'),
        place: place.optional(),
        collar: collar.optional(),
      }),
    )
    .optional()
    .describe('what is known of each sender, by its own id; not for csv and frame'),
};

const serialSource = z.strictObject({
  serial: z.string().min(1).describe('path of the port, best from /dev/serial/by-id'),
  baud: z.int().min(50).max(4_000_000).default(115_200),
  nodeIdsFrom: z
    .int()
    .min(1)
    .max(254)
    .optional()
    .describe('mysensors: answer nodes that ask for the time, the units or an id; new ones get ids from this one on'),
  silentAfterMs: z.int().min(1_000).default(30_000).describe('no byte for so long: reopen the port and say so'),
  ...format,
});
const fileSource = z.strictObject({
  file: z.string().min(1).describe('a capture file, read once from the start'),
  ...format,
});

const gpioLine = z
  .strictObject({
    line: z.int().min(0).max(1023).describe('offset on the chip: on a Raspberry Pi the BCM number'),
    kind: z.enum(['motion', 'shake']).describe('a motion sensor, or a vibration switch'),
    place: place.optional().describe('where the sensor hangs'),
    collar: collar.optional().describe('the collar that the switch is on'),
    bias: z.enum(['as-is', 'pull-up', 'pull-down', 'disabled']).default('as-is'),
    activeLow: z.boolean().default(false).describe('the line is low when it means something'),
    debounceMs: z.number().min(0).max(1_000).default(5).describe('a level must hold for so long'),
    mergeMs: z.int().min(0).max(600_000).default(3_000).describe('motion: a pulse so soon after the last is the same'),
  })
  .refine(({ kind, place, collar }) => (kind === 'motion' ? place : collar) !== undefined, {
    error: 'a place for kind motion, a collar for kind shake',
  });
const gpioSource = z.strictObject({
  gpio: z
    .string()
    .min(1)
    .max(64)
    .describe('label, name or path of the chip; auto: that of the header of a Raspberry Pi'),
  lines: z
    .array(gpioLine)
    .min(1)
    .max(32)
    .refine((lines) => new Set(lines.map(({ line }) => line)).size === lines.length, { error: 'each line once' }),
});

const sourceSchema = z.union([serialSource, fileSource, gpioSource]);

const ADDRESS = /^[0-9a-f]{2}(?:[:-]?[0-9a-f]{2}){5}$/i;
const BIND_KEY = /^[0-9a-f]{32}$/i;

/** A section of addresses and keys; or, from the environment or a credential, `address=key` separated by commas or lines. */
const bindKeys = z
  .string()
  .transform((text) =>
    Object.fromEntries(
      text
        .split(/[,\s]+/)
        .filter((pair) => pair !== '')
        .map((pair) => [pair.split('=')[0] ?? '', pair.split('=')[1] ?? '']),
    ),
  )
  .or(z.record(z.string(), z.string()))
  .refine((keys) => Object.entries(keys).every(([address, key]) => ADDRESS.test(address) && BIND_KEY.test(key)), {
    error: 'an address of 12 hex digits with a bind key of 32 hex digits for each',
  });

/** A host name as the name of an agent. */
export function agentNameOf(host: string): string {
  const name = (host.split('.', 1)[0] ?? '').replace(/[^A-Za-z0-9_-]|^[_-]+/g, '').slice(0, 64);
  return name === '' || name === CENTRAL_AGENT ? 'agent' : name;
}

/** Of all collars, and of one. */
const shakeKeys = {
  sensitivity: z.number().min(0.2).max(5).describe('above 1: weaker shakes count'),
  quietMs: z.int().min(100).max(30_000).describe('so long without shaking ends a shake'),
  levelOn: z.number().min(0.02).max(5).describe('from this level of a collar with levels a shake begins'),
  levelHold: z.number().min(0.05).max(1).describe('and it goes on above this share of it'),
  edgesOn: z.int().min(1).max(32).describe('so many edges or counted movements are a shake'),
  edgesMs: z.int().min(100).max(30_000).describe('when they come within this time'),
};

export const agentSchema = z.strictObject({
  agent: z
    .string()
    .regex(AGENT_NAME, 'letters, digits, - and _, at most 64')
    .refine((name) => name !== CENTRAL_AGENT, `"${CENTRAL_AGENT}" is the name of central's own log`)
    .default(() => agentNameOf(hostname()))
    .describe('the name of this machine where it is absent; a log keeps the name that it began with'),
  simulated: z.boolean().default(false).describe('these collars are not real: said wherever the agent is shown'),
  sources: z.array(sourceSchema).min(1).max(16),
  bindKeys: bindKeys.optional().describe('bthome: the bind key of each sender that encrypts, by its address'),
  log: z.strictObject({
    path: z.string().min(1),
    groupMs: z
      .int()
      .min(0)
      .max(2_000)
      .default(600)
      .describe('under lasting load what arrives within this time shares one flush; a lone event is flushed at once'),
    keepDays: z.number().min(0).default(7).describe('confirmed events stay this long'),
    keepBytes: z.int().min(1_000_000).default(256_000_000).describe('confirmed events beyond this go earlier'),
    budgetBytes: z
      .int()
      .min(1_000_000)
      .default(1_000_000_000)
      .describe('beyond this events are given up, the least worth first, as history.lost'),
  }),
  mqtt: z.strictObject({
    url: brokerUrl,
    discover: discoverSchema,
    username: z.string().optional(),
    password: z.string().optional(),
    ca: z.string().optional().describe('path of the PEM file with the authority to trust'),
    cert: z.string().optional().describe('path of the client certificate'),
    key: z.string().optional().describe('path of its key'),
    clientId: z.string().min(1).max(64).optional(),
    baseTopic: z
      .string()
      .regex(/^[^#+]+[^#+/]$/)
      .default(DEFAULT_BASE_TOPIC),
    keepaliveSeconds: z.int().min(1).max(600).default(30),
    connectTimeoutMs: z.int().min(100).default(10_000),
    retryFirstMs: z.int().min(10).default(1_000),
    retryMaxMs: z.int().min(10).default(20_000).describe('a broker that is back is found again after so long'),
  }),
  signing: z
    .strictObject({ key: z.string().min(1).optional().describe('path of the key that signs; made at the first start') })
    .prefault({}),
  forward: z
    .strictObject({
      confirm: z.enum(['store', 'broker']).default('store'),
      batchEvents: z.int().min(1).max(500).default(500),
      windowBatches: z.int().min(1).max(64).default(8).describe('batches on the way to the broker at once'),
      compress: z.boolean().default(false).describe('batches as gzip, where central takes them'),
      unconfirmedEvents: z.int().min(500).default(2_000).describe('backlog sent ahead of what central has confirmed'),
      syncAfterMs: z.int().min(100).default(10_000).describe('no progress for so long: ask central what it holds'),
      stalledAfterMs: z.int().min(1_000).default(60_000).describe('no progress for so long: say stalled and reconnect'),
    })
    .prefault({}),
  places: z.string().min(1).optional().describe('path of what collard calibrate has learnt of the rooms'),
  detect: z
    .strictObject({
      shake: z
        .strictObject({
          sensitivity: shakeKeys.sensitivity.default(SHAKE_DEFAULTS.sensitivity),
          quietMs: shakeKeys.quietMs.default(SHAKE_DEFAULTS.quietMs),
          levelOn: shakeKeys.levelOn.default(SHAKE_DEFAULTS.levelOn),
          levelHold: shakeKeys.levelHold.default(SHAKE_DEFAULTS.levelHold),
          edgesOn: shakeKeys.edgesOn.default(SHAKE_DEFAULTS.edgesOn),
          edgesMs: shakeKeys.edgesMs.default(SHAKE_DEFAULTS.edgesMs),
          collars: z
            .record(collar, z.strictObject(shakeKeys).partial())
            .default({})
            .describe('by collar: what it has of its own, such as {"C0FFEE01": {"quietMs": 3000}}'),
        })
        .prefault({}),
      place: z
        .strictObject({
          stayMs: z
            .int()
            .min(1_000)
            .max(3_600_000)
            .default(60_000)
            .describe('without a calibration: a cat stays in a place for about so long'),
          certainty: z
            .number()
            .min(0.5)
            .max(0.999)
            .default(0.9)
            .describe('without a calibration: another place wins with so much certainty'),
        })
        .prefault({}),
      silence: z.strictObject({ afterMs: z.int().min(1_000).default(600_000) }).prefault({}),
      battery: z.strictObject({ lowPercent: z.number().min(0).max(100).default(15) }).prefault({}),
    })
    .prefault({}),
  readings: z
    .strictObject({
      keep: z
        .string()
        .refine((text) => parseKeep(text) !== null, { error: 'a time in min, h or d and a size, such as 48h / 200 MB' })
        .optional()
        .describe('raw readings stay so long, and no more than this size of them; absent: none are kept'),
      folder: z.string().min(1).optional().describe('where they lie; by default kept, beside the log'),
    })
    .prefault({}),
  fusion: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe('central weighs what all agents hear of a collar: it is told, and no place is decided here'),
      everyMs: z.int().min(1_000).max(600_000).default(10_000).describe('one sighting of each receiver in so long'),
    })
    .prefault({}),
  health: z.strictObject({ everyMs: z.int().min(100).default(60_000) }).prefault({}),
});

export type AgentConfig = z.infer<typeof agentSchema>;
export type SourceConfig = z.infer<typeof sourceSchema>;
/** Keys whose values are never printed. */
export const AGENT_SECRETS: readonly string[] = ['mqtt.url', 'mqtt.password', 'mqtt.discover.password', 'bindKeys'];

/** How often sightings are told where central finds out where cats are; undefined: here it is decided. */
export function fusionOf({ fusion }: Pick<AgentConfig, 'fusion'>): { readonly everyMs: number } | undefined {
  return fusion.enabled ? { everyMs: fusion.everyMs } : undefined;
}
