/** collard on MQTT as AsyncAPI 3.0, from the schemas of its messages. Pure. What it does is what central does: it receives and sends. */
import { z } from 'zod';
import * as messages from '../central/api/message-schema.ts';
import { AGENT_NAME, DEFAULT_BASE_TOPIC } from '../contract/topic.ts';

interface Channel {
  readonly address: string;
  readonly description: string;
  readonly payload: z.ZodType;
  readonly contentType?: string;
  /** Who sends it. */
  readonly from: 'agent' | 'central' | 'anybody';
  readonly qos: 0 | 1;
  readonly retain?: true;
}

const AGENT = '{shard}/{agent}';
const BATCH = 'application/cloudevents-batch+json';

const CHANNELS: Readonly<Record<string, Channel>> = {
  events: {
    ...{ address: `${AGENT}/events`, payload: messages.eventBatch, contentType: BATCH, from: 'agent', qos: 1 },
    description:
      'Live events, at most 500 and 256 KiB. Sent again until central has said that they are stored. As gzip (RFC 1952) where stored accepts it.',
  },
  backlog: {
    ...{ address: `${AGENT}/backlog`, payload: messages.eventBatch, contentType: BATCH, from: 'agent', qos: 1 },
    description: 'The same for what is older while it drains; live events never wait for it.',
  },
  sync: {
    ...{ address: `${AGENT}/sync`, payload: messages.syncMessage, from: 'agent', qos: 1 },
    description: 'What the agent holds; central answers with stored.',
  },
  stored: {
    ...{ address: `${AGENT}/stored`, payload: messages.storedMessage, from: 'central', qos: 1 },
    description: 'After every commit. Only this lets an agent forget.',
  },
  state: {
    ...{ address: `${AGENT}/state`, payload: messages.stateMessage, from: 'agent', qos: 1, retain: true },
    description: 'Whether the agent is connected; offline comes as its will.',
  },
  health: {
    ...{ address: `${AGENT}/health`, payload: messages.healthMessage, from: 'agent', qos: 0, retain: true },
    description: 'How the agent is, once a minute.',
  },
  request: {
    ...{ address: `${AGENT}/request/{verb}`, payload: messages.requestMessage, from: 'anybody', qos: 1 },
    description: 'Asks an agent: health, epochs, chain or events.',
  },
  response: {
    ...{ address: `${AGENT}/response/{verb}`, payload: messages.responseMessage, from: 'agent', qos: 1 },
    description: 'Its answer, with the same transaction, and what was asked for beside it.',
  },
  centralState: {
    ...{ address: 'central/state', payload: messages.centralStateMessage, from: 'central', qos: 1, retain: true },
    description: 'Whether central is connected; offline comes as its will.',
  },
  cat: {
    ...{ address: 'cat/{catId}', payload: messages.catMessage, from: 'central', qos: 1, retain: true },
    description: 'A cat as it is now. An empty message: it is gone.',
  },
  meow: {
    ...{ address: 'cat/{catId}/meow', payload: messages.meowMessage, from: 'central', qos: 1 },
    description: 'One for each meow as it begins, never from a replay.',
  },
  alert: {
    ...{ address: 'cat/{catId}/alert', payload: messages.alertMessage, from: 'central', qos: 1 },
    description: 'What the watchdog raises and clears.',
  },
};

const PARAMETERS: Readonly<Record<string, object>> = {
  shard: { description: 's00 to s63: CRC-32 of the name of the agent, mod 64', examples: ['s17'] },
  agent: { description: `Its name: ${AGENT_NAME.source}`, examples: ['porch'] },
  catId: { description: 'Its number', examples: ['1'] },
  verb: { description: 'What is asked', enum: ['health', 'epochs', 'chain', 'events', 'live', 'compare'] },
};

type Json = Readonly<Record<string, unknown>>;

export function asyncApi(version: string): Json {
  const channels = Object.entries(CHANNELS).map(([name, { address, description }]) => {
    const names = [...address.matchAll(/\{(\w+)\}/g)].map(([, parameter = '']) => parameter);
    const parameters = Object.fromEntries(names.map((parameter) => [parameter, PARAMETERS[parameter]]));
    const channel = {
      address: `${DEFAULT_BASE_TOPIC}/${address}`,
      description,
      messages: { [name]: { $ref: `#/components/messages/${name}` } },
      ...(names.length === 0 ? {} : { parameters }),
    };
    return [name, channel] as const;
  });
  const operations = Object.entries(CHANNELS).map(([name, { from, qos, retain = false, description }]) => {
    const action = from === 'agent' ? 'receive' : 'send';
    const operation = {
      action,
      channel: { $ref: `#/channels/${name}` },
      summary: description.split('. ')[0]?.replace(/\.$/, ''),
      messages: [{ $ref: `#/channels/${name}/messages/${name}` }],
      bindings: { mqtt: { qos, retain, bindingVersion: '0.2.0' } },
    };
    return [`${action}${name.charAt(0).toUpperCase()}${name.slice(1)}`, operation] as const;
  });
  const told = Object.entries(CHANNELS).map(([name, { contentType = 'application/json' }]) => [
    name,
    {
      name,
      contentType,
      payload: {
        schemaFormat: 'application/schema+json;version=draft-07',
        schema: { $ref: `#/components/schemas/${name}` },
      },
    },
  ]);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'collard on MQTT',
      version,
      description:
        'Events of cat collars from agents to central, and what central tells of cats. Topics begin with mqtt.baseTopic of the configuration.',
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(channels),
    operations: Object.fromEntries(operations),
    components: { messages: Object.fromEntries(told), schemas: schemasOf() },
  };
}

/** JSON Schema draft 7, which AsyncAPI builds on. What has a name of its own is said once, beside the messages. */
function schemasOf(): Json {
  const schemas: Record<string, unknown> = {};
  for (const [name, { payload }] of Object.entries(CHANNELS)) {
    const text = JSON.stringify(z.toJSONSchema(payload, { target: 'draft-7', io: 'input' }));
    const { $schema, definitions, ...schema } = JSON.parse(
      text.replaceAll('"#/definitions/', '"#/components/schemas/'),
    );
    Object.assign(schemas, definitions, { [name]: schema });
  }
  return schemas;
}
