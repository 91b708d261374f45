import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/central/store/migrations.ts';
import { collard } from './run.ts';
import { openTerminal } from './terminal.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-migrate-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function configOf(url: string): string {
  const file = join(folder, 'central.yaml');
  writeFileSync(file, `store: { url: ${JSON.stringify(url)} }\nmqtt: { url: "mqtt://127.0.0.1:1" }\n`, { mode: 0o600 });
  return file;
}

describe('collard central migrate', () => {
  test('tells what it would do, does it, and has nothing more to do', async () => {
    const path = join(folder, 'central.db');
    const file = configOf(`sqlite:${path}`);
    const run = (...args: string[]) => collard(['central', 'migrate', '--config', file, ...args]);
    const dry = await run('--dry-run', '--json');
    expect(dry.status).toBe(0);
    const told = JSON.parse(dry.stdout) as { store: string; done: boolean; changes: { name: string }[] };
    expect(told).toMatchObject({ store: `sqlite:${path}`, done: false });
    expect(told.changes.map(({ name }) => name)).toEqual(MIGRATIONS.map(({ name }) => name));
    expect((await run('--dry-run')).stdout).toContain('create table event (');
    expect(existsSync(path)).toBe(false);
    expect((await run()).stdout).toContain('0001_events is made\n');
    expect(await run('--dry-run')).toEqual({
      status: 0,
      stdout: `sqlite:${path}: the schema is the newest\n`,
      stderr: '',
    });
  }, 60_000);
});

test('on a terminal each change is shown before it begins, and gone at the end', async () => {
  const file = configOf(`sqlite:${join(folder, 'central.db')}`);
  const terminal = openTerminal(['central', 'migrate', '--config', file]);
  await terminal.waitFor(/0001_events: 0 %/);
  const { status, stdout } = await terminal.ended();
  expect({ status, first: stdout.split('\n')[0] }).toEqual({ status: 0, first: '0001_events is made' });
}, 120_000);

describe('a database that cannot be reached', () => {
  test('is named, with a fix, and without its password', async () => {
    const file = configOf('postgres://me:s3cret@127.0.0.1:1/cats');
    for (const args of [['central', 'migrate'], ['central'], ['doctor'], ['events'], ['verify', '--models']]) {
      const { status, stdout, stderr } = await collard([...args, '--config', file]);
      expect(status, args.join(' ')).toBe(args[0] === 'doctor' ? 1 : 69);
      expect(stdout + stderr).toContain('postgres://127.0.0.1:1/cats');
      expect(stdout + stderr).not.toContain('s3cret');
    }
  }, 60_000);
});
