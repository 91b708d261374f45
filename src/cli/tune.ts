/** `collard tune`: looks on while the detector of shakes decides about one collar, and finds the settings that fit it. Changes nothing. */
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { agentSchema } from '../agent/config.ts';
import { type DecoderOptions, FORMATS } from '../agent/decoder/decoder.ts';
import type { Reading } from '../agent/decoder/reading.ts';
import { giveOwn, ownShake } from '../agent/detector/shake-settings.ts';
import type { WatchSettings } from '../agent/detector/watch.ts';
import { keptFolder } from '../agent/open-kept.ts';
import { type Loop, runAll } from '../lib/run-all.ts';
import { delay, ticks } from '../lib/wait.ts';
import { unitOf } from './detect.ts';
import { CommandError, EXIT } from './exit.ts';
import { type KeptSource, loadAgentConfig, watchSettings } from './kept.ts';
import { decimal, wholeNumber } from './numbers.ts';
import { print, printJson, safe } from './output.ts';
import { openTerminal, type Terminal } from './terminal.ts';
import { createTuneModel, type TuneModel } from './tune-model.ts';
import { propose } from './tune-proposal.ts';
import { askedOf, screenOf } from './tune-screen.ts';
import { TRIED } from './tune-search.ts';
import { fromAgent, fromPort, type TuneSource } from './tune-source.ts';
import { createWizard, SHAKES, type Wizard } from './tune-wizard.ts';

interface Options {
  readonly collar: string;
  readonly config?: string;
  readonly port?: string;
  readonly baud: number;
  readonly format: DecoderOptions['format'];
  readonly unit?: DecoderOptions['unit'];
  readonly sensitivity?: number;
  readonly wizard?: true;
  readonly seconds?: number;
  readonly json?: true;
}

const DRAW_MS = 100;
const TELL_MS = 1_000;
/** The first reading is waited for so long before it is said that there is none. */
const SILENT_MS = 5_000;

export function tuneCommand(): Command {
  return new Command('tune')
    .description('Look on while shakes of one collar are decided, and find the settings that fit it.')
    .requiredOption('--collar <id>', 'the collar to look at')
    .option('--config <file>', 'agent.yaml of the agent that runs here: it is asked, and keeps its port')
    .option('--port <path>', 'the port itself, where no agent runs')
    .option('--baud <n>', 'with --port', wholeNumber(50, 4_000_000), 115_200)
    .addOption(
      new Option('--format <format>', 'with --port: what the receiver writes').choices([...FORMATS]).default('json'),
    )
    .option('--unit <unit>', 'with --port: g, mg, m/s2, or how many counts are 1 g', unitOf)
    .option('--sensitivity <n>', 'begin with this one', sensitivityOf)
    .option('--wizard', `begin at once: let it lie, shake it ${SHAKES} times, and see what fits`)
    .option('--seconds <n>', 'end after so long', decimal(0.1, 86_400))
    .option('--json', 'JSON lines instead of a screen: how it stands each second, each meow, and the proposal')
    .action(tune);
}

/** What all loops of one tune share. */
interface Session {
  readonly options: Options;
  readonly model: TuneModel;
  readonly title: () => string;
  readonly kept: KeptSource | null;
  readonly terminal: Terminal | null;
  readonly beganAt: number;
  /** Tried while looking on. */
  settings: WatchSettings;
  wizard: Wizard | null;
  /** Wall time of its start. */
  wizardFromMs: number;
}

async function tune(options: Options): Promise<void> {
  const { configured, source, kept, name } = partsOf(options);
  const settings = options.sensitivity === undefined ? configured : withSensitivity(configured, options);
  const isScreen = options.json !== true && process.stdin.isTTY === true && process.stdout.isTTY === true;
  const session: Session = {
    options,
    model: createTuneModel(settings),
    title: () =>
      `${options.collar} by ${name}   sensitivity ${sensitivityIn(session)}   w wizard  +/- try another  q quit`,
    kept,
    terminal: isScreen ? openTerminal() : null,
    beganAt: performance.now(),
    settings,
    wizard: options.wizard === true ? createWizard(settings) : null,
    wizardFromMs: Date.now(),
  };
  const over = new AbortController();
  const end = (exitCode: number) => {
    process.exitCode = exitCode;
    over.abort();
  };
  process.once('SIGINT', () => end(EXIT.interrupted)).once('SIGTERM', () => end(EXIT.ok));
  const { terminal } = session;
  const loops: Loop[] = [
    (signal) => listen(session, source, signal, () => over.abort()),
    (signal) => show(session, signal, () => over.abort()),
  ];
  if (terminal !== null) loops.push((signal) => obey(session, terminal, signal, end));
  const { seconds } = options;
  if (seconds !== undefined) loops.push((signal) => delay(1_000 * seconds, signal).then(() => over.abort()));
  try {
    await runAll(loops, over.signal);
  } finally {
    terminal?.close();
  }
  if (session.wizard?.phase !== 'done') return;
  const shaken = { fromMs: session.wizardFromMs, toMs: Date.now() };
  await propose(session.wizard.recorded(), { options, kept, configured, shaken });
}

