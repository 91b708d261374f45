/** `collard agent key`: the public key of an agent, as central enrols it. */
import { AGENT_SECRETS, agentSchema } from '../agent/config.ts';
import { openSigningKey, signingKeyPath } from '../agent/publisher/signing-key.ts';
import { encodePublicKey } from '../contract/signature.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { print, printJson, safe, tell } from './output.ts';

export interface AgentKeyOptions {
  readonly config: string;
  readonly json?: true;
}

/** Makes the key where there is none. Throws ConfigError and CommandError. */
export async function printAgentKey({ config: file, json }: AgentKeyOptions): Promise<void> {
  const { env } = process;
  const options = { env, credentialsDirectory: env.CREDENTIALS_DIRECTORY, secrets: AGENT_SECRETS };
  const config = loadConfig(file, agentSchema, options).value;
  const path = signingKeyPath(config);
  const { key, aside, exposed } = await openSigningKey(path).catch((error: unknown) => {
    throw asFailure(error);
  });
  if (aside !== null) tell(`warning: the key was damaged and is a new one now; what was there is ${safe(aside)}`);
  if (exposed) tell(`warning: others may read the signing key: chmod 600 ${safe(path)}`);
  const shown = { agent: config.agent, keyId: key.keyId, key: encodePublicKey(key.publicKey) };
  if (json === true) printJson(shown);
  else print(`${shown.key} ${shown.keyId}`);
}

function asFailure(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const foreign = 'code' in error && error.code === 'SIGNING_KEY_FOREIGN';
  return new CommandError(foreign ? EXIT.config : EXIT.io, error.message, null, { cause: error });
}
