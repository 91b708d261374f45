/** What is fuzzed: a border where strangers write, with the promises that must hold for any bytes. */

import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
/** Numbers at the start of what is watched of a run, see `Job`. */
export const HEADS = 3;

export interface FuzzTarget {
  /** Inputs to begin with: one of each kind that there is. */
  readonly seeds: readonly Uint8Array[];
  /** Words of the format, besides those that the instrumented sources compare with. */
  readonly words: readonly string[];
  readonly maxBytes: number;
  /** Most inputs are no longer than this. Long ones cost time, and say little more. */
  readonly usualBytes?: number;
  /** Throws where a promise is broken. */
  run(input: Uint8Array): void | Promise<void>;
  close?(): Promise<void>;
}

interface Border {
  /** A module of `targets/` that exports `open`. */
  readonly module: string;
  /** Beginnings of paths, from the root of the repository: files that are instrumented. */
  readonly instrument: readonly string[];
}

const decoder = ['src/agent/decoder/'];
const contract = ['src/contract/'];

export const BORDERS: Readonly<Record<string, Border>> = {
  json: { module: 'json', instrument: decoder },
  csv: { module: 'csv', instrument: decoder },
  frame: { module: 'frame', instrument: decoder },
  mysensors: { module: 'mysensors', instrument: decoder },
  rflink: { module: 'rflink', instrument: decoder },
  ruuvi: { module: 'ruuvi', instrument: decoder },
  bthome: { module: 'bthome', instrument: decoder },
  cayenne: { module: 'cayenne', instrument: decoder },
  slip: { module: 'slip', instrument: ['src/agent/decoder/slip.ts'] },
  lines: { module: 'lines', instrument: ['src/agent/decoder/lines.ts'] },
  envelope: { module: 'envelope', instrument: [...contract, 'src/agent/log/rows.ts', 'src/central/models/'] },
  stored: { module: 'stored', instrument: [...contract, 'src/agent/publisher/'] },
  sync: { module: 'sync', instrument: contract },
  state: { module: 'state', instrument: contract },
  incoming: { module: 'incoming', instrument: [...contract, 'src/central/subscriber/message.ts'] },
  request: { module: 'request', instrument: [...contract, 'src/agent/publisher/'] },
  config: {
    module: 'config',
    instrument: ['src/lib/config-file.ts', 'src/agent/config.ts', 'src/central/config.ts', 'node_modules/yaml/dist/'],
  },
  body: {
    module: 'body',
    instrument: [
      'src/central/api/schema.ts',
      'src/central/api/correction-schema.ts',
      'src/central/api/quarantine-schema.ts',
      'src/central/cats/',
      'src/central/store/cursor.ts',
      'src/contract/correction.ts',
      'node_modules/secure-json-parse/',
    ],
  },
  http: { module: 'http', instrument: ['src/central/api/', 'src/central/cats/', 'src/central/store/read'] },
  terminal: { module: 'terminal', instrument: ['src/cli/output.ts', 'src/cli/logger.ts'] },
  // No borders of ours: faults that must be found, one of them by guidance only.
  planted: { module: 'planted', instrument: ['test/fuzz/targets/planted.ts'] },
  endless: { module: 'endless', instrument: ['test/fuzz/targets/endless.ts'] },
  slow: { module: 'slow', instrument: ['test/fuzz/targets/slow.ts'] },
};

const CONTROLS: readonly string[] = ['planted', 'endless', 'slow'];
export const TARGETS: readonly string[] = Object.keys(BORDERS).filter((name) => !CONTROLS.includes(name));

export async function openTarget(name: string): Promise<FuzzTarget> {
  const border = BORDERS[name];
  if (border === undefined) throw new Error(`no target ${name}: there are ${TARGETS.join(', ')}`);
  const { open } = (await import(`./targets/${border.module}.ts`)) as { open(): FuzzTarget | Promise<FuzzTarget> };
  return open();
}

/** Where the files of a target cost no flush. */
export function openFolder(): string {
  return mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'collard-fuzz-'));
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** Throws what is wrong. The text is built only then. */
export function hold(fact: boolean, otherwise: () => string): void {
  if (!fact) throw new Error(otherwise());
}
