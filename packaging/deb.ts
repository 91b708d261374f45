/**
 * npm run package -- [--arch amd64|arm64] [--out DIR] [--fast]: makes the Debian packages, the same bytes from the same commit.
 * Everything is inside, the Node.js of the lockfile too: an installation needs no network and compiles nothing. Needs dpkg-deb.
 * --fast: compressed less, for a look at it.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { treeOf } from '../src/cli/command-tree.ts';
import { createWhole } from '../src/cli/commands.ts';
import { completionScript } from '../src/cli/completion.ts';
import { manualPage } from '../src/cli/manual.ts';
import { configSchema } from '../src/cli/schema.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const HERE = join(ROOT, 'packaging');
/** Debian's name of an architecture to npm's. */
const ARCHES = { amd64: 'x64', arm64: 'arm64' } as const;
type Arch = keyof typeof ARCHES;

/** What a running collard never reads: types, sources, texts. */
const UNUSED_FILES =
  /(?:\.[cm]?ts|\.map|\.md|\.html|\.ya?ml|\.sh|\.(?:cc?|cpp|hh?|hpp|inc|S|asm|gypi?)|\/eslint\.config\.[cm]?js|\/\.[^/]+)$/i;
/** Of a package, beside its package.json. A `doc` further down may be a program. */
const UNUSED_FOLDERS = /\/(?:tests?|docs?|examples?|benchmarks?|\.github)$/;

const COMPLETIONS = [
  ['bash', 'usr/share/bash-completion/completions/collard'],
  ['zsh', 'usr/share/zsh/vendor-completions/_collard'],
  ['fish', 'usr/share/fish/vendor_completions.d/collard.fish'],
] as const;

const { values } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true, default: Object.keys(ARCHES) },
    out: { type: 'string', default: 'packages' },
    fast: { type: 'boolean', default: false },
  },
});
const tell = (line: string) => process.stderr.write(`${line}\n`);

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
};
/** The time of the commit: no file of the package is younger. */
const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? git('log', '-1', '--format=%ct'));

/** What the manual page and completion are made from. */
const commands = treeOf(await createWhole());

for (const arch of values.arch) {
  if (!(arch in ARCHES)) throw new Error(`--arch must be one of ${Object.keys(ARCHES).join(', ')}, not ${arch}`);
}
const out = resolve(ROOT, values.out);
mkdirSync(out, { recursive: true });
for (const arch of values.arch) make(arch as Arch);

