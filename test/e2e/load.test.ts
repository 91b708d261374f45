import { describe, expect, test } from 'vitest';
import { mosquittoPath, requireServer } from '../servers.ts';
import { type LoadResult, runLoad } from './load-run.ts';

const load = { collars: 20, rate: 50, seconds: 12, seed: 3 };

function expectWhole(result: LoadResult, protocol: string) {
  expect(result.protocol).toBe(protocol);
  expect(result.written.overflowBytes).toBe(0);
  expect(result.written.readings).toBeGreaterThan(0.9 * load.collars * load.rate * load.seconds);
  expect(result.read).toBe(result.written.readings);
  expect(result.discarded).toEqual({});
  expect(result.meowsInStore).toBeGreaterThan(10);
  expect(result.stored).toBe(result.logged);
  expect(result.verdict.status).toBe('agree');
}

test('over the built-in broker every reading is read and every event is stored once', async () => {
  expectWhole(await runLoad('aedes', load), '3.1.1');
}, 120_000);

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('over mosquitto', () => {
  test('every reading is read and every event is stored once', async () => {
    expectWhole(await runLoad('mosquitto', load), '5');
  }, 120_000);
});
