/** `collard init`: from nothing to a configuration that works, by questions on a terminal, or with --no-input by what is given and found. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { agentNameOf } from '../agent/config.ts';
import { examine, lineOf } from './doctor.ts';
import type { Finding } from './doctor-machine.ts';
import { startsWithCentral } from './doctor-network.ts';
import type { Settings } from './example-yaml.ts';
import { CommandError, EXIT } from './exit.ts';
import { describe } from './hear-port.ts';
import { type Answers, askAll, type InitSystem } from './init-ask.ts';
import { LOCAL_PORT, SURROUNDINGS } from './init-brokers.ts';
import { homeOf, refuseExisting, type Written, writeConfig } from './init-files.ts';
import { LOCAL_BROKER } from './init-own-broker.ts';
import { forSide, merged, parseSets, ROLES, type Role, render, type Side, sidesOf } from './init-settings.ts';
import { openInitSystem } from './init-system.ts';
import { print, printJson, safe, tell } from './output.ts';
import { openPrompter } from './prompt.ts';

interface Options {
  readonly role?: Role;
  readonly set: readonly string[];
  readonly dir?: string;
  readonly input: boolean;
  readonly force?: true;
  readonly json?: true;
}

export function initCommand(): Command {
  const collect = (text: string, all: readonly string[]) => [...all, text];
  return new Command('init')
    .description(
      'Make a configuration: asks for what it cannot find out, tries it, and writes it with all its comments.',
    )
    .addOption(new Option('--role <role>', 'what this machine is to be').choices([...ROLES]))
    .option('--set <key=value>', 'a setting, such as sources[0].serial=/dev/ttyUSB0; may be repeated', collect, [])
    .option('--dir <dir>', 'where the files go (default: /etc/collard where that may be written, else here)')
    .option('--no-input', 'ask nothing: take what is given and found')
    .option('--force', 'replace what is there; it is kept beside it')
    .option('--json', 'print one JSON object of what was written and checked')
    .action(init);
}

async function init(options: Options): Promise<void> {
  const given = { role: options.role ?? null, settings: parseSets(options.set) };
  const home = homeOf(options.dir);
  if (!options.input) return finish(options, home, await withoutQuestions(options, home, given.settings), null);
  // Questions go to stderr: stdout may be a pipe for the JSON.
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    const fix =
      'collard init --no-input --role agent --set sources[0].serial=/dev/ttyUSB0 --set mqtt.url=mqtt://broker:1883';
    throw new CommandError(EXIT.usage, 'init asks questions, and there is no terminal to ask them on', fix);
  }
  const prompter = openPrompter(process.stdin, process.stderr);
  try {
    const answers = await askAll(prompter, openInitSystem(prompter.ended), given);
    const old = refuseExisting(home, sidesOf(answers.role), true);
    for (const path of options.force === true ? [] : old) {
      if (await prompter.confirm(`${path} is there already: replace it (it is kept beside it)?`, false)) continue;
      throw new CommandError(EXIT.checkFailed, `${path} stays as it is: nothing was written`, 'collard init --dir DIR');
    }
    await finish(options, home, { ...answers, settings: merged(answers.settings, given.settings) }, prompter.tell);
  } finally {
    prompter.close();
  }
}

/** Defaults where nothing is given. The only receiver that is there is the one that is meant. */
async function withoutQuestions(options: Options, home: string, settings: Settings): Promise<Answers> {
  const { role } = options;
  if (role === undefined) {
    throw new CommandError(
      EXIT.usage,
      '--no-input needs to know what this machine is to be',
      '--role agent, central or both',
    );
  }
  if (options.force !== true) refuseExisting(home, sidesOf(role), false);
  const found: Settings = {};
  if (settings.mqtt === undefined) found.mqtt = { ...LOCAL_BROKER };
  if (role !== 'agent' && settings.mqtt === undefined && settings.broker === undefined) {
    const isTaken = await SURROUNDINGS.accepts(LOCAL_PORT, new AbortController().signal);
    if (!isTaken) found.broker = { enabled: true };
    tell(isTaken ? 'the broker on this machine is taken' : 'no broker on this machine: central brings its own along');
  }
  if (role !== 'central' && settings.sources === undefined) {
    found.sources = [await onlyReceiver(openInitSystem(new AbortController().signal))];
  }
  return { role, settings: merged(found, settings), password: null, cats: [] };
}

