/** Who may sign as whom: `collard central enroll|revoke|keys` ask the central that runs. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { parsePublicKey } from '../contract/signature.ts';
import { ask } from './ask-central.ts';
import { CommandError, EXIT } from './exit.ts';
import { print, printJson, safe, table } from './output.ts';

const MAX_FILE_BYTES = 4_096;

/** As central tells it. */
interface ShownKey {
  readonly agent: string;
  readonly keyId: string;
  readonly key: string;
  readonly how: string;
  readonly since: string;
  readonly revokedAt: string | null;
}

interface Options {
  readonly config: string;
  readonly json?: true;
  readonly agent: string;
  readonly key?: string;
}

interface Keys {
  readonly keys: readonly ShownKey[];
}

/** For `collard central`, whose --config they use. */
export function centralKeyCommands(): readonly Command[] {
  const sub = (name: string, description: string) =>
    new Command(name)
      .description(`${description} Central must run.`)
      .option('--url <url>', 'address of central, where it is not that of --config')
      .option('--json', 'print JSON')
      .addHelpText('after', '\n--config names central.yaml, as for central itself.');
  return [
    sub('enroll', 'From now on an agent must sign with this key.')
      .requiredOption('--agent <name>', 'the agent')
      .requiredOption('--key <key>', 'as "collard agent key" prints it, or @FILE that holds it')
      .action(async (_own: unknown, command: Command) => {
        const options = command.optsWithGlobals<Options>();
        const path = `agents/${encodeURIComponent(options.agent)}/keys`;
        const enrolled = await ask<ShownKey>(options, 'POST', path, { key: keyOf(options.key ?? '') });
        if (options.json === true) printJson(enrolled);
        else
          print(`key ${safe(enrolled.keyId)} is enrolled: what ${safe(enrolled.agent)} sends must be signed with it`);
      }),
    sub('revoke', 'From now on a key of an agent counts no more; with its last key, the agent.')
      .requiredOption('--agent <name>', 'the agent')
      .option('--key <key>', 'the id of the key, or the key; all of the agent where it is absent')
      .action(async (_own: unknown, command: Command) => {
        const options = command.optsWithGlobals<Options>();
        const key = options.key === undefined ? '' : `/${encodeURIComponent(idOf(options.key))}`;
        const { keys } = await ask<Keys>(options, 'DELETE', `agents/${encodeURIComponent(options.agent)}/keys${key}`);
        for (const gone of keys) {
          if (options.json === true) printJson(gone);
          else print(`key ${safe(gone.keyId)} of ${safe(gone.agent)} is revoked`);
        }
      }),
    sub('keys', 'Print all keys.').action(async (_own: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { keys } = await ask<Keys>(options, 'GET', 'agents/keys');
      if (options.json === true) for (const key of keys) printJson(key);
      else if (keys.length === 0) print('no keys yet: collard central enroll --agent NAME --key KEY');
      else print(table(['agent', 'key', 'by', 'since', 'revoked'], keys.map(rowOf)));
    }),
  ];
}

function rowOf({ agent, keyId, how, since, revokedAt }: ShownKey): string[] {
  return [agent, keyId, how === 'enrolled' ? 'a person' : 'first use', since, revokedAt ?? '-'].map(safe);
}

/** The key in text or file, without what is printed beside it. */
function keyOf(text: string): string {
  const key = wordsOf(text).find((word) => parsePublicKey(word) !== null);
  if (key !== undefined) return key;
  throw new CommandError(
    EXIT.usage,
    'there is no public key in --key',
    'collard agent key --config agent.yaml prints it',
  );
}

function idOf(text: string): string {
  const words = wordsOf(text);
  return words.find((word) => parsePublicKey(word) !== null) ?? words[0] ?? '';
}

function wordsOf(text: string): string[] {
  if (!text.startsWith('@')) return text.trim().split(/\s+/);
  const path = text.slice(1);
  try {
    return readFileSync(path, 'utf8').slice(0, MAX_FILE_BYTES).trim().split(/\s+/);
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new CommandError(EXIT.usage, `cannot read ${safe(path)}: ${code}`, null, { cause: error });
  }
}
