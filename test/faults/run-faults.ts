/** Runs scenarios one after the other, each within its share of the time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentIo } from './agent-io.ts';
import { blockedLoop } from './blocked-loop.ts';
import { centralIo } from './central-io.ts';
import { clusterMosquitto, clusterNats, clusterRabbitmq } from './cluster.ts';
import { confirmation } from './confirmation.ts';
import { diskFull } from './disk-full.ts';
import { faketime } from './faketime.ts';
import { type Row, type Scenario, scenarioSeed } from './frame.ts';
import { frozen } from './frozen.ts';
import { godown } from './godown.ts';
import { halfOpen } from './half-open.ts';
import { idWrap } from './id-wrap.ts';
import { ioErrors } from './io-errors.ts';
import { kill } from './kill.ts';
import { malformed } from './malformed.ts';
import { memoryLimit } from './memory-limit.ts';
import { nemesis } from './nemesis.ts';
import { powerLoss } from './power-loss.ts';
import { ptyUnplug } from './pty-unplug.ts';
import { readOnly } from './read-only.ts';
import { schema } from './schema.ts';
import { slowDisk } from './slow-disk.ts';
import { storeCuts } from './store-cuts.ts';

export const SCENARIOS: readonly Scenario[] = [
  kill,
  powerLoss,
  godown,
  ioErrors,
  agentIo,
  centralIo,
  malformed,
  diskFull,
  readOnly,
  slowDisk,
  nemesis,
  confirmation,
  idWrap,
  halfOpen,
  ptyUnplug,
  faketime,
  memoryLimit,
  blockedLoop,
  frozen,
  schema,
  storeCuts,
  clusterNats,
  clusterRabbitmq,
  clusterMosquitto,
];

export interface Outcome {
  readonly scenario: string;
  readonly seed: number;
  readonly seconds: number;
  /** What this machine lacks, or null. */
  readonly skipped: string | null;
  /** The scenario itself broke, or null. */
  readonly failed: string | null;
  readonly rows: readonly Row[];
}

export interface FaultOptions {
  readonly minutes: number;
  readonly seed: number;
  /** At most so many injections in each row; `full`: as many as the scenario says. */
  readonly count: number | 'full';
  readonly only: readonly string[];
  /** The folders stay, for whoever looks into a breach. */
  readonly keep?: boolean;
  readonly tell: (line: string) => void;
}

export async function runFaults(options: FaultOptions): Promise<readonly Outcome[]> {
  const chosen = SCENARIOS.filter(({ name }) => options.only.includes(name));
  const able = chosen.filter((scenario) => scenario.missing() === null);
  const weights = able.reduce((sum, { weight }) => sum + weight, 0);
  const outcomes: Outcome[] = [];
  for (const scenario of chosen) {
    const shareMs = (options.minutes * 60_000 * scenario.weight) / weights;
    outcomes.push(await runScenario(scenario, options, shareMs));
  }
  return outcomes;
}

export async function runScenario(
  scenario: Scenario,
  options: Omit<FaultOptions, 'only' | 'minutes'>,
  shareMs: number,
): Promise<Outcome> {
  const { name } = scenario;
  const seed = scenarioSeed(options.seed, name);
  const began = performance.now();
  const end = (skipped: string | null, failed: string | null, rows: readonly Row[]): Outcome => {
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    return { scenario: name, seed, seconds, skipped, failed, rows };
  };
  const skipped = scenario.missing();
  if (skipped !== null) {
    options.tell(`${name}: not run: ${skipped}`);
    return end(skipped, null, []);
  }
  const count = options.count === 'full' ? scenario.full : options.count;
  const limit = shareMs === Number.POSITIVE_INFINITY ? `${count} times` : `${Math.round(shareMs / 1_000)} s`;
  options.tell(`${name}: seed ${seed}, ${limit}`);
  const folder = mkdtempSync(join(tmpdir(), `collard-faults-${name}-`));
  try {
    const rows = await scenario.run({
      seed,
      folder,
      keep: options.keep === true,
      shareMs,
      more: (injected) => injected < count && performance.now() - began < shareMs,
      tell: (line) => options.tell(`${name}: ${line}`),
    });
    // Told at once: a later scenario that breaks this process must not take it along.
    for (const row of rows) options.tell(summary(row));
    return end(null, null, rows);
  } catch (error) {
    return end(null, error instanceof Error ? (error.stack ?? error.message) : String(error), []);
  } finally {
    if (options.keep === true) options.tell(`${name}: kept ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

function summary({ fault, control, injected, losing, acked, lost, doubled }: Row): string {
  const name = control ? `control: ${fault}` : fault;
  return `  ${name}: ${injected} injected, ${losing} broke, ${acked} acknowledged, ${lost} lost, ${doubled} doubled`;
}
