/** `collard service install`: what the Debian package does, from a checkout: program, user, unit; and `uninstall`, back again. */
import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Argument, Command } from 'commander';
import { CommandError, EXIT } from './exit.ts';
import { print, tell } from './output.ts';

const SIDES = ['agent', 'central'] as const;
type Side = (typeof SIDES)[number];
const APP = '/usr/lib/collard';
/** A checkout or an installed program: above `dist/cli` or `src/cli`. */
const HERE = fileURLToPath(new URL('../..', import.meta.url));

interface Options {
  readonly root: string;
  readonly dryRun?: true;
}

export interface Step {
  /** What a person would type. */
  readonly text: string;
  run(): void;
}

export function serviceCommand(): Command {
  const command = new Command('service').description('Install collard as a service of systemd, or take it away.');
  const side = () => new Argument('[side]', 'which side').choices(SIDES).default('agent');
  command
    .command('install')
    .description(`Copy this program to ${APP}, make its user, and start it now and at each boot.`)
    .addArgument(side())
    .option('--root <dir>', 'install below this folder, for an image: nothing is started', '/')
    .option('--dry-run', 'print what would be done')
    .action((which: Side, options: Options) => act(installSteps(which, options.root), options));
  command
    .command('uninstall')
    .description('Stop it and take the program away; events and configuration stay.')
    .option('--root <dir>', 'as for install', '/')
    .option('--dry-run', 'print what would be done')
    .action((options: Options) => act(uninstallSteps(options.root), options));
  return command;
}

function act(steps: readonly Step[], { root, dryRun }: Options): void {
  if (dryRun !== true) assertMay(root);
  for (const step of steps) {
    if (dryRun === true) {
      print(step.text);
      continue;
    }
    tell(step.text);
    try {
      step.run();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new CommandError(
        EXIT.io,
        `${step.text}: ${why}`,
        'what was done before stays; run it again once this is mended',
        {
          cause: error,
        },
      );
    }
  }
}

/** Every step may be repeated: an installation over another one is an upgrade. */
export function installSteps(side: Side, root: string): readonly Step[] {
  const at = (path: string) => join(root, path);
  const live = root === '/';
  const unit = `collard-${side}.service`;
  const system = (program: string, ...args: string[]): Step => ({
    text: [program, ...args].join(' '),
    run: () => void execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }),
  });
  const place = (from: string, to: string): Step => ({
    text: `install ${from} ${at(to)}`,
    run() {
      mkdirSync(dirname(at(to)), { recursive: true });
      cpSync(join(HERE, from), at(to));
    },
  });
  const config = `etc/collard/${side}.yaml`;
  return [
    { text: `copy the program to ${at(APP)}`, run: () => copyProgram(at(APP)) },
    { text: `write ${at('usr/bin/collard')}`, run: () => writeCommand(at('usr/bin/collard')) },
    place('systemd/collard.sysusers', 'usr/lib/sysusers.d/collard.conf'),
    place('systemd/collard.tmpfiles', 'usr/lib/tmpfiles.d/collard.conf'),
    place('systemd/60-collard.rules', 'usr/lib/udev/rules.d/60-collard.rules'),
    place(`systemd/${unit}`, `usr/lib/systemd/system/${unit}`),
    ...(existsSync(at(config)) ? [] : [place(`config/${side}.yaml`, config)]),
    ...(live
      ? [
          system('systemd-sysusers', 'collard.conf'),
          system('systemd-tmpfiles', '--create', 'collard.conf'),
          system('systemctl', 'daemon-reload'),
          system('systemctl', 'enable', unit),
          system('systemctl', 'restart', unit),
        ]
      : [system('systemctl', `--root=${root}`, 'enable', unit)]),
  ];
}

export function uninstallSteps(root: string): readonly Step[] {
  const live = root === '/';
  const units = SIDES.map((side) => `collard-${side}.service`);
  const there = units.filter((unit) => existsSync(join(root, 'usr/lib/systemd/system', unit)));
  const disable = live ? ['disable', '--now'] : [`--root=${root}`, 'disable'];
  const paths = [
    ...units.map((unit) => `usr/lib/systemd/system/${unit}`),
    'usr/lib/sysusers.d/collard.conf',
    'usr/lib/tmpfiles.d/collard.conf',
    'usr/lib/udev/rules.d/60-collard.rules',
    'usr/bin/collard',
    APP,
  ];
  return [
    ...there.map((unit) => ({
      text: ['systemctl', ...disable, unit].join(' '),
      run: () => void execFileSync('systemctl', [...disable, unit], { stdio: ['ignore', 'ignore', 'inherit'] }),
    })),
    ...paths.map((path) => ({
      text: `rm -rf ${join(root, path)}`,
      run: () => rmSync(join(root, path), { recursive: true, force: true }),
    })),
    ...(live
      ? [{ text: 'systemctl daemon-reload', run: () => void execFileSync('systemctl', ['daemon-reload']) }]
      : []),
  ];
}

/** What runs, and nothing that only builds or tests it. The one that is there goes when the new one is whole. */
function copyProgram(to: string): void {
  if (!existsSync(join(HERE, 'dist/cli/bin.js')))
    throw new Error('it is not built: npm ci --ignore-scripts && npm run build');
  const next = `${to}.new`;
  rmSync(next, { recursive: true, force: true });
  mkdirSync(next, { recursive: true });
  for (const name of ['package.json', 'dist', 'config', 'systemd'])
    cpSync(join(HERE, name), join(next, name), { recursive: true });
  const lock = JSON.parse(readFileSync(join(HERE, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  for (const [path, { dev }] of Object.entries(lock.packages)) {
    const from = join(HERE, path);
    if (path === '' || dev === true || !existsSync(from)) continue;
    cpSync(from, join(next, path), {
      recursive: true,
      filter: (file) => file === from || !file.slice(from.length).includes('/node_modules/'),
    });
  }
  mkdirSync(join(next, 'bin'));
  symlinkSync(`../node_modules/node-linux-${process.arch}/bin/node`, join(next, 'bin/node'));
  accessSync(join(next, 'bin/node'), constants.X_OK);
  rmSync(to, { recursive: true, force: true });
  mkdirSync(dirname(to), { recursive: true });
  execFileSync('mv', ['-T', next, to]);
}

function writeCommand(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\nexec ${APP}/bin/node ${APP}/dist/cli/bin.js "$@"\n`, { mode: 0o755 });
}

function assertMay(root: string): void {
  try {
    accessSync(root, constants.W_OK);
  } catch (cause) {
    throw new CommandError(EXIT.usage, `this user may not write to ${root}`, 'run it with sudo', { cause });
  }
}
