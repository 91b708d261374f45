import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { createDecoder } from '../../src/agent/decoder/decoder.ts';
import { simulateCommand } from '../../src/cli/simulate.ts';
import { requireServer, socatPath } from '../servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'collard-simulate-'));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

async function simulate(...args: string[]): Promise<void> {
  await simulateCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .parseAsync(args, { from: 'user' });
}

function decode(file: string, format: 'json' | 'csv' | 'frame') {
  const decoder = createDecoder({ format });
  return [decoder.push(readFileSync(file), null), decoder.end()].flatMap((part) => part.readings);
}

/** The program itself, as a shell starts it. */
const bin = [join(import.meta.dirname, '../../src/cli/bin.ts'), 'simulate'];

describe('collard simulate', () => {
  it('writes readings and their truth, the same for the same seed', async () => {
    const run = (name: string, seed: string) =>
      simulate('--collars', '3', '--seed', seed, '--out', path(name), '--truth', path(`${name}.truth`));
    await run('a', '1');
    await run('b', '1');
    await run('c', '2');
    expect(readFileSync(path('a'))).toEqual(readFileSync(path('b')));
    expect(readFileSync(path('a.truth'))).toEqual(readFileSync(path('b.truth')));
    expect(readFileSync(path('a.truth'))).not.toEqual(readFileSync(path('c.truth')));
    const truth = readFileSync(path('a.truth'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const meows = truth.filter((entry) => entry.type === 'meow').map((entry) => entry.collar);
    expect(new Set(meows)).toEqual(new Set(['C0FFEE01', 'C0FFEE02', 'C0FFEE03']));
  });

  it.each([
    ['frame', 500],
    ['json', 500],
    ['csv', 500],
  ] as const)('writes %s that its decoder reads', async (format, samples) => {
    const args = ['--collars', '1', '--dropout', '0', '--format', format];
    await simulate(...args, '--out', path(format));
    expect(decode(path(format), format).filter((reading) => reading.axG !== undefined)).toHaveLength(samples);
  });

  it('refuses what makes no sense', async () => {
    await expect(simulate('--format', 'csv', '--collars', '2')).rejects.toMatchObject({ exitCode: 64 });
    await expect(simulate('--json')).rejects.toMatchObject({ exitCode: 64 });
    await expect(simulate('--rate', '0')).rejects.toThrow('expected a whole number from 1 to 250');
    await expect(simulate('--realtime', '--fast')).rejects.toThrow('cannot be used with');
    await expect(simulate('--out', path('no/such/folder'))).rejects.toMatchObject({ exitCode: 74 });
  });

  it('prints the summary as JSON, and says that it is simulated', () => {
    const args = [...bin, '--seconds', '3', '--out', path('summary'), '--json'];
    const summary = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' }));
    expect(summary).toMatchObject({ simulated: true, seconds: 3 });
  });

  it('ends quietly when its reader has read enough', async () => {
    const child = spawn(process.execPath, [...bin, '--seconds', '0', '--fast'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await exit).toEqual([0, null]);
  });

  it('stops at SIGINT with 130 and a summary, even when nobody reads', async () => {
    const child = spawn(process.execPath, [...bin, '--seconds', '0', '--fast'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const exit = once(child, 'exit');
    const told: Buffer[] = [];
    child.stderr.on('data', (bytes: Buffer) => told.push(bytes));
    await once(child.stdout, 'readable');
    child.kill('SIGINT');
    expect(await exit).toEqual([130, null]);
    expect(Buffer.concat(told).toString()).toContain('SIMULATED');
  });

  const hasSocat = requireServer('socat', socatPath);
  it.skipIf(!hasSocat)('writes to a real pty at the pace of real collars, every byte as it is', async () => {
    const ports = [path('pty-a'), path('pty-b')] as const;
    const pty = (link: string) => `pty,rawer,link=${link}`;
    const socat = spawn(socatPath ?? '', [pty(ports[0]), pty(ports[1])], { stdio: 'ignore' });
    onTestFinished(() => void socat.kill());
    while (!ports.every(existsSync)) await pause(10);
    const got: Buffer[] = [];
    const reader = createReadStream(ports[1]);
    reader.on('data', (bytes) => got.push(bytes as Buffer)).on('error', () => undefined);
    const started = performance.now();
    await simulate('--collars', '4', '--seconds', '1.5', '--out', ports[0]);
    expect(performance.now() - started).toBeGreaterThan(1400);
    await simulate('--collars', '4', '--seconds', '1.5', '--out', path('same'));
    const want = readFileSync(path('same'));
    await expect.poll(() => Buffer.concat(got).length).toBe(want.length);
    expect(Buffer.concat(got).equals(want)).toBe(true);
    reader.destroy();
  });
});
