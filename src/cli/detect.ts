/** `collard detect`: decoder and detectors over recorded readings, no log and no network. */
import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { agentSchema } from '../agent/config.ts';
import { createDecoder, type DecoderOptions, FORMATS } from '../agent/decoder/decoder.ts';
import type { Decoded, Decoder, Reading } from '../agent/decoder/reading.ts';
import { createReceivers } from '../agent/decoder/receivers.ts';
import { createWatch, step, type WatchInput, type WatchSettings } from '../agent/detector/watch.ts';
import { detectKept, type KeptOptions } from './detect-kept.ts';
import { lineOf } from './detect-line.ts';
import { CommandError, EXIT } from './exit.ts';
import { placesOf } from './kept.ts';
import { createMeter } from './meter.ts';
import { safe, tell } from './output.ts';

type Format = DecoderOptions['format'];

interface Options {
  readonly format: Format | 'auto';
  readonly sensitivity: number;
  readonly collar?: string;
  readonly place?: string;
  readonly places?: string;
  readonly unit?: DecoderOptions['unit'];
  readonly verbose?: true;
  readonly json?: true;
  readonly fromKept?: string | true;
  readonly config?: string;
  readonly compare?: true;
  readonly html?: string;
}

const STDIN = '-';
/** A recording is read in pieces of this size: memory does not depend on its length. */
const CHUNK_BYTES = 64 * 1024;
/** Time passes in a recording in such steps, as the agent's ticks do. */
const TICK_MS = 1_000;
/** What the format is told by, where the name does not tell it. */
const SNIFF_BYTES = 4_096;

export function detectCommand(): Command {
  const { sensitivity } = agentSchema.shape.detect.parse({}).shake;
  return new Command('detect')
    .description('Find meows and moves in recorded readings, one JSON object a line.')
    .argument('[file...]', 'recordings; - is stdin')
    .addOption(
      new Option('--format <format>', 'how the readings are written').choices(['auto', ...FORMATS]).default('auto'),
    )
    .option('--sensitivity <n>', 'above 1: weaker shakes count', sensitivityOf, sensitivity)
    .option('--collar <id>', 'the collar of readings that name none')
    .option('--place <name>', 'where the receiver stood, for readings that do not say it')
    .option('--places <file>', 'rooms as collard calibrate has learnt them')
    .option('--unit <unit>', 'csv: g, mg, m/s2, or how many counts are 1 g', unitOf)
    .option('--from-kept [folder]', 'the readings that the agent of --config keeps, instead of files')
    .option('--config <file>', 'with --from-kept: an agent.yaml, with the settings to try')
    .option('--compare', 'with --from-kept: what these settings would change of what was decided live')
    .option('--html <file>', 'with --from-kept: a page with a picture of what would change')
    .option('--json', 'with --compare: one JSON object; else the output is JSON anyway')
    .option('--verbose', 'tell counts on stderr (default on a terminal)')
    .action(detect);
}

async function detect(files: readonly string[], options: Options, command: Command): Promise<void> {
  if (options.fromKept !== undefined) return await detectKept(keptOptions(files, options, command));
  for (const name of ['config', 'compare', 'html'] as const) {
    if (options[name] !== undefined) throw new CommandError(EXIT.usage, `--${name} goes with --from-kept`);
  }
  if (files.length === 0)
    throw new CommandError(
      EXIT.usage,
      'missing required argument: file',
      'name a recording, - for stdin, or --from-kept',
    );
  for (const file of files) if (file !== STDIN) checkFile(file);
  const { sensitivity } = options;
  const detecting = agentSchema.shape.detect.parse({ shake: { sensitivity } });
  const rooms = options.places === undefined ? undefined : placesOf(options.places);
  const settings: WatchSettings = { ...detecting, place: { ...detecting.place, rooms } };
  const meter = createMeter();
  const total = sizeOf(files);
  let done = 0;
  for (const file of files) {
    const recording = createRecording(file, options, settings);
    try {
      for await (const chunk of file === STDIN
        ? process.stdin
        : createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
        await write(recording.push(chunk as Uint8Array));
        done += (chunk as Uint8Array).length;
        // Results on the same terminal are progress enough.
        if (!process.stdout.isTTY) meter.at(done, total, file);
      }
    } catch (error) {
      throw new CommandError(EXIT.io, `${safe(file)} could not be read to its end: ${reasonOf(error)}`, null, {
        cause: error,
      });
    }
    await write(recording.end());
    meter.clear();
    recording.report(options.verbose === true || process.stderr.isTTY);
  }
}

/** What belongs to recordings is refused rather than ignored. */
function keptOptions(files: readonly string[], options: Options, command: Command): KeptOptions {
  const { fromKept = true } = options;
  if (files.length > 0) throw new CommandError(EXIT.usage, '--from-kept reads no files', 'leave the file out');
  for (const name of ['format', 'sensitivity', 'place', 'places', 'unit']) {
    if (command.getOptionValueSource(name) !== 'cli') continue;
    throw new CommandError(EXIT.usage, `--${name} is for recordings`, 'write it into the file of --config');
  }
  return { ...options, fromKept };
}

