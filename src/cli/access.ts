/** `collard central passwd` and `token`: who may use page and API. They write to the store: beside a central that runs, or before its start. */
import { Command, Option } from 'commander';
import { isAlwaysClosed, newToken } from '../central/api/access.ts';
import { hashPassword, passwordFault } from '../central/api/password.ts';
import { type MemberRole, ROLES } from '../central/broker/rights.ts';
import { CENTRAL_SECRETS, type CentralConfig, centralSchema } from '../central/config.ts';
import { openStore } from '../central/open-store.ts';
import type { Scope } from '../central/store/access-store.ts';
import type { Store } from '../central/store/store.ts';
import { AGENT_NAME } from '../contract/topic.ts';
import { loadConfig } from '../lib/config-file.ts';
import { askSecret } from './ask-secret.ts';
import { CommandError, EXIT } from './exit.ts';
import { print, printJson, safe, table, tell } from './output.ts';
import { openExistingStore } from './verify.ts';

interface Options {
  readonly config: string;
  readonly json?: true;
  readonly remove?: true;
  readonly scope: Scope;
}

/** `page` is what events of people say. */
const TOKEN_NAME = /^(?!page$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const HELP = '\n--config names central.yaml, as for central itself. Central notices it within seconds.';

/** For `collard central`, whose --config they use. */
export function accessCommands(): readonly Command[] {
  return [passwdCommand(), tokenCommand(), accountCommand()];
}

function accountCommand(): Command {
  return new Command('account')
    .argument('<name>', 'the user name; of an agent that of the agent')
    .description('Print an account of the broker that central brings along, for broker.accounts in central.yaml.')
    .addOption(new Option('--may <what>', 'what it may').choices([...ROLES]).default('agent'))
    .action(async (name: string, { may }: { may: MemberRole }) => {
      if (!AGENT_NAME.test(name)) {
        const fix = 'up to 64 letters, digits, dashes and underscores; of an agent as in its agent.yaml';
        throw new CommandError(EXIT.usage, `${safe(name)} is no name of an account`, fix);
      }
      print(`- { name: ${name}, may: ${may}, password: "${await hashPassword(await newPassword())}" }`);
      tell('Put this line below broker.accounts in central.yaml, and reload central.');
    });
}

function passwdCommand(): Command {
  return new Command('passwd')
    .description('Set the password of page and API, typed or from stdin. All who are logged in are logged out.')
    .option('--remove', 'take it away instead')
    .addHelpText('after', HELP)
    .action(async (_own: unknown, command: Command) => {
      const { config: file, remove } = command.optsWithGlobals<Options>();
      const config = configOf(file);
      const hash = remove === true ? null : await hashPassword(await newPassword());
      await withStore(config, openFirst, (store) => store.setPassword(hash));
      tell(hash === null ? without(config) : 'The password is set. Who was logged in is logged out.');
    });
}

function tokenCommand(): Command {
  const command = new Command('token')
    .description('Tokens by which programs use the API: Authorization: Bearer TOKEN.')
    .addHelpText('after', HELP);
  command
    .command('add')
    .argument('<name>', 'what it is called in lists, and by its commands')
    .description('Print a new token. It is shown this once: only its hash is kept.')
    .addOption(new Option('--scope <scope>', 'what it may').choices(['read', 'command']).default('read'))
    .option('--json', 'print one JSON object')
    .action(async (name: string, _own: unknown, inner: Command) => {
      const { config: file, scope, json } = inner.optsWithGlobals<Options>();
      if (!TOKEN_NAME.test(name)) {
        const fix = 'up to 64 letters, digits, dots, dashes and underscores; "page" is what people are called';
        throw new CommandError(EXIT.usage, `${safe(name)} is no name of a token`, fix);
      }
      const { token, hash } = newToken();
      await withStore(configOf(file), openFirst, (store) =>
        store.addToken({ name, scope, hash }, new Date().toISOString()),
      );
      if (json === true) return printJson({ name, scope, token });
      print(token);
      tell(`${name} may ${scope === 'read' ? 'read' : 'read and command'}. The token is not shown again.`);
    });
  command
    .command('list')
    .description('Print all tokens, without their secrets.')
    .option('--json', 'print JSON')
    .action(async (_own: unknown, inner: Command) => {
      const { config: file, json } = inner.optsWithGlobals<Options>();
      const tokens = await withStore(configOf(file), openExistingStore, (store) => store.tokens());
      if (json === true) return tokens.forEach(printJson);
      if (tokens.length === 0) return print('no tokens yet: collard central token add NAME --scope read');
      const rows = tokens.map(({ name, scope, created, lastUsed }) => [name, scope, created, lastUsed ?? 'never']);
      print(
        table(
          ['name', 'scope', 'made', 'last used'],
          rows.map((row) => row.map(safe)),
        ),
      );
    });
  command
    .command('revoke')
    .argument('<name>')
    .description('From now on a token counts no more; who follows the stream by it is cut off.')
    .action(async (name: string, _own: unknown, inner: Command) => {
      const { config: file } = inner.optsWithGlobals<Options>();
      const isGone = await withStore(configOf(file), openExistingStore, (store) => store.revokeToken(name));
      if (!isGone)
        throw new CommandError(EXIT.checkFailed, `there is no token ${safe(name)}`, 'collard central token list');
      tell(`${safe(name)} is revoked`);
    });
  return command;
}

async function newPassword(): Promise<string> {
  const password = await askSecret('New password');
  const fault = passwordFault(password);
  if (fault !== null) throw new CommandError(EXIT.usage, fault, 'several words that belong together to you alone');
  return password;
}

function without({ http }: CentralConfig): string {
  if (isAlwaysClosed(http)) return 'There is no password any more: nobody can log in.';
  return 'There is no password any more: whoever reaches the port may see and change everything.';
}

function configOf(file: string): CentralConfig {
  const { env } = process;
  const options = { env, credentialsDirectory: env.CREDENTIALS_DIRECTORY, secrets: CENTRAL_SECRETS };
  return loadConfig(file, centralSchema, options).value;
}

/** May be before the first start of central. */
function openFirst({ url, password }: CentralConfig['store']): Promise<Store> {
  return openStore({ url, password });
}

async function withStore<T>(
  { store: place }: CentralConfig,
  open: (place: CentralConfig['store']) => Promise<Store>,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await open(place).catch((error: unknown) => {
    if (error instanceof CommandError) throw error;
    const text = error instanceof Error ? error.message : String(error);
    throw new CommandError(
      EXIT.io,
      `the store cannot be opened: ${text}`,
      'run this as the user that central runs as',
      {
        cause: error,
      },
    );
  });
  try {
    return await work(store);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && /^(TOKEN_EXISTS|TOO_MANY_TOKENS)$/.test(String(error.code))))
      throw error;
    throw new CommandError(EXIT.checkFailed, error.message, 'collard central token revoke NAME', { cause: error });
  } finally {
    await store.close();
  }
}
