/** A short run of `npm run fuzz`, the inputs that longer ones have kept, and proof that it finds what is there. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, test } from 'vitest';
import { readCorpus } from './corpus.ts';
import { instrument } from './instrument.ts';
import { type RunOptions, runFuzz } from './run-fuzz.ts';
import { openTarget, TARGETS } from './target.ts';

const MAX_REPOSITORY_BYTES = 200_000;
const corpus = new URL('./corpus/', import.meta.url);
const findings = mkdtempSync(join(tmpdir(), 'collard-findings-'));
afterAll(() => rmSync(findings, { recursive: true, force: true }));

const short: RunOptions = {
  seed: 1,
  runs: 2_000,
  seconds: 2,
  guided: true,
  save: false,
  findings,
  maxFindings: 1,
  hangMs: 10_000,
};

describe('what was kept', () => {
  test.each(TARGETS)('%s', async (name) => {
    const inputs = readCorpus(name);
    expect(inputs.length).toBeGreaterThan(0);
    const target = await openTarget(name);
    for (const input of [...target.seeds, ...inputs]) await target.run(input);
    await target.close?.();
  });

  test('is small', () => {
    const sizes = readdirSync(corpus).map((file) => statSync(new URL(file, corpus)).size);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MAX_REPOSITORY_BYTES);
  });
});

describe('a short run', () => {
  test.each(TARGETS)('of %s finds nothing', async (name) => {
    const outcome = await runFuzz(name, short);
    expect(outcome.findings).toEqual([]);
    expect(outcome.runs).toBeGreaterThan(50);
    expect(outcome.branches).toBeGreaterThan(5);
  });
});

describe('the fuzzer', () => {
  const runs = 300_000;

  test('finds six bytes by what they reach, and not by chance', async () => {
    const guided = await runFuzz('planted', { ...short, runs, seconds: 60 });
    expect(guided.findings.map(({ input }) => Buffer.from(input).toString('hex'))).toEqual(['6de96f772103']);
    const blind = await runFuzz('planted', { ...short, runs, seconds: 60, guided: false });
    expect(blind).toMatchObject({ runs, findings: [] });
  }, 130_000);

  test('does the same for the same seed', async () => {
    const [one, two, other] = await Promise.all([
      runFuzz('slip', { ...short, seconds: 60 }),
      runFuzz('slip', { ...short, seconds: 60 }),
      runFuzz('slip', { ...short, seconds: 60, seed: 2 }),
    ]);
    const { digest, runs: count, branches } = one;
    expect({ digest: two.digest, runs: two.runs, branches: two.branches }).toEqual({ digest, runs: count, branches });
    expect(other.digest).not.toBe(digest);
  }, 130_000);

  test('ends with what it has where it is told to', async () => {
    const stop = new AbortController();
    const running = runFuzz('slip', { ...short, runs: Number.POSITIVE_INFINITY, seconds: 60, signal: stop.signal });
    stop.abort();
    const { runs, findings } = await running;
    expect(runs).toBeGreaterThan(0);
    expect(findings).toEqual([]);
  }, 130_000);

  test('finds what takes too long, and what never ends, and writes both down', async () => {
    const slow = await runFuzz('slow', { ...short, runs: 100_000, seconds: 60 });
    expect(slow.findings[0]?.message).toMatch(/^takes \d+ ms/);
    const endless = await runFuzz('endless', { ...short, runs: 100_000, seconds: 60, hangMs: 1_000 });
    expect(endless.findings).toMatchObject([{ message: 'does not end within 1000 ms' }]);
    const [line = ''] = readFileSync(join(findings, 'endless-0.txt'), 'utf8').split('\n');
    expect(JSON.parse(line).length).toBeGreaterThan(16);
  }, 130_000);

  test('leaves programs as they were', () => {
    const program = `
      const f = (a, b = a ? 1 : 2) => ({ a, b });
      function g(n) {
        let sum = 0;
        for (const i of [1, 2, 3]) if (i > n) sum += i; else if (i === n) continue; else sum -= i;
        do sum++; while (sum < 0)
        switch (n) { case 1: sum += 10; case 2: sum += 20; break; default: { sum += 30; } }
        try { if (n > 2) throw n; } catch { sum += 100; }
        return sum || n && (n ?? 5);
      }
      JSON.stringify([f(0), f(1, 9), [0, 1, 2, 3, 4].map((n) => g(n))]);`;
    const fuzzCounters = new Uint8Array(64);
    const instrumented = instrument(program, 0, false);
    expect(runInNewContext(instrumented.text, { fuzzCounters })).toBe(runInNewContext(program, {}));
    expect(fuzzCounters.subarray(0, instrumented.counters).filter((hits) => hits > 0).length).toBeGreaterThan(15);
  });
});
