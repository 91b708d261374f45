/**
 * npm run bench -- [--runs 5] [--readings 100000] [--only NAME] [--json FILE] [--save]
 * The same readings through collard and through what people wire up instead, in turn, and what each takes for it. `--save` keeps the
 * result as `result.json`, with which later runs are compared. What is not installed is told (`npm run bench:peers`).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ccPath } from '../servers.ts';
import type { Contender } from './contender.ts';
import { collard } from './contenders/collard.ts';
import { nodeRed } from './contenders/node-red.ts';
import { script } from './contenders/scripts.ts';
import { shell } from './contenders/shell.ts';
import { type BenchDisk, openBenchDisk } from './disk.ts';
import { flushesASecond } from './machine.ts';
import { measureBurst, measureOutage, measurePaced } from './measure.ts';
import { type Bench, compared, FIGURES, type Figures, printed } from './report.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    readings: { type: 'string', default: '100000' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    save: { type: 'boolean', default: false },
  },
});
const resultPath = fileURLToPath(new URL('./result.json', import.meta.url));
/** Readings a second of the paced part, and for so long. */
const PACE = { perSecond: 100, seconds: 20 };
/** Before a kill. */
const KILL_READINGS = 10_000;
/** A flush of a card takes so long. */
const CARD_FLUSH_MS = 10;
/** Who flushes for each event gets this part of the input: all of it would take minutes. */
const SLOW_SHARE = 0.05;

const contenders = [
  collard('frame'),
  collard('json'),
  script('jsonl'),
  script('sqlite'),
  shell(),
  nodeRed(false),
  nodeRed(true),
].filter(({ name }) => name.includes(values.only));
const tell = (line: string) => process.stderr.write(`${line}\n`);
const readings = Number(values.readings);
const flushesEach = ({ name }: Contender) => /row|SQLite/.test(name);
const shareOf = (one: Contender) => (flushesEach(one) ? SLOW_SHARE : 1);

const disk = openBenchDisk();
try {
  const figures: Record<string, Figures> = {};
  const here = contenders.filter(({ name, missing }) => {
    if (missing !== null) tell(`${name} is not here: ${missing}`);
    return missing === null;
  });
  const flushRates = [flushesASecond(disk.folder)];
  for (const { name } of here) figures[name] = {};
  for (let run = 1; run <= Number(values.runs); run += 1) {
    for (const one of here) await oneRun(one, figures[one.name] ?? {}, run);
    flushRates.push(flushesASecond(disk.folder));
  }
  for (const one of here) await onceEach(one, figures[one.name] ?? {});
  const bench: Bench = { machine: machineOf(flushRates), readings, runs: Number(values.runs), figures };
  process.stdout.write(`${printed(bench)}\n`);
  const before = readResult();
  if (before !== null) process.stdout.write(`\n${compared(before, bench)}\n`);
  const text = `${JSON.stringify(bench, null, 1)}\n`;
  if (values.json !== undefined) writeFileSync(values.json, text);
  if (values.save) writeFileSync(resultPath, text);
} finally {
  disk.close();
}

async function oneRun(one: Contender, figures: Figures, run: number): Promise<void> {
  const began = performance.now();
  const burst = await measureBurst(one, disk, readings * shareOf(one), { warms: true });
  const paced = await measurePaced(one, disk, PACE.perSecond, PACE.seconds);
  const scale = 100_000 / (readings * shareOf(one));
  add(figures, {
    'events/s': burst.eventsPerSecond,
    'CPU-s per 100 000 readings': burst.cpuSeconds * scale,
    'events/s, warm': burst.warm?.eventsPerSecond ?? null,
    'CPU-s per 100 000 readings, warm': burst.warm === null ? null : burst.warm.cpuSeconds * scale,
    'RSS at most, MB': burst.peakRssMb,
    'B written per event, burst': burst.writtenBytesPerEvent,
    'B written per event, 40 a second': paced.writtenBytesPerEvent,
    'B on the wire per event, burst': burst.payloadBytesPerEvent,
    'latency p50, ms': paced.p50Ms,
    'latency p99, ms': paced.p99Ms,
    'RSS idle, MB': paced.idleRssMb,
    'CPU idle, %': paced.idleCpuPercent,
    'lost in the burst': burst.lost,
  });
  tell(
    `run ${run}: ${one.name}: ${Math.round(burst.eventsPerSecond)} events/s (${Math.round((performance.now() - began) / 1_000)} s)`,
  );
}

async function onceEach(one: Contender, figures: Figures): Promise<void> {
  const outage = await measureOutage(one, disk, readings * shareOf(one), false);
  const killed = await measureOutage(one, disk, Math.min(KILL_READINGS, readings) * (flushesEach(one) ? 0.2 : 1), true);
  const card = await onCard(one, disk);
  add(figures, {
    'events/s after an outage': outage.eventsPerSecond,
    'RSS in the outage, MB': outage.peakRssMb,
    'lost of 100 in the outage': (outage.lost / (outage.lost + outage.events)) * 100,
    'lost of 100 by kill -9 in an outage': (killed.lost / (killed.lost + killed.events)) * 100,
    ...(card === null ? {} : { [`events/s, ${CARD_FLUSH_MS} ms a flush`]: card }),
  });
  tell(`outage, kill, card: ${one.name}`);
}

/** Null without a C compiler, and for who flushes nothing. */
async function onCard(one: Contender, where: BenchDisk): Promise<number | null> {
  if (ccPath === null || !one.durable) return null;
  const library = join(where.folder, 'slow.so');
  const source = fileURLToPath(new URL('../faults/slow.c', import.meta.url));
  execFileSync(ccPath, ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl', '-pthread']);
  const env = {
    ...process.env,
    LD_PRELOAD: library,
    SLOW_TOLD: join(where.folder, 'flushes'),
    SLOW_MIN_MS: String(CARD_FLUSH_MS),
    SLOW_MAX_MS: String(CARD_FLUSH_MS),
    SLOW_SEED: '1',
  };
  const share = flushesEach(one) ? SLOW_SHARE / 5 : 1;
  return (await measureBurst(one, where, readings * share, { env })).eventsPerSecond;
}

function add(figures: Figures, one: Record<string, number | null>): void {
  for (const name of FIGURES) {
    const value = one[name];
    if (value === null || value === undefined || Number.isNaN(value)) continue;
    figures[name] = [...(figures[name] ?? []), Math.round(value * 1_000) / 1_000];
  }
}

function machineOf(rates: readonly number[]) {
  const [first] = cpus();
  return {
    processors: cpus().length,
    model: first?.model ?? '',
    node: process.version,
    flushesPerSecond: [Math.min(...rates), Math.max(...rates)] as const,
  };
}

function readResult(): Bench | null {
  try {
    return JSON.parse(readFileSync(resultPath, 'utf8')) as Bench;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
