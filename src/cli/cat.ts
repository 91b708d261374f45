/** `collard cat …`: cats over HTTP. Central is the one writer of its store, so that a command asks it and opens no file. */
import { Command } from 'commander';
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import type { CatRow } from '../central/store/store.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { print, printJson, safe, table } from './output.ts';

const DEFAULT_URL = 'http://127.0.0.1:8321/';
const ANSWER_WITHIN_MS = 10_000;

interface CatOptions {
  readonly config?: string;
  readonly url?: string;
  readonly json?: true;
  readonly collar?: string;
}

export function catCommand(): Command {
  const command = new Command('cat').description(
    'Add, rename, move and list cats, and assign collars. Central must run.',
  );
  const sub = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      .option('--config <file>', 'central.yaml, for the address of central')
      .option('--url <url>', `address of central, ${DEFAULT_URL} where neither is given`)
      .option('--json', 'print JSON');

  sub('add', 'Add a cat.')
    .argument('<name>')
    .option('--collar <id>', 'the collar that it wears')
    .action(async (name: string, options: CatOptions) => {
      const { collar } = options;
      const cat = await ask<CatRow>(options, 'POST', 'cats', collar === undefined ? { name } : { name, collar });
      tellCat(
        options,
        cat,
        `${safe(cat.name)} is cat ${cat.id}${cat.collar === null ? '' : ` and wears ${safe(cat.collar)}`}`,
      );
    });
  sub('rename', 'Give a cat another name.')
    .argument('<cat>', 'name or number')
    .argument('<name>')
    .action(async (cat: string, name: string, options: CatOptions) => {
      const renamed = await ask<CatRow>(options, 'PATCH', `cats/${await idOf(options, cat)}`, { name });
      tellCat(options, renamed, `cat ${renamed.id} is called ${safe(renamed.name)}`);
    });
  sub('assign', 'Give a cat a collar, whoever wore it before.')
    .argument('<cat>', 'name or number')
    .argument('<collar>')
    .action(async (cat: string, collar: string, options: CatOptions) => {
      const wearer = await ask<CatRow>(options, 'PATCH', `cats/${await idOf(options, cat)}`, { collar });
      tellCat(options, wearer, `${safe(wearer.name)} wears ${safe(collar)}`);
    });
  sub('move', 'Correct where a cat is.')
    .argument('<cat>', 'name or number')
    .argument('<place>')
    .action(async (cat: string, location: string, options: CatOptions) => {
      const moved = await ask<CatRow>(options, 'PUT', `cats/${await idOf(options, cat)}/location`, { location });
      tellCat(options, moved, `${safe(moved.name)} is in ${safe(moved.location ?? location)}`);
    });
  sub('list', 'Print all cats.').action(async (options: CatOptions) => {
    const { cats } = await ask<CatsAnswer>(options, 'GET', 'cats');
    if (options.json === true) for (const cat of cats) printJson(cat);
    else if (cats.length === 0) print('no cats yet: collard cat add NAME --collar ID');
    else print(listOf(cats));
  });
  return command;
}

interface CatsAnswer {
  readonly cats: readonly CatRow[];
}

function tellCat(options: CatOptions, cat: CatRow, sentence: string): void {
  if (options.json === true) printJson(cat);
  else print(sentence);
}

function listOf(cats: readonly CatRow[]): string {
  const rows = cats.map((cat) => [
    String(cat.id),
    safe(cat.name),
    safe(cat.location ?? '-'),
    cat.isMeowed ? 'yes' : 'no',
    String(cat.meowsToday),
    safe(cat.collar ?? '-'),
    cat.lastHeard ?? 'never',
  ]);
  return table(['cat', 'name', 'place', 'shaking', 'meows today', 'collar', 'last seen'], rows);
}

/** A name before a number: a cat may be called 7. */
async function idOf(options: CatOptions, cat: string): Promise<number> {
  const { cats } = await ask<CatsAnswer>(options, 'GET', 'cats');
  const fold = (name: string) => name.normalize('NFC').trim().toLowerCase();
  const known = cats.find((row) => fold(row.name) === fold(cat)) ?? cats.find((row) => String(row.id) === cat);
  if (known === undefined) throw new CommandError(EXIT.checkFailed, 'cat not found');
  return known.id;
}

/** The answer of central. Throws CommandError: 1 when it refuses, in its own words; 69 when it does not answer. */
async function ask<T>(options: CatOptions, method: string, path: string, body?: unknown): Promise<T> {
  const url = new URL(`api/v1/${path}`, addressOf(options));
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(url, {
      method,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    answer = await response.json();
  } catch (error) {
    const fix = 'start it with: collard central --config central.yaml, or name its address with --url or --config';
    throw new CommandError(EXIT.unavailable, `central does not answer at ${url.origin}`, fix, { cause: error });
  }
  if (response.ok) return answer as T;
  const { detail } = (typeof answer === 'object' && answer !== null ? answer : {}) as { readonly detail?: unknown };
  const words = typeof detail === 'string' ? safe(detail) : `central answered ${response.status}`;
  if (response.status >= 500 || response.status === 429) throw new CommandError(EXIT.retry, words, 'try again later');
  throw new CommandError(response.status === 400 ? EXIT.usage : EXIT.checkFailed, words);
}

function addressOf({ config, url }: CatOptions): string {
  if (url !== undefined) {
    if (!/^https?:/.test(url) || !URL.canParse(url))
      throw new CommandError(EXIT.usage, `${safe(url)} is no address`, '--url http://HOST:PORT/');
    return url.endsWith('/') ? url : `${url}/`;
  }
  if (config === undefined) return DEFAULT_URL;
  const { env } = process;
  const options = { env, credentialsDirectory: env.CREDENTIALS_DIRECTORY, secrets: CENTRAL_SECRETS };
  const { host, port } = loadConfig(config, centralSchema, options).value.http;
  const name = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}/`;
}
