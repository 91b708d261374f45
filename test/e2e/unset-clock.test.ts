/** An agent that starts without a clock, as a Pi does: what it recorded before it knew the time is shown on the right day. */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mosquittoPath, requireServer, startMosquitto, until } from '../servers.ts';
import { openStack } from './stack.ts';

const DAY_S = 86_400;
const LONG_MS = 120_000;

interface Told {
  readonly time: string;
  readonly originaltime?: string;
  readonly clock: string;
  readonly type: string;
}

/** The library for programs with threads, or null. */
function findFaketime(): string | null {
  const lib = '/usr/lib';
  const paths = existsSync(lib)
    ? readdirSync(lib).map((name) => join(lib, name, 'faketime', 'libfaketimeMT.so.1'))
    : [];
  return paths.find((path) => existsSync(path)) ?? null;
}

const faketime = findFaketime();
const canRun = [requireServer('mosquitto', mosquittoPath), requireServer('faketime', faketime)].every((there) => there);

describe.skipIf(!canRun)('an agent that starts without a clock', () => {
  test.each([
    ['1970', () => 60 - Date.now() / 1_000],
    ['500 days ago', () => -500 * DAY_S],
  ])(
    'and takes it to be %s, is shown on the right day once it has got one',
    async (_name, secondsOff) => {
      const folder = mkdtempSync(join(tmpdir(), 'collard-clock-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const file = join(folder, 'clock');
      const setClock = (seconds: number) => {
        writeFileSync(`${file}.new`, `${seconds < 0 ? '-' : '+'}${Math.round(Math.abs(seconds))}`);
        renameSync(`${file}.new`, file);
      };
      const offMs = Math.round(secondsOff()) * 1_000;
      setClock(offMs / 1_000);
      const broker = await startMosquitto();
      onTestFinished(() => broker.stop());
      const stack = await openStack({
        brokerUrl: broker.url,
        format: 'json',
        agentEnv: {
          LD_PRELOAD: faketime ?? '',
          FAKETIME_TIMESTAMP_FILE: file,
          FAKETIME_NO_CACHE: '1',
          // Timers go by it: a backward step would hang them.
          FAKETIME_DONT_FAKE_MONOTONIC: '1',
        },
      });
      onTestFinished(() => stack.close());
      const beganMs = Date.now();
      stack.central.start();
      stack.agent.start();
      const ask = async <T>(path: string): Promise<T | null> => {
        const response = await fetch(`${stack.http}/api/v1/${path}`).catch(() => null);
        return response?.ok === true ? ((await response.json()) as T) : null;
      };
      const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
      const added = () =>
        fetch(`${stack.http}/api/v1/cats`, { ...post, body: JSON.stringify({ name: 'Minka', collar: 'A' }) }).catch(
          () => null,
        );
      await until('a cat is there', async () => [201, 409].includes((await added())?.status ?? 0), LONG_MS);
      const events = async () => (await ask<{ events: Told[] }>('events?cat=1&order=desc'))?.events ?? [];
      const meows = async () => (await events()).filter(({ type }) => type === 'collard.meow.started');
      /** A burst of shaking, until central has it. */
      await until(
        'a meow by a clock that is not set',
        async () => {
          for (let i = 0; i < 12; i += 1) {
            await stack.write(Buffer.from(`${JSON.stringify({ collar: 'A', shake: 1 })}\n`));
            await pause(50);
          }
          return (await meows()).length > 0;
        },
        LONG_MS,
      );
      const cat = async () => (await ask<{ cats: { meowsToday: number; lastSeen: string }[] }>('cats'))?.cats[0];
      const before = (await meows())[0];
      expect(before?.clock).toBe('unsynced');
      expect(before?.originaltime).toBe(undefined);
      expect(Math.abs(Date.parse(before?.time ?? '') - (Date.now() + offMs))).toBeLessThan(LONG_MS);
      expect(await cat()).toMatchObject({ meowsToday: 0 });
      const line = await stack.collard('events', '--config', stack.centralYaml, '--type', 'meow.started');
      expect(line.stdout).toMatch(/^\S+Z~ meow\.started/);

      setClock(0);
      await until('its events are on the right day', async () => ((await cat())?.meowsToday ?? 0) > 0, LONG_MS);
      const after = (await meows()).at(-1);
      expect(after).toMatchObject({ clock: 'unsynced', originaltime: expect.stringMatching(/Z$/) });
      expect(Date.parse(after?.time ?? '')).toBeGreaterThan(beganMs - 5_000);
      expect(Date.parse(after?.time ?? '')).toBeLessThan(Date.now() + 5_000);
      expect(Date.parse((await cat())?.lastSeen ?? '')).toBeGreaterThan(beganMs - 5_000);
      const stats = await ask<{ rows: { meows: number; events: number; from: string }[] }>('stats?by=day&tz=UTC');
      expect(stats?.rows.every(({ from }) => Date.parse(from) > beganMs - 2 * DAY_S * 1_000)).toBe(true);
      // What happened before the agent has begun is nothing.
      const past = await ask<{ events: Told[] }>(`events?cat=1&to=${new Date(beganMs - DAY_S * 1_000).toISOString()}`);
      expect(past?.events).toEqual([]);
      const lines = await stack.collard('events', '--config', stack.centralYaml, '--type', 'meow.started');
      expect(lines.stdout).toMatch(/^\S+Z≈ meow\.started/);
      // Both hold what the agent has written.
      expect(await stack.agreed(LONG_MS)).toMatchObject({ status: 'agree' });
      const models = await stack.collard('verify', '--models', '--config', stack.centralYaml);
      expect(models).toMatchObject({ code: 0 });
    },
    600_000,
  );
});
