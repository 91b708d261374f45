/** The life of a key over everything that runs: made by the agent, enrolled at a running central, revoked there. */
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { runAgent } from '../../src/agent/agent.ts';
import { agentSchema } from '../../src/agent/config.ts';
import { centralSchema } from '../../src/central/config.ts';
import { runCentral } from '../../src/central/service.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { startAedes, until } from '../servers.ts';

const logger = pino({ level: 'silent' });

/** Runs until the test is over, or until stopped. */
function run(loop: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
  const stop = new AbortController();
  const done = loop(stop.signal);
  const end = async () => {
    stop.abort();
    await done;
  };
  onTestFinished(end);
  return end;
}

test('an agent is unsigned, then verified, then heard no more, and with a new key nothing is lost', async () => {
  const home = mkdtempSync(join(tmpdir(), 'collard-keys-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));
  const broker = await startAedes();
  onTestFinished(() => broker.stop());
  const mqtt = { url: broker.url, retryFirstMs: 20, retryMaxMs: 100 };
  const store = { url: `sqlite:${join(home, 'central.db')}` };
  let url = '';
  const listening = (at: string) => {
    url = at;
  };
  run((stop) =>
    runCentral(
      centralSchema.parse({ store, mqtt, http: { port: 0 } }),
      { openLink: openMqttLink, logger, version: '0', onListening: listening },
      stop,
    ),
  );
  await until('central listens', () => url !== '');
  const call = async (method: string, path: string, body?: object) => {
    const json = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return (await fetch(new URL(`api/v1/${path}`, url), { method, ...json })).json();
  };
  const porch = async () =>
    (await call('GET', 'agents')).agents.find((one: { agent: string }) => one.agent === 'porch');
  const isStored = (seqs: number) => async () => (await porch())?.epochs[0]?.mark === seqs;

  /** A collar whose battery gets low: one event a run. */
  const startAgent = (n: number) => {
    const file = join(home, 'capture.jsonl');
    writeFileSync(file, `${JSON.stringify({ collar: `C${n}`, ax: 0, ay: 0, az: 1, battery: 5 })}\n`);
    const config = agentSchema.parse({
      agent: 'porch',
      sources: [{ file }],
      log: { path: join(home, 'events.db') },
      mqtt,
      forward: { syncAfterMs: 200, stalledAfterMs: 1_000 },
      health: { everyMs: 100 },
    });
    return run((stop) => runAgent(config, { openLink: openMqttLink, logger, version: '0' }, stop));
  };
  const keyId = async () => {
    const { keys } = await call('GET', 'agents/keys');
    return keys.map((key: { how: string; revokedAt: string | null }) => `${key.how} ${key.revokedAt === null}`);
  };

  const first = startAgent(1);
  await until('the first event is stored, unsigned', isStored(1));
  expect(await porch()).toMatchObject({ signed: 'unsigned', quarantined: 0 });
  const key = publicKeyOf(join(home, 'agent.key'));
  await call('POST', 'agents/porch/keys', { key });
  await first();
  const second = startAgent(2);
  await until('the second is stored, verified', isStored(2));
  expect(await porch()).toMatchObject({ signed: 'verified', quarantined: 0 });

  const revokedAt = performance.now();
  await call('DELETE', 'agents/porch/keys');
  await second();
  const third = startAgent(3);
  await until('the third is refused', async () => (await porch()).quarantined > 0);
  expect(performance.now() - revokedAt).toBeLessThan(60_000);
  expect(await porch()).toMatchObject({ signed: 'revoked', epochs: [{ mark: 2 }] });
  const metrics = async () => (await fetch(new URL('metrics', url))).text();
  await until('its batch is counted', async () =>
    /^collard_doubted_messages_total\{type="batch"\} [1-9]/m.test(await metrics()),
  );
  await third();

  // A person gives it a new key: what it has kept comes after all.
  rmSync(join(home, 'agent.key'));
  const fourth = startAgent(4);
  await until('there is a new key', () => publicKeyOf(join(home, 'agent.key')) !== null);
  await call('POST', 'agents/porch/keys', { key: publicKeyOf(join(home, 'agent.key')) });
  await until('the third and fourth are stored', isStored(4));
  expect(await porch()).toMatchObject({
    signed: 'verified',
    gaps: 0,
    conflicts: 0,
    epochs: [{ chainOk: true, missing: 0 }],
  });
  expect(await keyId()).toEqual(['enrolled false', 'enrolled true']);
  await fourth();
});

/** null: not there yet. */
function publicKeyOf(path: string): string | null {
  try {
    return createPrivateKey(readFileSync(path)).export({ format: 'jwk' }).x ?? null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
