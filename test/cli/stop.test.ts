import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const STOP = fileURLToPath(new URL('../../src/cli/stop.ts', import.meta.url));
/** Stops when it is told to, and takes its time with it. */
const PROGRAM = `
  const { stopOnSignals } = await import(${JSON.stringify(STOP)});
  const alive = setInterval(() => undefined, 1_000);
  stopOnSignals().addEventListener('abort', () => {
    console.log('stopping');
    setTimeout(() => { console.log('in order'); clearInterval(alive); }, 900);
  });
  console.log('ready');
`;

async function start(): Promise<{ child: ChildProcess; said: string[]; hears: (word: string) => Promise<void> }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  const { stdout } = child;
  if (stdout === null) throw new Error('no pipe');
  stdout.on('data', (bytes) => said.push(...String(bytes).trim().split('\n')));
  const hears = async (word: string) => {
    while (!said.includes(word)) await once(stdout, 'data');
  };
  await hears('ready');
  return { child, said, hears };
}

test.each([
  ['SIGTERM', 0],
  ['SIGINT', 130],
] as const)('%s that comes twice at once is one, and the end is in order', async (signal, code) => {
  const { child, said, hears } = await start();
  child.kill(signal);
  await hears('stopping');
  child.kill(signal);
  expect(await once(child, 'exit')).toEqual([code, null]);
  expect(said).toEqual(['ready', 'stopping', 'in order']);
});

test('a second signal later on ends it at once', async () => {
  const { child, said, hears } = await start();
  child.kill('SIGTERM');
  await hears('stopping');
  const again = setInterval(() => child.kill('SIGTERM'), 400);
  const exit = await once(child, 'exit');
  clearInterval(again);
  expect(exit).toEqual([130, null]);
  expect(said).toEqual(['ready', 'stopping']);
});
