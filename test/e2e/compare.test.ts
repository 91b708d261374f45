/** An agent that keeps readings, a broker, and the part of central that asks what other settings would have made of them. */
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runAgent } from '../../src/agent/agent.ts';
import type { Clock } from '../../src/agent/clock.ts';
import { agentSchema } from '../../src/agent/config.ts';
import { createLookOn } from '../../src/central/look-on.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { openPty } from '../../src/simulator/pty.ts';
import { accelerated } from '../agent/detector/motion.ts';
import { live, WALL } from '../agent/kept/live.ts';
import { mosquittoPath, requireServer, startMosquitto } from '../servers.ts';

const logger = pino({ level: 'silent' });
const NOW = WALL + 20_000;

/** Until the test is over. */
function run(loop: (signal: AbortSignal) => Promise<void>): void {
  const stop = new AbortController();
  const done = loop(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
}

async function house(readings: object) {
  const home = mkdtempSync(join(tmpdir(), 'collard-compare-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));
  const folder = join(home, 'kept');
  const strong = { fromMs: 4_000, forMs: 900, hz: 5, amplitudeG: 2.5 };
  const weak = { fromMs: 12_000, forMs: 900, hz: 5, amplitudeG: 0.5 };
  const detect = { ...agentSchema.shape.detect.parse({}), shake: { sensitivity: 0.7 } };
  await live(folder, accelerated([strong, weak], 20_000), detect);
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), NOW / 1_000, NOW / 1_000);
  const broker = await startMosquitto();
  onTestFinished(() => broker.stop());
  const pty = openPty();
  onTestFinished(() => pty.close());
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ serial: pty.path, format: 'json' }],
    log: { path: join(home, 'events.db') },
    mqtt: { url: broker.url, retryFirstMs: 20, retryMaxMs: 100 },
    detect: { shake: { sensitivity: 0.7 } },
    readings,
  });
  const monoNow = () => performance.now();
  const clock: Clock = { wallNow: () => NOW, monoNow, quality: () => 'synced', boot: 'b' };
  run((signal) => runAgent(config, { openLink: openMqttLink, logger, version: '0', clock }, signal));
  const lookOn = createLookOn({
    openLink: openMqttLink,
    link: {
      ...{ url: broker.url, username: undefined, password: undefined, ca: undefined, cert: undefined, key: undefined },
      ...{ keepaliveSeconds: 30, connectTimeoutMs: 30_000 },
    },
    ...{ base: 'collard/v1', group: 'central', logger, monoNow, random: Math.random },
  });
  run(lookOn.run);
  // The agent may not be connected yet.
  const compare = async (shake: object) => {
    const question = { collar: 'C0FFEE01', hours: 3, shake };
    const asked = () =>
      lookOn.compare('porch', question, new AbortController().signal).catch((error: unknown) => error as Error);
    let answer = await asked();
    const isThere = async () => {
      if (answer instanceof Error && 'code' in answer && answer.code === 'NO_ANSWER') answer = await asked();
      return answer instanceof Error && 'code' in answer ? answer.code : 'answered';
    };
    await expect.poll(isThere, { timeout: 60_000 }).not.toBe('NO_ANSWER');
    return answer;
  };
  return { compare, folder };
}

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('other settings, asked over a broker', () => {
  test('add or remove shakes in what the agent keeps', async () => {
    const { compare } = await house({ keep: '48h / 200 MB' });
    expect(await compare({ sensitivity: 3 })).toMatchObject({
      ...{ collar: 'C0FFEE01', readings: 1_001, toMs: NOW, added: 1, removed: 0, same: 1 },
      own: { sensitivity: 3 },
    });
    expect(await compare({ sensitivity: 0.2 })).toMatchObject({ added: 0, removed: 1, same: 0 });
  }, 120_000);

  test('are nothing that an agent can tell that keeps nothing: it says what to set', async () => {
    const { compare } = await house({});
    expect(await compare({})).toMatchObject({
      code: 'LOOK_REFUSED',
      message: expect.stringContaining('readings.keep'),
    });
  }, 120_000);
});
