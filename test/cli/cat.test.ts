import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { catCommand } from '../../src/cli/cat.ts';
import { type Serving, startServing } from '../central/api/serving.ts';
import { freePort } from '../servers.ts';

describe('collard cat', () => {
  let central: Serving;
  let out: string;
  beforeEach(async () => {
    central = await startServing();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await central.stop();
  });

  const run = async (...args: string[]): Promise<string> => {
    out = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text);
      return true;
    });
    await catCommand().parseAsync([...args], { from: 'user' });
    return out;
  };
  const at = () => ['--url', central.url];

  test('adds, moves, renames, assigns and lists', async () => {
    expect(await run('list', ...at())).toContain('no cats yet');
    expect(await run('add', 'Mia', '--collar', 'C1', ...at())).toBe('Mia is cat 1 and wears C1\n');
    expect(await run('add', '1', ...at())).toBe('1 is cat 2\n');
    expect(await run('move', 'mia', 'kitchen', ...at())).toBe('Mia is in kitchen\n');
    expect(await run('rename', 'MIA', 'Maja', ...at())).toBe('cat 1 is called Maja\n');
    // A name goes before a number.
    expect(await run('assign', '1', 'C2', ...at())).toBe('1 wears C2\n');
    expect(await run('assign', '2', 'C3', ...at())).toBe('1 wears C3\n');
    const list = await run('list', ...at());
    expect(list).toMatch(/^1 +Maja +kitchen +no +0 +C1 +never$/m);
    expect(list).toMatch(/^2 +1 +- +no +0 +C3 +never$/m);
  });

  test('prints one JSON object a cat', async () => {
    expect(JSON.parse(await run('add', 'Mia', '--json', ...at()))).toMatchObject({ id: 1, name: 'Mia' });
    await run('add', 'Otto', ...at());
    const lines = (await run('list', '--json', ...at())).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).name)).toEqual(['Mia', 'Otto']);
    expect(JSON.parse(await run('move', 'Mia', 'hall', '--json', ...at()))).toMatchObject({ location: 'hall' });
  });

  test('a taken name and an unknown cat end with 1 and the exact words', async () => {
    await run('add', 'Mia', ...at());
    await expect(run('add', 'mia', ...at())).rejects.toMatchObject({ exitCode: 1, message: 'cat already exists' });
    const unknown = { exitCode: 1, message: 'cat not found' };
    await expect(run('move', 'Otto', 'hall', ...at())).rejects.toMatchObject(unknown);
    await expect(run('rename', '7', 'Max', ...at())).rejects.toMatchObject(unknown);
    await expect(run('assign', 'Otto', 'C1', ...at())).rejects.toMatchObject(unknown);
  });

  test('a name that cannot be one is a fault of usage', async () => {
    await expect(run('add', 'x'.repeat(65), ...at())).rejects.toMatchObject({
      exitCode: 64,
      message: expect.stringContaining('1 to 64 characters'),
    });
    await expect(run('list', '--url', 'ftp://x')).rejects.toMatchObject({ exitCode: 64 });
  });

  test('a central that does not answer ends with 69 and the fix', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    await expect(run('list', '--url', url)).rejects.toMatchObject({
      exitCode: 69,
      message: `central does not answer at ${url}`,
      fix: expect.stringContaining('collard central --config'),
    });
  });

  test('the address comes from the configuration of central', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'collard-cat-'));
    const file = join(folder, 'central.yaml');
    const http = `http: { host: 0.0.0.0, port: ${new URL(central.url).port} }`;
    writeFileSync(
      file,
      `store: { url: "sqlite:/nowhere/central.db" }\nmqtt: { url: "mqtt://127.0.0.1:1883" }\n${http}\n`,
    );
    expect(await run('add', 'Mia', '--config', file)).toBe('Mia is cat 1\n');
    rmSync(folder, { recursive: true });
  });

  test('a name with control characters of a terminal is printed harmless', async () => {
    await run('add', 'a\u202eb', ...at());
    expect(await run('list', ...at())).toContain('a\\u202eb');
  });
});
