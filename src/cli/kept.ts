/** Kept readings for commands: found by the configuration of an agent, decided anew, and what differs. */
import { statSync } from 'node:fs';
import { type Account, accountOf } from '../agent/account.ts';
import { AGENT_SECRETS, type AgentConfig, agentSchema, fusionOf } from '../agent/config.ts';
import type { WatchSettings } from '../agent/detector/watch.ts';
import { type KeptPart, type ReadBlock, readKept } from '../agent/kept/read-kept.ts';
import { keptFolder } from '../agent/open-kept.ts';
import { loadPlaces, PlacesError } from '../agent/places-file.ts';
import type { Seen } from '../agent/rederive.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { safe, tell } from './output.ts';

export interface KeptSource {
  readonly folder: string;
  readonly settings: WatchSettings;
}

/** Of all that is kept; `damaged`: segments that end before their time. */
export interface KeptAccount extends Account {
  readonly damaged: number;
}

export function loadAgentConfig(file: string): AgentConfig {
  const { value, warnings } = loadConfig(file, agentSchema, {
    env: process.env,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY,
    secrets: AGENT_SECRETS,
  });
  for (const warning of warnings) tell(`warning: ${warning}`);
  return value;
}

/** As the agent has them. Throws CommandError where the rooms cannot be read. */
export function watchSettings(config: Pick<AgentConfig, 'detect' | 'places' | 'fusion'>): WatchSettings {
  const { detect, places } = config;
  const rooms = places === undefined ? undefined : placesOf(places);
  return { ...detect, place: { ...detect.place, rooms }, fusion: fusionOf(config) };
}

export function placesOf(path: string) {
  try {
    return loadPlaces(path);
  } catch (error) {
    if (!(error instanceof PlacesError)) throw error;
    const code = error.code === 'PLACES_UNREADABLE' ? EXIT.unavailable : EXIT.data;
    throw new CommandError(code, safe(error.message), null, { cause: error });
  }
}

/** `folder`: where they lie, if not where the configuration says. Throws CommandError where there are none. */
export function openKeptSource(config: AgentConfig, folder: string = keptFolder(config)): KeptSource {
  try {
    if (statSync(folder).isDirectory()) return { folder, settings: watchSettings(config) };
  } catch (error) {
    throw unreadable(folder, error);
  }
  throw new CommandError(EXIT.unavailable, `${safe(folder)} is no folder with kept readings`);
}

/** Goes over all that is kept, once. */
export async function keptAccount(
  { folder, settings }: KeptSource,
  collar: string | undefined,
  seen?: Seen,
  onSegment?: (done: number, of: number) => void,
): Promise<KeptAccount> {
  let damaged = 0;
  const blocks = blocksOf(folder, () => (damaged += 1), {}, onSegment);
  return { ...(await accountOf(blocks, settings, collar, seen)), damaged };
}

/** Throws CommandError where they cannot be read. */
export async function* blocksOf(
  folder: string,
  onDamage: () => void,
  part: KeptPart,
  onSegment?: (done: number, of: number) => void,
): AsyncGenerator<ReadBlock> {
  try {
    yield* readKept(folder, onDamage, part, onSegment);
  } catch (error) {
    throw unreadable(folder, error);
  }
}

function unreadable(folder: string, cause: unknown): CommandError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const fix =
    code === 'ENOENT'
      ? 'let the agent keep them: readings: { keep: 48h / 200 MB } in agent.yaml'
      : code === 'EACCES'
        ? 'run as the user of the agent, such as sudo -u collard'
        : null;
  return new CommandError(EXIT.unavailable, `cannot read kept readings in ${safe(folder)}: ${code || message}`, fix, {
    cause,
  });
}
