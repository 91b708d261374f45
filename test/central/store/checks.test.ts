import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { MAX_AHEAD_MS } from '../../../src/central/store/checks.ts';
import { freshUrl } from '../engines/fresh.ts';

const EVERY = 1_000;
const START = 1_700_000_000_000;

/** Two processes, as far as the database can tell. */
async function twoStores() {
  const url = await freshUrl();
  const stores = [await openStore({ url }), await openStore({ url })] as const;
  onTestFinished(async () => {
    for (const store of stores) await store.close();
  });
  const ask = async (which: 0 | 1, ms: number, lastMs: number | null = null, catId = 1) => {
    const claims = await stores[which].claimChecks([{ catId, lastMs }], START + ms, EVERY);
    const claim = claims.get(catId);
    return claim?.type === 'taken' ? claim.atMs - START : claim?.type;
  };
  return { stores, ask };
}

test('a cat is looked at once in the time, whoever asks, and each cat by itself', async () => {
  const { ask } = await twoStores();
  expect(await ask(0, 0)).toBe('others');
  expect(await ask(1, 999)).toBe(0);
  expect(await ask(1, 999, null, 2)).toBe('others');
  expect(await ask(1, 1_000)).toBe('others');
  expect(await ask(0, 1_999)).toBe(1_000);
});

test('who asks learns whether others have looked since it did', async () => {
  const { ask } = await twoStores();
  expect(await ask(0, 0)).toBe('others');
  expect(await ask(0, 1_000, START)).toBe('mine');
  expect(await ask(0, 1_500, START + 1_000)).toBe(1_000);
  expect(await ask(1, 2_000)).toBe('others');
  expect(await ask(0, 3_000, START + 1_000)).toBe('others');
});

test('a clock that is a little behind waits, and one that was set back does not wait for ever', async () => {
  const { ask } = await twoStores();
  await ask(0, 0);
  expect(await ask(1, -MAX_AHEAD_MS)).toBe(0);
  expect(await ask(1, -MAX_AHEAD_MS - 1)).toBe('others');
  expect(await ask(0, -100_000, START - MAX_AHEAD_MS - 1)).toBe('mine');
});

test('of two processes that ask at the same moment one may, at every round and for every cat', async () => {
  const url = await freshUrl();
  const claimers = [startClaimer(url, [3, 1, 2]), startClaimer(url, [2, 3, 1])];
  for (let round = 0; round < 20; round += 1) {
    const allowed = await Promise.all(claimers.map((claimer) => claimer(START + round * EVERY)));
    expect(allowed.flat().sort()).toEqual([1, 2, 3]);
  }
});

/** Resolves to the cats that this process may look at, of those that it asks for in this order. */
function startClaimer(url: string, cats: readonly number[]): (nowMs: number) => Promise<number[]> {
  const script = fileURLToPath(new URL('./claim-child.ts', import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', script, url, JSON.stringify(cats)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    const gone = once(child, 'exit');
    child.stdin.end();
    await gone;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (nowMs) => {
    child.stdin.write(`${nowMs}\n`);
    return JSON.parse((await lines.next()).value ?? '"the claimer has ended"');
  };
}
