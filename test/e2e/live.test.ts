/** Somebody looks on at a collar, from the API of central through the broker to the agent that hears it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runAgent } from '../../src/agent/agent.ts';
import { agentSchema } from '../../src/agent/config.ts';
import { centralSchema } from '../../src/central/config.ts';
import { openStore } from '../../src/central/open-store.ts';
import { runCentral } from '../../src/central/service.ts';
import type { LiveTrace } from '../../src/contract/live.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { openPty } from '../../src/simulator/pty.ts';
import { mosquittoPath, requireServer, startMosquitto } from '../servers.ts';

const POLL = { timeout: 60_000, interval: 100 };
const deps = { openLink: openMqttLink, logger: pino({ level: 'silent' }), version: '0' };

/** Until the test is over. */
function run(loop: (signal: AbortSignal) => Promise<void>): void {
  const stop = new AbortController();
  const done = loop(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
}

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('who looks on at a collar', () => {
  test('sees what its agent decides, and nothing of it becomes an event', async () => {
    const home = mkdtempSync(join(tmpdir(), 'collard-look-on-'));
    onTestFinished(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));
    const broker = await startMosquitto();
    onTestFinished(() => broker.stop());
    const pty = openPty();
    onTestFinished(() => pty.close());
    const mqtt = { url: broker.url, retryFirstMs: 20, retryMaxMs: 100 };
    const config = centralSchema.parse({ store: { url: `sqlite:${join(home, 'c.db')}` }, mqtt, http: { port: 0 } });
    const store = await openStore({ url: config.store.url });
    onTestFinished(() => store.close());
    const url = await new Promise<string>((onListening) =>
      run((signal) => runCentral(config, { ...deps, onListening }, signal)),
    );
    const agent = agentSchema.parse({
      agent: 'porch',
      sources: [{ serial: pty.path, format: 'json' }],
      log: { path: join(home, 'events.db') },
      mqtt,
    });
    run((signal) => runAgent(agent, deps, signal));
    const look = async (shake: number) => {
      await pty.write(Buffer.from(`${JSON.stringify({ collar: 'A', shake })}\n`));
      const response = await fetch(new URL('api/v1/agents/porch/collars/A/live', url));
      return (await response.json()) as LiveTrace;
    };
    await expect.poll(() => look(0.1), POLL).toMatchObject({ measure: 'level', borders: { level: 0.5 }, bursts: [] });
    const isShaking = async () => {
      const { columns, bursts } = await look(0.9);
      return columns.some(({ level, shaking }) => level === 0.9 && shaking) && bursts.at(-1)?.endMs === null;
    };
    await expect.poll(isShaking, POLL).toBe(true);
    // On a machine that is slow it may be more than one.
    const isOver = async () => typeof (await look(0)).bursts.at(-1)?.endMs === 'number';
    await expect.poll(isOver, POLL).toBe(true);
    const types = async () => new Set((await store.arrivals(new Map(), 1_000)).events.map(({ type }) => type));
    await expect.poll(types, POLL).toEqual(new Set(['collard.meow.started', 'collard.meow.ended']));
  }, 240_000);
});
