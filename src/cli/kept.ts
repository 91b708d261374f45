/** Kept readings for commands: found by the configuration of an agent, decided anew, and what differs. */
import { statSync } from 'node:fs';
import { AGENT_SECRETS, type AgentConfig, agentSchema, fusionOf } from '../agent/config.ts';
import type { Detection } from '../agent/detector/detection.ts';
import { type Difference, differenceOf, verdictsOf } from '../agent/detector/difference.ts';
import type { WatchSettings } from '../agent/detector/watch.ts';
import { type ReadBlock, readKept } from '../agent/kept/read-kept.ts';
import { keptFolder } from '../agent/open-kept.ts';
import { loadPlaces, PlacesError } from '../agent/places-file.ts';
import { createRederiver, type Seen, timeOf } from '../agent/rederive.ts';
import { loadConfig } from '../lib/config-file.ts';
import { CommandError, EXIT } from './exit.ts';
import { safe, tell } from './output.ts';

export interface KeptSource {
  readonly folder: string;
  readonly settings: WatchSettings;
}

/** What a range of kept readings is, and what was made of it. */
export interface Account {
  /** Wall times; null where there are none. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** Without the pauses in between. */
  readonly coveredMs: number;
  readonly readings: number;
  readonly collars: readonly string[];
  /** Names of the detectors that decided live, by what they decide. */
  readonly decidedBy: { readonly [kind: string]: readonly string[] };
  /** Segments that end before their time. */
  readonly damaged: number;
  readonly live: readonly Detection[];
  readonly anew: readonly Detection[];
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
export async function accountOf(
  { folder, settings }: KeptSource,
  collar: string | undefined,
  seen?: Seen,
  onSegment?: (done: number, of: number) => void,
): Promise<Account> {
  const rederiver = createRederiver(settings);
  const [live, anew]: [Detection[], Detection[]] = [[], []];
  const collars = new Set<string>();
  const decidedBy = new Map<string, Set<string>>();
  let [fromMs, toMs, coveredMs, readings, damaged] = [null as number | null, null as number | null, 0, 0, 0];
  for await (const block of blocksOf(folder, () => (damaged += 1), undefined, onSegment)) {
    const { live: then, anew: now } = rederiver.take(block, seen);
    const isWanted = (one: { readonly collar: string }) => collar === undefined || one.collar === collar;
    for (const one of then) if (isWanted(one)) live.push(one);
    for (const one of now) if (isWanted(one)) anew.push(one);
    for (const [kind, name] of Object.entries(block.head.detectors)) {
      decidedBy.set(kind, (decidedBy.get(kind) ?? new Set()).add(name));
    }
    for (const { input } of block.entries) {
      if (input.type !== 'reading' || !isWanted(input.reading)) continue;
      readings += 1;
      collars.add(input.reading.collar);
    }
    const [first, last] = [block.entries[0], block.entries.at(-1)];
    if (first === undefined || last === undefined) continue;
    coveredMs += timeOf(last) - timeOf(first);
    fromMs ??= timeOf(first) + block.head.offsetMs;
    toMs = timeOf(last) + block.head.offsetMs;
  }
  return {
    ...{ fromMs, toMs, coveredMs, readings, damaged, live, anew },
    collars: [...collars].sort(),
    decidedBy: Object.fromEntries([...decidedBy].map(([kind, names]) => [kind, [...names]])),
  };
}

export function changesIn({ live, anew }: Pick<Account, 'live' | 'anew'>): Difference {
  return differenceOf(verdictsOf(live), verdictsOf(anew));
}

/** Throws CommandError where they cannot be read. */
export async function* blocksOf(
  folder: string,
  onDamage: () => void,
  newestBytes?: number,
  onSegment?: (done: number, of: number) => void,
): AsyncGenerator<ReadBlock> {
  try {
    yield* readKept(folder, onDamage, newestBytes, onSegment);
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
