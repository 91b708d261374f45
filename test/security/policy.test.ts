/** SECURITY.md promises only what is there. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { agentCommand } from '../../src/cli/agent.ts';
import { centralCommand } from '../../src/cli/central.ts';
import { ROOT, readText } from '../architecture/files.ts';

const policy = readText('SECURITY.md');
const manifest = JSON.parse(readText('package.json')) as {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
};

/** `file › title`: is there a test of that title, as it is written there? */
function isThere(test: string): boolean {
  const [path = '', title] = test.split(' › ');
  if (title === undefined || !existsSync(join(ROOT, path))) return false;
  return new RegExp(`\\(\\s*(['"\`])${title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\1,`).test(readText(path));
}

describe('the security policy', () => {
  test('says how to report, and how long an answer takes', () => {
    expect(policy).toMatch(/## Reporting a vulnerability[\s\S]*privately[\s\S]*90 days/);
  });

  test('supports the version that is being made, for a time that is told', () => {
    expect(policy).toContain(`| ${manifest.version.replace(/\.\d+$/, '')} | yes`);
    expect(policy).toMatch(/only the newest release is supported: for \w+ months/);
  });

  test('has a row for each of the thirteen provisions, with tests that exist or "not yet"', () => {
    const rows = policy.split('\n').filter((line) => /^\| 5\.\d/.test(line));
    expect(rows.map((row) => Number(/5\.(\d+)/.exec(row)?.[1]))).toEqual(Array.from({ length: 13 }, (_, i) => i + 1));
    for (const row of rows) expect(row).toMatch(/`test\/|not yet/);
    const named = rows.flatMap((row) => [...row.matchAll(/`(test\/[^`]+)`/g)].map(([, test = '']) => test));
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((test) => !isThere(test))).toEqual([]);
  });

  test('names no test in vain', () => {
    expect(isThere('test/security/policy.test.ts › names no test in vain')).toBe(true);
    expect(isThere('test/security/policy.test.ts › names no test')).toBe(false);
    expect(isThere('test/security/policy.test.ts')).toBe(false);
    expect(isThere('test/nowhere.test.ts › names no test in vain')).toBe(false);
  });

  test('names files that are there', () => {
    const files = [...policy.matchAll(/`(config\/[^`]+)`/g)].map(([, path = '']) => path);
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test('shows commands that the program has', () => {
    const shown = [...policy.matchAll(/^collard (central|agent) (\w+)/gm)].map(([, ...words]) => words.join(' '));
    const known = [centralCommand(), agentCommand()].flatMap((command) =>
      command.commands.map((inner) => `${command.name()} ${inner.name()}`),
    );
    expect(shown.length).toBeGreaterThan(3);
    expect(known).toEqual(expect.arrayContaining(shown));
  });
});

describe('the list of parts', () => {
  test('is written without network and names every package with version, licence and hash', () => {
    const text = execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only', '--offline'], {
      cwd: ROOT,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
      stdio: ['ignore', 'pipe', 'ignore'],
      // Nothing listens there.
      env: { ...process.env, npm_config_registry: 'http://127.0.0.1:9/' },
    });
    const { metadata, components } = JSON.parse(text) as {
      readonly metadata: { readonly component: object };
      readonly components: readonly {
        readonly name: string;
        readonly version: string;
        readonly hashes?: readonly { readonly alg: string }[];
      }[];
    };
    const { name, version, license } = manifest;
    expect(metadata.component).toMatchObject({
      // npm takes the name of the folder for the other one.
      'bom-ref': `${name}@${version}`,
      version,
      licenses: [{ license: { id: license } }],
    });
    const known = components.map((component) => `${component.name}@${component.version}`);
    expect(known).toEqual(expect.arrayContaining(Object.entries(manifest.dependencies).map(([n, v]) => `${n}@${v}`)));
    expect(components.filter(({ hashes }) => hashes?.[0]?.alg !== 'SHA-512')).toEqual([]);
  });

  test('holds no install script of ours', () => {
    expect(
      Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$|^(pre|post)?prepare$/.test(name)),
    ).toEqual([]);
  });
});
