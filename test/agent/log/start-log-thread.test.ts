import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { startEarly } from '../../../src/agent/log/start-log-thread.ts';
import { levels, openLogInThread, tempPath } from './log-fixture.ts';

it('gives the thread that is ready, once, and then others', async () => {
  const take = startEarly();
  const threads: Worker[] = [];
  const thread = () => {
    threads.push(take());
    return threads.at(-1) as Worker;
  };
  for (const firstSeq of [1, 1]) {
    const log = await openLogInThread(tempPath(), {}, { thread });
    expect(await log.append(levels(2))).toMatchObject({ firstSeq, lastSeq: 2 });
    await log.close();
  }
  expect(new Set(threads).size).toBe(2);
});

it.each([
  ['ended', 'data:text/javascript,process.exit(3)'],
  ['failed', 'data:text/javascript,throw new Error("out of luck")'],
])('gives another one where the first has %s by then, and that tells why', async (_how, text) => {
  const started = once(process, 'worker') as Promise<[Worker]>;
  const take = startEarly(new URL(text));
  const [first] = await started;
  await new Promise((resolve) => first.once('exit', resolve));
  const opening = openLogInThread(tempPath(), {}, { thread: take });
  await expect(opening).rejects.toMatchObject({
    code: 'LOG_THREAD',
    message: expect.stringMatching(/exit code 3|out of luck/),
  });
});

it('passes on what the log tells while it is not open yet', async () => {
  const answers = [
    { type: 'held', message: 'another program holds it' },
    { type: 'blind', message: 'its witness cannot be read' },
    { type: 'refused', code: '', message: 'no luck' },
  ];
  const text = `import { parentPort } from 'node:worker_threads';
    parentPort.once('message', () => {
      for (const answer of ${JSON.stringify(answers)}) parentPort.postMessage(answer);
    });`;
  const thread = startEarly(new URL(`data:text/javascript,${encodeURIComponent(text)}`));
  const told: string[] = [];
  const tell = (message: string) => void told.push(message);
  const opening = openLogInThread(tempPath(), {}, { thread, onHeld: tell, onBlind: tell });
  await expect(opening).rejects.toThrow('no luck');
  expect(told).toEqual(['another program holds it', 'its witness cannot be read']);
});

it('keeps no process', () => {
  const module = new URL('../../../src/agent/log/start-log-thread.ts', import.meta.url).href;
  const script = `import { startEarly } from ${JSON.stringify(module)};
    startEarly(new URL('data:text/javascript,setInterval(() => {}, 1000)'));`;
  execFileSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], { timeout: 30_000 });
});