function partsOf(options: Options): {
  configured: WatchSettings;
  source: TuneSource;
  kept: KeptSource | null;
  name: string;
} {
  const { collar, config: file, port, baud, format, unit } = options;
  if (file === undefined && port === undefined)
    throw new CommandError(
      EXIT.usage,
      'whom to listen to?',
      '--config agent.yaml, or --port /dev/… where no agent runs',
    );
  const config = file === undefined ? null : loadAgentConfig(file);
  const configured = config === null ? agentSchema.shape.detect.parse({}) : watchSettings(config);
  const folder = config === null ? null : keptFolder(config);
  // What an agent keeps begins to be there a minute later.
  const isKept = folder !== null && (config?.readings.keep !== undefined || existsSync(folder));
  const kept = isKept ? { folder, settings: configured } : null;
  if (port !== undefined)
    return { configured, kept, source: fromPort({ port, baud, format, unit }, collar), name: port };
  return { configured, kept, source: fromAgent(config?.log.path ?? '', collar), name: config?.agent ?? '' };
}

/** Ends with the wizard, or the signal. */
async function listen(session: Session, source: TuneSource, signal: AbortSignal, over: () => void): Promise<void> {
  for await (const reading of source(signal)) {
    takeReading(session, reading);
    if (session.wizard?.phase === 'done') return over();
  }
}

function takeReading({ model, wizard, options }: Session, reading: Reading): void {
  const detections = model.take(reading);
  wizard?.take(reading);
  if (options.json === true) for (const one of detections) printJson(one);
}

/** A screen ten times a second; or a line each second. */
async function show(session: Session, signal: AbortSignal, over: () => void): Promise<void> {
  const { terminal, model, options } = session;
  let told = '';
  for await (const _ of ticks(terminal === null ? TELL_MS : DRAW_MS, signal)) {
    session.wizard?.pass(performance.now());
    if (session.wizard?.phase === 'done') return over();
    const view = model.view();
    const prompt = promptOf(session);
    if (terminal !== null) {
      terminal.draw(screenOf(view, { ...terminal.size(), title: session.title(), prompt }));
      continue;
    }
    if (options.json === true) {
      const { columns: _columns, meows: _meows, ...stands } = view;
      const { wizard } = session;
      const asks = wizard === null ? {} : { wizard: { phase: wizard.phase, seen: wizard.seen, found: wizard.found } };
      printJson({
        type: 'view',
        collar: options.collar,
        sensitivity: sensitivityIn(session),
        ...stands,
        ...asks,
      });
      continue;
    }
    const line = screenOf(view, { columns: 200, rows: 2, title: '', prompt: [] })[1] ?? '';
    const words = [...prompt.map((one) => `> ${one}`), ...view.warnings.map((one) => `! ${one}`)];
    print([line, ...(words.join() === told ? [] : words)].join('\n'));
    told = words.join();
  }
}

function promptOf({ wizard, model, beganAt, options }: Session): string[] {
  const isSilent = model.view().readings === 0 && performance.now() - beganAt > SILENT_MS;
  const silent = `nothing is heard from ${safe(options.collar)} yet: is it on, and is that its name?`;
  // A switch says nothing while it lies: what it is asked for is said all the same.
  return [...(isSilent ? [silent] : []), ...(wizard === null ? [] : askedOf(wizard))];
}

/** Keys, until the signal aborts. */
async function obey(
  session: Session,
  { keys }: Terminal,
  signal: AbortSignal,
  end: (exitCode: number) => void,
): Promise<void> {
  while (!signal.aborted) {
    const [key] = await keys.takeUpTo(1, signal);
    if (key === undefined) return;
    if (key === '\u0003') end(EXIT.interrupted);
    else if (key === 'q') end(EXIT.ok);
    else if (key === 'w') {
      session.wizard = createWizard(session.settings);
      session.wizardFromMs = Date.now();
    } else if (key === '\r' || key === '\n') finish(session, end);
    else if (key === '+' || key === '-') change(session, key === '+' ? 1 : -1);
  }
}

function finish({ wizard }: Session, end: (exitCode: number) => void): void {
  if (wizard?.phase !== 'shake') return;
  wizard.finish();
  end(EXIT.ok);
}

/** The next one of those that the wizard tries. */
function change(session: Session, by: 1 | -1): void {
  const now = sensitivityIn(session);
  const beyond = (one: number) => (by > 0 ? one > now : one < now);
  const next = by > 0 ? TRIED.sensitivity.find(beyond) : TRIED.sensitivity.findLast(beyond);
  if (next === undefined) return;
  session.settings = withSensitivity(session.settings, { ...session.options, sensitivity: next });
  session.model.change(session.settings);
}

/** Of the collar that is looked at: it may have one of its own. */
function sensitivityIn({ settings, options }: Session): number {
  return ownShake(settings.shake, options.collar).sensitivity;
}

function withSensitivity(settings: WatchSettings, { collar, sensitivity }: Options): WatchSettings {
  return { ...settings, shake: giveOwn(settings.shake, collar, { sensitivity }) };
}

function sensitivityOf(text: string): number {
  const parsed = agentSchema.shape.detect.safeParse({ shake: { sensitivity: Number(text) } });
  if (!parsed.success || text.trim() === '') throw new InvalidArgumentError('expected a number from 0.2 to 5.');
  return parsed.data.shake.sensitivity;
}
