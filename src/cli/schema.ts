/** `collard schema`: what files, events and messages may hold, for editors and other programs. JSON on stdout. */
import { Command } from 'commander';
import { z } from 'zod';
import { agentSchema } from '../agent/config.ts';
import { readEvent } from '../central/api/event-schema.ts';
import { centralSchema } from '../central/config.ts';
import { asyncApi } from './asyncapi.ts';
import { CommandError, EXIT } from './exit.ts';
import { version } from './version.ts';

type Json = Readonly<Record<string, unknown>>;

const SIDES = { agent: agentSchema, central: centralSchema } as const;

export function schemaCommand(): Command {
  const command = new Command('schema').description('Print schemas for editors and other programs, as JSON.');
  command
    .command('config')
    .description('JSON Schema of agent.yaml or central.yaml.')
    .argument('<side>', 'agent or central')
    .action((side: string) => {
      if (side !== 'agent' && side !== 'central')
        throw new CommandError(
          EXIT.usage,
          `there is no configuration "${side}"`,
          'collard schema config agent, or central',
        );
      show(configSchema(side));
    });
  command
    .command('events')
    .description('JSON Schema of events, as central, exports and webhooks give them (CloudEvents).')
    .action(() => show(eventsSchema()));
  command
    .command('asyncapi')
    .description('AsyncAPI 3.0 document of all topics and their messages.')
    .action(() => show(asyncApi(version())));
  return command;
}

function show(schema: Json): void {
  process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
}

export function configSchema(side: keyof typeof SIDES): Json {
  // Not the default of an agent's name: it is that of the machine where this is asked.
  const override = ({ jsonSchema, path }: { jsonSchema: { default?: unknown }; path: readonly PropertyKey[] }) => {
    if (path.join('.') === 'properties.agent') delete jsonSchema.default;
  };
  const schema = z.toJSONSchema(SIDES[side], { io: 'input', unrepresentable: 'any', override });
  return { ...schema, $id: `urn:collard:config:${side}`, title: `${side}.yaml of collard` };
}

export function eventsSchema(): Json {
  const schema = z.toJSONSchema(readEvent, { io: 'input' });
  const description =
    'One event. Further types and newer versions may come: they are given as they are, with the same attributes.';
  return { ...schema, $id: 'urn:collard:events', title: 'Events of collard', description };
}