function make(arch: Arch): void {
  const stage = mkdtempSync(join(tmpdir(), `collard-${arch}-`));
  try {
    tell(`${arch}: the program and what it needs …`);
    fill(stage, arch);
    if (ARCHES[arch] === process.arch) prove(stage);
    control(stage, arch);
    settle(stage);
    const file = join(out, `collard_${manifest.version}_${arch}.deb`);
    tell(`${arch}: packing …`);
    const compression = values.fast ? ['-Zgzip', '-z1'] : ['-Zxz'];
    execFileSync('dpkg-deb', ['--root-owner-group', ...compression, '--build', stage, file], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
    });
    const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
    process.stdout.write(`${file} ${(statSync(file).size / 1e6).toFixed(1)} MB sha256 ${sum}\n`);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function fill(stage: string, arch: Arch): void {
  const app = join(stage, 'usr/lib/collard');
  mkdirSync(app, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(ROOT, name), join(app, name));
  const target = ['--os=linux', `--cpu=${ARCHES[arch]}`, '--libc=glibc'];
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', ['ci', '--omit=dev', '--ignore-scripts', ...target, ...quiet], { cwd: app, stdio: 'inherit' });
  // With the hash of each part: what a list of parts is made from.
  write(stage, 'usr/share/doc/collard/package-lock.json', readFileSync(join(app, 'package-lock.json'), 'utf8'));
  rmSync(join(app, 'package-lock.json'));
  compile(join(app, 'dist'));
  prune(join(app, 'node_modules'), arch);

  const node = `node_modules/node-linux-${ARCHES[arch]}/bin/node`;
  statSync(join(app, node));
  mkdirSync(join(app, 'bin'));
  symlinkSync(`../${node}`, join(app, 'bin/node'));
  write(
    stage,
    'usr/bin/collard',
    '#!/bin/sh\nexec /usr/lib/collard/bin/node /usr/lib/collard/dist/cli/bin.js "$@"\n',
    0o755,
  );

  const units = join(ROOT, 'systemd');
  for (const [from, to] of [
    ['collard-agent.service', 'usr/lib/systemd/system/collard-agent.service'],
    ['collard-central.service', 'usr/lib/systemd/system/collard-central.service'],
    ['collard.sysusers', 'usr/lib/sysusers.d/collard.conf'],
    ['collard.tmpfiles', 'usr/lib/tmpfiles.d/collard.conf'],
    ['60-collard.rules', 'usr/lib/udev/rules.d/60-collard.rules'],
  ] as const)
    write(stage, to, readFileSync(join(units, from), 'utf8'));

  // What `collard init` and `config show --example` start from.
  for (const name of ['agent.yaml', 'central.yaml'])
    write(stage, `usr/lib/collard/config/${name}`, readFileSync(join(ROOT, 'config', name), 'utf8'));
  for (const side of ['agent', 'central'] as const)
    write(stage, `usr/lib/collard/dist/config/${side}.schema.json`, `${JSON.stringify(configSchema(side), null, 2)}\n`);
  // Where the schema for editors is, seen from there.
  const example = (side: string) =>
    readFileSync(join(ROOT, `config/${side}.yaml`), 'utf8').replace('$schema=../', '$schema=/usr/lib/collard/');
  // The name of the machine is a better guess than one name for all of them.
  write(stage, 'etc/collard/agent.yaml', example('agent').replace(/^agent: porch$/m, '#agent: porch'));
  write(
    stage,
    'etc/collard/central.yaml',
    example('central').replace('/var/lib/collard/', '/var/lib/collard-central/'),
  );
  cpSync(join(ROOT, 'config'), join(stage, 'usr/share/doc/collard/examples'), { recursive: true });
  for (const name of ['README.md', 'SECURITY.md'])
    write(stage, `usr/share/doc/collard/${name}`, readFileSync(join(ROOT, name), 'utf8'));
  const day = new Date(epoch * 1_000).toISOString().slice(0, 10);
  const page = manualPage(commands, manifest.version, day);
  write(stage, 'usr/share/man/man1/collard.1.gz', zipped(Buffer.from(page)));
  for (const [shell, to] of COMPLETIONS) write(stage, to, completionScript(shell, commands));
  write(stage, 'usr/share/doc/collard/copyright', copyright());
  write(stage, 'usr/share/doc/collard/changelog.gz', zipped(readFileSync(join(ROOT, 'CHANGELOG.md'))));
  write(stage, 'usr/share/doc/collard/changelog.Debian.gz', zipped(Buffer.from(debianChangelog())));
  write(stage, 'usr/share/lintian/overrides/collard', readFileSync(join(HERE, 'lintian-overrides'), 'utf8'));
}

function compile(to: string): void {
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  const page = 'src/central/api/page';
  execFileSync(tsc, ['-p', '.', '--outDir', to], { cwd: ROOT, stdio: 'inherit' });
  execFileSync(tsc, ['-p', page, '--outDir', join(to, 'central/api/page')], { cwd: ROOT, stdio: 'inherit' });
  for (const name of readdirSync(join(ROOT, page)).filter((one) => /\.(?:html|css)$/.test(one)))
    copyFileSync(join(ROOT, page, name), join(to, 'central/api/page', name));
}

/** Leaves what this architecture runs. */
function prune(modules: string, arch: Arch): void {
  const cpu = ARCHES[arch];
  for (const path of walk(modules)) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (name.endsWith('.node') && !isFor(path.slice(modules.length), cpu)) rmSync(path);
    else if (UNUSED_FILES.test(path) || (UNUSED_FOLDERS.test(path) && existsSync(join(dirname(path), 'package.json'))))
      rmSync(path, { recursive: true, force: true });
  }
  for (const inner of [
    'better-sqlite3/deps',
    'better-sqlite3/src',
    'better-sqlite3/build',
    'koffi/vendor',
    'koffi/cnoke.cjs',
    'koffi/lib/native',
    '.bin',
  ])
    rmSync(join(modules, inner), { recursive: true, force: true });
  for (const inner of ['include', 'share', 'lib', 'CHANGELOG.md'])
    rmSync(join(modules, `node-linux-${cpu}`, inner), { recursive: true, force: true });
  removeEmpty(modules);
}

function isFor(path: string, cpu: string): boolean {
  return /linux/.test(path) && !/musl/.test(path) && new RegExp(`[-_]${cpu}\\b|[-_/]${cpu}[./]`).test(path);
}

