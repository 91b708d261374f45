import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { giveBackLater } from '../../../src/agent/log/give-back.ts';

const program = fileURLToPath(new URL('../../../src/agent/log/give-back.ts', import.meta.url));

/** What the heap takes before and after, with garbage of 40 MB that has grown old. */
function heapAround(flags: readonly string[]): { before: number; after: number } {
  const script = `
    import { giveBack } from ${JSON.stringify(program)};
    import { getHeapStatistics } from 'node:v8';
    let garbage = Array.from({ length: 400_000 }, (_, i) => ({ i, text: 'x' + i }));
    for (let i = 0; i < 5; i += 1) Array.from({ length: 200_000 }, () => ({}));
    const before = getHeapStatistics().total_heap_size;
    garbage = null;
    giveBack();
    process.stdout.write(JSON.stringify({ before, after: getHeapStatistics().total_heap_size }));`;
  const args = ['--no-warnings', ...flags, '--input-type=module', '-e', script];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as { before: number; after: number };
}

it('gives back what is garbage, where Node.js was told that it may', () => {
  const { before, after } = heapAround(['--expose-gc']);
  expect(after).toBeLessThan(before / 2);
});

it('does nothing where it may not', () => {
  const { before, after } = heapAround([]);
  // V8 takes and frees a page or two by itself meanwhile.
  expect(after).toBeGreaterThan(before * 0.8);
});

it('waits until all has settled, and may be called off', () => {
  vi.useFakeTimers();
  const gc = vi.fn();
  vi.stubGlobal('gc', gc);
  try {
    giveBackLater();
    const callOff = giveBackLater();
    vi.advanceTimersByTime(4_999);
    expect(gc).not.toHaveBeenCalled();
    callOff();
    vi.advanceTimersByTime(60_000);
    expect(gc).toHaveBeenCalledOnce();
  } finally {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  }
});
