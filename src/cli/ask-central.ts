/** Asks a central that runs, over HTTP: it is the one writer of its store, so that commands open no file of it. */
import { readFileSync } from 'node:fs';
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { safe } from './output.ts';

export const DEFAULT_URL = 'http://127.0.0.1:8321/';
const ANSWER_WITHIN_MS = 10_000;
const NEEDS_TOKEN =
  'collard central token add NAME --scope command --config central.yaml; give what it prints as COLLARD_TOKEN, or its file ' +
  'as COLLARD_TOKEN_FILE';

export interface CentralAddress {
  /** central.yaml. */
  readonly config?: string;
  readonly url?: string;
}

/** The answer of central. Throws CommandError: 1 when it refuses, in its own words; 69 when it does not answer. */
export async function ask<T>(options: CentralAddress, method: string, path: string, body?: unknown): Promise<T> {
  const url = new URL(`api/v1/${path}`, addressOf(options));
  const token = tokenOf(process.env);
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(url, {
      method,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    answer = await response.json();
  } catch (error) {
    const fix = 'start it with: collard central --config central.yaml, or name its address with --url or --config';
    throw new CommandError(EXIT.unavailable, `central does not answer at ${url.origin}`, fix, { cause: error });
  }
  if (response.ok) return answer as T;
  const { detail } = (typeof answer === 'object' && answer !== null ? answer : {}) as { readonly detail?: unknown };
  const words = typeof detail === 'string' ? safe(detail) : `central answered ${response.status}`;
  if (response.status === 401) throw new CommandError(EXIT.checkFailed, words, NEEDS_TOKEN);
  if (response.status >= 500 || response.status === 429) throw new CommandError(EXIT.retry, words, 'try again later');
  throw new CommandError(response.status === 400 ? EXIT.usage : EXIT.checkFailed, words);
}

/** From the environment, or from a file that it names: never from the command line. Null: none, as a central that is open needs none. */
function tokenOf({ COLLARD_TOKEN: token = '', COLLARD_TOKEN_FILE: file = '' }: NodeJS.ProcessEnv): string | null {
  if (token !== '' || file === '') return token === '' ? null : token.trim();
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new CommandError(EXIT.usage, `cannot read COLLARD_TOKEN_FILE ${safe(file)}: ${code}`, null, { cause: error });
  }
}

function addressOf({ config, url }: CentralAddress): string {
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
