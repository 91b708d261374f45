import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../src/central/open-store.ts';
import { newEvent } from '../../src/contract/event.ts';
import { mosquittoPath, requireServer } from '../servers.ts';
import { openMemoryLog } from './memory-log.ts';
import { proveStored } from './proof.ts';
import { runFleet } from './run-fleet.ts';

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('over mosquitto', () => {
  test('what a fleet sends is stored once, and what it cost is told', async () => {
    const told: string[] = [];
    const load = { agents: 50, minutes: 0.05, rate: 60, database: 'sqlite', workers: 1, cats: 10, seed: 7 } as const;
    const result = await runFleet({ ...load, everyMs: 1_000, rampMs: 200, tell: (line) => void told.push(line) });
    expect(result.proof).toEqual({ rows: result.sent, agents: 50, faults: 0, told: [] });
    expect(result).toMatchObject({ sessions: 50, stored: result.sent });
    expect(result.sent).toBeGreaterThan(0);
    expect(result.lagMs.max).toBeGreaterThan(0);
    expect(result.perEvent.received).toBeGreaterThan(0);
    expect(result.perEvent.healths).toBeLessThan(result.perEvent.received);
    expect(result.perEvent.packets).toBeGreaterThan(result.perEvent.received + result.perEvent.sent);
    for (const role of ['central', 'broker', 'agents'] as const) expect(result.uses[role].rssMb).toBeGreaterThan(0);
    expect(told).toContain('50 of 50 sessions are up');
    expect(told.length).toBeGreaterThan(result.samples.length);
  }, 120_000);
});

describe('the proof', () => {
  async function house() {
    const folder = mkdtempSync(join(tmpdir(), 'collard-proof-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const url = `sqlite:${join(folder, 'central.db')}`;
    const epoch = randomUUID();
    const log = openMemoryLog({ agent: 'porch', epoch, monoNow: () => 0, onStored: () => undefined });
    const when = { time: '2026-11-23T12:00:00.000Z', clock: 'synced', boot: null, monoMs: null } as const;
    await log.append([1, 2, 3].map((level) => newEvent('meow.started', 'collar/C0FFEE01', { level }, when)));
    const store = await openStore({ url });
    const send = async (to: number) => {
      const [events, chain] = [await log.read(epoch, 1, to, 10, 1e6), await log.chainAt(epoch, to)];
      if (chain === null) throw new Error(`no chain at ${to}`);
      await store.ingest({ agent: 'porch', events, chain }, when.time);
    };
    return { url, log, store, send, more: () => log.append([newEvent('meow.started', null, { level: 9 }, when)]) };
  }

  test('finds nothing where all is stored', async () => {
    const { url, log, store, send } = await house();
    await send(3);
    await store.close();
    expect(await proveStored(url, [log])).toEqual({ rows: 3, agents: 1, faults: 0, told: [] });
  });

  test('tells what is not stored, an agent that is unknown, and content that is another', async () => {
    const { url, log, store, send, more } = await house();
    expect((await proveStored(url, [log])).told).toEqual(['porch: the store knows 0 epochs of it']);
    await send(3);
    await store.close();
    await more();
    expect((await proveStored(url, [log])).told).toEqual([
      'porch: 3 events are stored of 4',
      'porch: the mark is 3 of 4',
      'porch: the chain over what is stored is not that of the agent',
    ]);
    const other = { agent: 'porch', epochs: log.epochs, chainAt: async () => new Uint8Array(32) };
    expect((await proveStored(url, [other])).told).toContain(
      'porch: the chain over what is stored is not that of the agent',
    );
  });
});
