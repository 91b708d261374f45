import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { cloudEventText, wireEventText } from '../../src/central/api/cloud-event.ts';
import { createBulletin } from '../../src/central/bulletin.ts';
import { createOutbox } from '../../src/central/subscriber/outbox.ts';
import { asyncApi } from '../../src/cli/asyncapi.ts';
import { exampleOf } from '../../src/cli/example.ts';
import { configSchema, eventsSchema } from '../../src/cli/schema.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { type EventType, fullType, type StoredEvent, WRITTEN_VERSIONS } from '../../src/contract/event.ts';
import { encodeStored, encodeSync, type HealthMessage, type StateMessage } from '../../src/contract/message.ts';
import * as topics from '../../src/contract/topic.ts';
import { ROOT } from '../architecture/files.ts';
import { createWriter, epochId, meowing } from '../central/store/events.ts';
import { readGolden } from '../contract/golden.ts';
import { collard } from './run.ts';

const ajv = () => formats.default(new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }));

describe.each(['agent', 'central'] as const)('the schema of %s.yaml', (side) => {
  const check = ajv().compile(configSchema(side));
  const text = readFileSync(join(ROOT, `config/${side}.yaml`), 'utf8');
  const sound = parse(text);

  test('takes the example as it stands, and with every key in force', () => {
    for (const one of [sound, parse(text.replace(/^( *)#(?=\S)/gm, '$1'))])
      expect([check(one), check.errors]).toEqual([true, null]);
  });

  test.each<[string, object]>([
    ['a key that is none', { typo: 1 }],
    ['a value of another type', { mqtt: { ...sound.mqtt, keepaliveSeconds: 'often' } }],
    ['a section that is missing', { mqtt: undefined }],
  ])('finds %s', (_, change) => {
    expect(check(JSON.parse(JSON.stringify({ ...sound, ...change })))).toBe(false);
  });

  test('is printed, and is the same on every machine', async () => {
    const { status, stdout } = await collard(['schema', 'config', side]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual(configSchema(side));
    expect(configSchema('agent').properties).toMatchObject({ agent: { type: 'string' } });
    expect(configSchema('agent')).not.toHaveProperty('properties.agent.default');
  });

  test('is named to editors in the first line, in an example that is printed by its full path', () => {
    expect(text.split('\n', 1)).toEqual([`# yaml-language-server: $schema=../dist/config/${side}.schema.json`]);
    const [line, ...rest] = exampleOf(side).split('\n');
    expect(line).toBe(`# yaml-language-server: $schema=${join(ROOT, `dist/config/${side}.schema.json`)}`);
    expect(rest.join('\n')).toBe(text.slice(text.indexOf('\n') + 1));
    expect(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts.build).toContain(
      `schema config ${side} > dist/config/${side}.schema.json`,
    );
  });
});

test('the example of a worker fits the schema of central, which its first line names', () => {
  const text = readFileSync(join(ROOT, 'config/central-worker.yaml'), 'utf8');
  expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/dist\/config\/central\.schema\.json\n/);
  expect(ajv().compile(configSchema('central'))(parse(text))).toBe(true);
});

test('what is asked for besides is refused', async () => {
  expect(await collard(['schema', 'config', 'dog'])).toMatchObject({ status: 64, stdout: '' });
});

const epoch = epochId(1);
const storedOf = ({ type, version, data }: { type: string; version: number; data: string }): StoredEvent => ({
  ...{ epoch, seq: 1, type, version, subject: 'collar/C1', time: '2026-11-23T12:00:00.000Z' },
  ...{ clock: 'synced', boot: null, monoMs: null, data },
});
const known = {
  agent: 'porch',
  shard: 1,
  arrival: 1,
  position: 1,
  revoked: false,
  reassignedTo: null,
  correction: null,
};

describe('the schema of events', () => {
  const check = ajv().compile(eventsSchema());
  const types = Object.keys(WRITTEN_VERSIONS) as EventType[];

  test.each(readGolden())('takes $type as central gives it', (golden) => {
    const event = { ...storedOf(golden), ...known };
    expect([check(JSON.parse(cloudEventText(event))), check.errors]).toEqual([true, null]);
    const corrected = {
      ...event,
      revoked: true,
      reassignedTo: 3,
      correction: { by: 'e/2', catId: null, reason: 'no' },
    };
    const unsynced = { clock: 'unsynced', boot: 'b7', monoMs: 12.5 } as const;
    expect(check(JSON.parse(cloudEventText({ ...corrected, ...unsynced })))).toBe(true);
    const retimed = { ...corrected, ...unsynced, originalTime: '1970-01-01T00:00:00.012Z' };
    for (const text of [cloudEventText(retimed), wireEventText(retimed)]) expect(check(JSON.parse(text))).toBe(true);
  });

  test('has every type in the version that is written, and refuses what is none of them', () => {
    const text = JSON.stringify(eventsSchema());
    for (const type of types) expect(text).toContain(`"urn:collard:${type}:${WRITTEN_VERSIONS[type]}"`);
    const golden = readGolden().map((one) => JSON.parse(cloudEventText({ ...storedOf(one), ...known })));
    for (const event of golden) {
      expect(check({ ...event, type: 'collard.dog.barked' })).toBe(false);
      expect(check({ ...event, data: {} }), event.type).toBe(false);
      expect(check({ ...event, time: 'noon' })).toBe(false);
    }
  });

  test('is printed', async () => {
    expect(JSON.parse((await collard(['schema', 'events'])).stdout)).toEqual(eventsSchema());
  });
});

interface Doc {
  readonly channels: Record<string, { address: string; parameters?: object; messages: object }>;
  readonly operations: Record<string, { action: string; channel: { $ref: string }; messages: { $ref: string }[] }>;
  readonly components: { messages: Record<string, { payload: { schema: object } }>; schemas: object };
}

describe('the AsyncAPI document', () => {
  const doc = asyncApi('1.2.3') as unknown as Doc;
  /** With the schemas of the document around it, as its references want it. */
  const check = (name: string, payload: string): [boolean, unknown] => {
    const draft7 = formats.default(new Ajv({ allErrors: true, strict: true, allowUnionTypes: true }));
    const root = { ...doc.components.messages[name]?.payload.schema, components: { schemas: doc.components.schemas } };
    draft7.addKeyword('components');
    const validate = draft7.compile(root);
    return [validate(JSON.parse(payload)), validate.errors];
  };
  const good = [true, null];

  test('is of version 3, and all that it refers to is there', () => {
    expect(doc).toMatchObject({ asyncapi: '3.0.0', info: { version: '1.2.3' } });
    const refs = [...JSON.stringify(doc).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
    expect(refs.length).toBeGreaterThan(50);
    for (const ref of refs) {
      const steps = ref.split('/').map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'));
      const found = steps.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], doc);
      expect(found, ref).toBeDefined();
    }
    for (const { address, parameters = {} } of Object.values(doc.channels))
      expect(Object.keys(parameters)).toEqual([...address.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    const used = Object.values(doc.operations).map(({ channel }) => channel.$ref);
    expect(used.sort()).toEqual(
      Object.keys(doc.channels)
        .map((name) => `#/channels/${name}`)
        .sort(),
    );
  });

  test('has every topic that there is a function for', () => {
    const base = topics.DEFAULT_BASE_TOPIC;
    const channels = ['events', 'backlog', 'sync', 'stored', 'state', 'health'] as const;
    const made = [
      ...channels.map((channel) => topics.agentTopic(base, 'porch', channel)),
      ...[topics.requestTopic(base, 'porch', 'health'), topics.responseTopic(base, 'porch', 'health')],
      ...[
        topics.centralStateTopic(base),
        topics.catTopic(base, 1),
        topics.meowTopic(base, 1),
        topics.alertTopic(base, 1),
      ],
    ];
    const values: Record<string, string> = {
      shard: topics.shardName(topics.shardOf('porch')),
      agent: 'porch',
      catId: '1',
      verb: 'health',
    };
    const told = Object.values(doc.channels).map(({ address }) =>
      address.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? ''),
    );
    expect(told.sort()).toEqual(made.sort());
  });

  test('takes what agents and central really send', () => {
    const writer = meowing('porch', epoch, 4);
    expect(check('events', encodeBatch(writer.batch(1, 4)))).toEqual(good);
    for (const golden of readGolden()) {
      const one = createWriter('porch', epoch);
      one.events.push(storedOf(golden));
      expect(check('events', encodeBatch(one.batch(1, 1))), golden.type).toEqual(good);
    }
    const extent = { epoch, firstSeq: 1, lastSeq: 4, chain: writer.chain(4) };
    expect(check('sync', encodeSync(extent))).toEqual(good);
    const stored = { incarnation: epoch, epoch, seq: 4, chain: writer.chain(4), need: [[5, 6]] as const };
    expect(check('stored', encodeStored(stored))).toEqual(good);
    const batch = { from: 1, to: 4, chain: writer.chain(4) };
    expect(check('stored', encodeStored({ ...stored, batch, takesGzip: true }))).toEqual(good);
    const state: StateMessage = { state: 'online', session: 3, version: '1' };
    expect(check('state', JSON.stringify(state))).toEqual(good);
    expect(check('health', JSON.stringify(HEALTH))).toEqual(good);
    expect(check('centralState', '{"state":"offline"}')).toEqual(good);
    expect(check('request', '{"transaction":"7f3","epoch":"e","from":1,"to":2}')).toEqual(good);
    expect(check('response', '{"transaction":"7f3","status":"error","reason":"no"}')).toEqual(good);
  });

  test('takes what is told of cats', () => {
    const sent: Record<string, string> = {};
    const outbox = createOutbox();
    const bulletin = createBulletin(outbox, topics.DEFAULT_BASE_TOPIC, () => new Date('2026-11-23T12:00:00.000Z'));
    const cat = {
      id: 1,
      name: 'Mia',
      isMeowed: true,
      location: null,
      locationSince: null,
      collar: 'C1',
      lastSeen: null,
    };
    bulletin.cat({ ...cat, lastHeard: '2026-11-23T12:00:00.000Z', meowsToday: 1, batteryLow: false, silent: false });
    const time = '2026-11-23T12:00:00.000Z';
    bulletin.meow({ id: `${epoch}/1`, catId: 1, name: 'Mia', time, collar: 'C1', location: null });
    const alert = { rule: 'battery', key: 'battery', since: time, text: 'low' };
    bulletin.alert(1, { change: 'raised', catId: 1, name: 'Mia', ...alert });
    const publish = async (topic: string, payload: string) => {
      sent[topic] = payload;
      return { ok: true } as const;
    };
    outbox.attach({ publish, receiveMaximum: 10 });
    expect(check('cat', sent['collard/v1/cat/1'] ?? '{}')).toEqual(good);
    expect(check('meow', sent['collard/v1/cat/1/meow'] ?? '{}')).toEqual(good);
    expect(check('alert', sent['collard/v1/cat/1/alert'] ?? '{}')).toEqual(good);
  });

  test('refuses what is something else', () => {
    for (const name of Object.keys(doc.channels)) expect(check(name, '{"dog":1}')[0], name).toBe(false);
    for (const { type } of readGolden()) expect(check('events', JSON.stringify([{ type }]))[0]).toBe(false);
    expect(fullType('meow.started')).toBe('collard.meow.started');
  });

  test('is printed, with the version of this program', async () => {
    const { stdout } = await collard(['schema', 'asyncapi']);
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(asyncApi(version))));
  });
});

const HEALTH: HealthMessage = {
  ...{ version: '1', simulated: false, epoch, lastSeq: 4, storedSeq: 4, queue: 0, oldestUnstored: null },
  ...{ lastConfirmed: '2026-11-23T12:00:00.000Z', stalled: false, conflicting: false, oversize: 0, lastError: null },
  ...{
    logBytes: 1,
    disk: 'ok',
    walBytes: 0,
    walHeld: true,
    diskFreeBytes: null,
    rssBytes: 1,
    clock: 'synced',
    protocol: '5',
  },
  sources: [
    {
      ...{ source: 'a', state: 'open', reason: null, readings: 1, discarded: { crc: 1 }, lostSamples: 0 },
      lastReading: null,
    },
  ],
  collars: [{ collar: 'C1', lastHeard: '2026-11-23T12:00:00.000Z', rssiDbm: -61, batteryPercent: 80 }],
};