/** One file on its way through decoder and watch. */
function createRecording(file: string, options: Options, settings: WatchSettings) {
  let decoder: Decoder | null = null;
  let format: Format = 'json';
  const receivers = createReceivers();
  let state = createWatch();
  let nowMs = Number.NEGATIVE_INFINITY;
  let nextTickMs = Number.NEGATIVE_INFINITY;
  let readings = 0;
  let events = 0;
  const discarded = new Map<string, number>();
  let lines: string[] = [];

  const feed = (input: WatchInput) => {
    const watched = step(state, input, settings);
    state = watched.state;
    for (const detection of watched.detections) {
      events += 1;
      lines.push(`${lineOf(file, detection)}\n`);
    }
  };
  const take = (reading: Reading) => {
    readings += 1;
    // A recording's clock may start again, as a collar does.
    if (reading.atMs >= nextTickMs || reading.atMs < nextTickMs - 2 * TICK_MS) {
      feed({ type: 'tick', atMs: reading.atMs });
      nextTickMs = reading.atMs + TICK_MS;
    }
    nowMs = reading.atMs;
    const heard = receivers.take(reading, file);
    if (heard !== null) feed({ type: 'reading', reading: heard });
  };
  const takeAll = (decoded: Decoded): string => {
    for (const reading of decoded.readings) take(reading);
    for (const { reason } of decoded.discards) discarded.set(reason, (discarded.get(reason) ?? 0) + 1);
    const text = lines.join('');
    lines = [];
    return text;
  };
  return {
    push(bytes: Uint8Array): string {
      if (decoder === null) {
        format = options.format === 'auto' ? formatOf(file, bytes) : options.format;
        const { collar, place, unit } = options;
        decoder = createDecoder({ format, collar, place, unit });
      }
      return takeAll(decoder.push(bytes, null));
    },
    end(): string {
      if (decoder === null) return '';
      const text = takeAll(decoder.end());
      if (readings > 0) feed({ type: 'end', atMs: nowMs });
      return text + lines.join('');
    },
    /** `verbose`: also when nothing is wrong. */
    report(verbose: boolean): void {
      const reasons = [...discarded].map(([reason, count]) => `${count} ${reason}`).join(', ');
      const lost = decoder === null || decoder.lostSamples === 0 ? '' : `, ${decoder.lostSamples} samples lost`;
      const counts = `${readings} readings${lost}, discarded: ${reasons === '' ? 'none' : reasons}, ${events} events`;
      if (verbose) tell(`${safe(file)}: ${format}, ${counts}`);
      else if (readings === 0 && discarded.size > 0) {
        tell(`${safe(file)}: nothing could be read as ${format} (${reasons}); name another --format or --collar`);
      }
    },
  };
}

/** What the lines of a format begin with, for those that tell it so. */
const BEGINNINGS: readonly (readonly [format: Format, line: RegExp])[] = [
  ['json', /^\s*\{/m],
  ['mysensors', /^\d{1,3};\d{1,3};[0-4];[01];\d{1,3};/m],
  ['rflink', /^20;[0-9a-f]{2};/im],
  ['ruuvi', /^(?:[0-9a-f:]{12,17}[\s,;]+)?(?:-\d+[\s,;]+)?(?:[0-9a-f]*9904)?05[0-9a-f]{46}\s*$/im],
  ['bthome', /^(?:[0-9a-f:]{12,17}[\s,;]+)?(?:-\d+[\s,;]+)?(?:[0-9a-f]*D2FC)?4[0145](?:[0-9a-f]{2})+\s*$/im],
];

/** By the name, else by the first bytes: 0xC0 ends SLIP frames and stands in no UTF-8 text. */
export function formatOf(file: string, first: Uint8Array): Format {
  if (/\.csv$/i.test(file)) return 'csv';
  if (/\.(ndjson|jsonl|json)$/i.test(file)) return 'json';
  const head = first.subarray(0, SNIFF_BYTES);
  if (head.includes(0xc0)) return 'frame';
  const text = new TextDecoder().decode(head);
  return BEGINNINGS.find(([, line]) => line.test(text))?.[0] ?? 'csv';
}

/** Before anything is printed: half a result with an error behind it is easily taken for a whole one. */
export function checkFile(file: string): void {
  let reason: string;
  try {
    if (!statSync(file).isDirectory()) return;
    reason = 'it is a directory';
  } catch (error) {
    reason = reasonOf(error);
  }
  throw new CommandError(
    EXIT.unavailable,
    `cannot read ${safe(file)}: ${reason}`,
    'name a file with recorded readings',
  );
}

/** In bytes; 0 where one of them is stdin, whose end nobody knows. */
export function sizeOf(files: readonly string[]): number {
  if (files.includes(STDIN)) return 0;
  return files.reduce((sum, file) => sum + statSync(file).size, 0);
}

export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'this user may not read it';
  return error instanceof Error ? error.message : String(error);
}

async function write(text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
}

function sensitivityOf(text: string): number {
  const parsed = agentSchema.shape.detect.safeParse({ shake: { sensitivity: Number(text) } });
  if (!parsed.success || text.trim() === '') throw new InvalidArgumentError('expected a number from 0.2 to 5.');
  return parsed.data.shake.sensitivity;
}

export function unitOf(text: string): DecoderOptions['unit'] {
  if (text === 'g' || text === 'mg' || text === 'm/s2') return text;
  const counts = Number(text);
  if (text.trim() === '' || !(counts > 0) || !Number.isFinite(counts)) {
    throw new InvalidArgumentError('expected g, mg, m/s2, or a number above 0.');
  }
  return counts;
}
