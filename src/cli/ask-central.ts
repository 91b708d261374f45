/** Asks a central that runs, over HTTP: it is the one writer of its store, so that commands open no file of it. */
import { CENTRAL_SECRETS, centralSchema } from '../central/config.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { safe } from './output.ts';

export const DEFAULT_URL = 'http://127.0.0.1:8321/';
const ANSWER_WITHIN_MS = 10_000;

export interface CentralAddress {
  /** central.yaml. */
  readonly config?: string;
  readonly url?: string;
}

/** The answer of central. Throws CommandError: 1 when it refuses, in its own words; 69 when it does not answer. */
export async function ask<T>(options: CentralAddress, method: string, path: string, body?: unknown): Promise<T> {
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