async function onlyReceiver(system: InitSystem): Promise<Settings> {
  const ports = await system.ports();
  const free = ports.filter(({ problem }) => problem === null);
  const heard = await Promise.all(free.map(async ({ path }) => ({ path, heard: await system.hear(path) })));
  for (const one of heard) tell(safe(`${one.path}: ${describe(one.heard)}`));
  const speaking = heard.filter((one) => one.heard.format !== null);
  const [only] = speaking.length === 0 ? heard : speaking;
  if (only === undefined || (speaking.length === 0 ? heard : speaking).length > 1) {
    const text =
      only === undefined ? 'there is no serial port that may be opened' : 'there is more than one serial port';
    const fix = '--set sources[0].serial=/dev/serial/by-id/…; collard ports lists them';
    throw new CommandError(EXIT.usage, `${text}: which one is the receiver?`, fix);
  }
  const { baud, format } = only.heard;
  return { serial: only.path, ...(baud === null ? {} : { baud }), ...(format === null ? {} : { format }) };
}

async function finish(
  options: Options,
  home: string,
  answers: Answers,
  say: ((line: string) => void) | null,
): Promise<void> {
  const { role, password } = answers;
  const sides = sidesOf(role);
  // All of them are sound before the first is written.
  const texts = sides.map((side) => {
    const settings = merged(defaultsOf(side, home), forSide(answers.settings, side, role));
    return {
      side,
      text: (inFile: boolean) => render(side, inFile ? merged(settings, { mqtt: { password } }) : settings),
    };
  });
  for (const { text } of texts) text(false);
  const written: Written[] = texts.map(({ side, text }) => writeConfig(home, side, text, password));
  const checks: { readonly side: Side; readonly findings: readonly Finding[] }[] = [];
  const isOwn = (answers.settings.broker as { readonly enabled?: unknown } | undefined)?.enabled === true;
  for (const { side, path } of written) {
    const findings = await examine(path);
    checks.push({ side, findings: isOwn ? findings.map(startsWithCentral) : findings });
  }
  const next = nextSteps(written, answers);
  if (options.json === true) {
    return printJson({ role, files: written, checks, cats: answers.cats, next });
  }
  const line = say ?? print;
  for (const { path, kept } of written) line(`wrote ${path}${kept === null ? '' : ` (before: ${kept})`}`);
  for (const { findings } of checks) {
    for (const finding of findings.filter(({ result }) => result !== 'ok')) line(lineOf(finding));
    line(
      `${findings.filter(({ result }) => result === 'ok').length} of ${findings.length} checks are ok: collard doctor tells all`,
    );
  }
  line('what to do next:');
  for (const step of next) line(`  ${safe(step)}`);
}

function defaultsOf(side: Side, home: string): Settings {
  const isSystem = home === '/etc/collard';
  if (side === 'central') {
    const folder = isSystem ? '/var/lib/collard-central' : join(home, 'data');
    return { store: { url: `sqlite:${join(folder, 'central.db')}` }, mqtt: {} };
  }
  const folder = isSystem ? '/var/lib/collard' : join(home, 'data');
  return { agent: agentNameOf(hostname()), sources: [], log: { path: join(folder, 'events.db') }, mqtt: {} };
}

function nextSteps(written: readonly Written[], { cats }: Answers): string[] {
  // As it was called: in a checkout it is no command of the shell.
  const us = process.env.npm_command === 'exec' ? 'npx collard' : 'collard';
  const central = written.find(({ side }) => side === 'central');
  const starts = written.map(({ side, path }) =>
    path === `/etc/collard/${side}.yaml`
      ? `sudo systemctl enable collard-${side} && sudo systemctl restart collard-${side}`
      : `${us} ${side} --config ${path}`,
  );
  const names = cats.map(({ collar, name }) => {
    const where = central === undefined ? '' : ` --config ${central.path}`;
    return `${us} cat add ${quoted(name)} --collar ${quoted(collar)}${where}`;
  });
  const away = central === undefined && names.length > 0 ? ['on the machine of central:'] : [];
  return [...starts, ...away, ...names, `${us} doctor --config ${written[0]?.path ?? ''}`];
}

function quoted(word: string): string {
  return /^[\w.:-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