/** What was left out is not missed: each dependency loads, and the program runs. */
function prove(stage: string): void {
  const app = join(stage, 'usr/lib/collard');
  const names = Object.keys(manifest.dependencies);
  const load = `for (const name of ${JSON.stringify(names)}) await import(name).catch((error) => { console.error(name); throw error; });`;
  const node = (...args: string[]) =>
    execFileSync(join(app, 'bin/node'), args, { cwd: app, stdio: ['ignore', 'ignore', 'inherit'] });
  node('--input-type=module', '-e', load);
  const bin = 'dist/cli/bin.js';
  node(bin, 'config', 'check', join(stage, 'etc/collard/agent.yaml'));
  node(bin, 'config', 'check', join(stage, 'etc/collard/central.yaml'));
  node(bin, 'config', 'show', '--example', 'central');
  node(bin, 'simulate', '--collars', '1', '--seconds', '1', '--format', 'json', '--out', '-');
}

function control(stage: string, arch: Arch): void {
  const kilobytes = Math.ceil([...walk(stage)].reduce((sum, path) => sum + lstatSync(path).size, 0) / 1024);
  const files = [...walk(stage)].filter((path) => lstatSync(path).isFile()).sort();
  const conffiles = files.map((path) => path.slice(stage.length)).filter((path) => path.startsWith('/etc/'));
  const sums = files.map((path) => `${md5(path)}  ${path.slice(stage.length + 1)}\n`).join('');
  write(
    stage,
    'DEBIAN/control',
    `Package: collard
Version: ${manifest.version}
Architecture: ${arch}
Maintainer: The collard developers <collard@localhost>
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.34), libstdc++6, init-system-helpers (>= 1.52), systemd (>= 252) | systemd-standalone-sysusers
Recommends: gpiod
Suggests: mosquitto
Section: utils
Priority: optional
Description: collar daemon: readings of cat collars become events
 collard agent reads collars over serial ports and GPIO lines, keeps every event
 in a log on the card and forwards it over MQTT until central has stored it.
 collard central stores each event once and shows where the cats are.
`,
  );
  write(stage, 'DEBIAN/conffiles', `${conffiles.join('\n')}\n`);
  write(stage, 'DEBIAN/md5sums', sums);
  for (const script of ['postinst', 'prerm', 'postrm'])
    write(stage, `DEBIAN/${script}`, readFileSync(join(HERE, script), 'utf8'), 0o755);
}

/** The same modes and times wherever and whenever it is made. */
function settle(stage: string): void {
  for (const path of [...walk(stage), stage]) {
    const stat = lstatSync(path);
    if (!stat.isSymbolicLink()) {
      const runs =
        stat.isDirectory() || path.endsWith('/bin/node') || (stat.mode & 0o100 && /\/(?:usr\/bin|DEBIAN)\//.test(path));
      chmodSync(path, runs ? 0o755 : 0o644);
    }
    lutimesSync(path, epoch, epoch);
  }
}

/** What is inside before what it is in. */
function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    yield path;
  }
}

function removeEmpty(folder: string): void {
  for (const path of walk(folder))
    if (lstatSync(path).isDirectory() && readdirSync(path).length === 0) rmSync(path, { recursive: true });
}

function write(stage: string, path: string, text: string | Buffer, mode = 0o644): void {
  const file = join(stage, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, text, { mode });
  renameSync(`${file}.new`, file);
}

function md5(path: string): string {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}

/** Without a time or a name of its own. */
function zipped(text: Buffer): Buffer {
  return gzipSync(text, { level: 9 });
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
}

function debianChangelog(): string {
  const at = `${new Date(epoch * 1_000).toUTCString().replace('GMT', '+0000')}`;
  return `collard (${manifest.version}) stable; urgency=medium\n\n  * See changelog.gz.\n\n -- The collard developers <collard@localhost>  ${at}\n`;
}

function copyright(): string {
  const licence = readFileSync(join(ROOT, 'LICENSE'), 'utf8').trim();
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Comment: what is below /usr/lib/collard/node_modules has its own licences, in each of its folders.

Files: *
Copyright: ${/^Copyright.*$/m.exec(licence)?.[0].replace(/^Copyright (?:\(c\) )?/i, '') ?? 'The collard developers'}
License: Expat
${licence
  .split('\n')
  .map((line) => (line.trim() === '' ? ' .' : ` ${line}`))
  .join('\n')}
`;
}
