import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { freePort, until } from '../servers.ts';
import { openStack } from './stack.ts';

test('the broker that central brings along: an agent forwards by it, and a kill of both at once loses nothing', async () => {
  const port = await freePort();
  const brokerUrl = `mqtt://127.0.0.1:${port}`;
  const stack = await openStack({ brokerUrl, centralExtra: `broker: { enabled: true, port: ${port} }` });
  onTestFinished(() => stack.close());
  stack.central.start();
  stack.agent.start();
  const load = stack.simulate({ collars: 4, rate: 50, seconds: 0, seed: 5 });
  const stored = async () => {
    const response = await fetch(`${stack.http}/api/v1/events?limit=1000`).catch(() => null);
    return response?.ok === true ? ((await response.json()) as { events: readonly unknown[] }).events.length : 0;
  };
  let before = 0;
  for (let kill = 0; kill < 2; kill += 1) {
    await until('events of the agent are stored', async () => (await stored()) > before + 3, 120_000);
    before = await stored();
    await stack.central.kill9();
    // What happens meanwhile waits in the agent's log.
    await pause(1_500);
    stack.central.start();
  }
  await until('the agent goes on by itself', async () => (await stored()) > before + 3, 120_000);
  load.stop();
  await load.done;
  const verdict = await stack.agreed(120_000);
  expect(verdict).toMatchObject({ status: 'agree' });
  expect(verdict.seq).toBeGreaterThan(before);
  // The broker keeps nothing over its end: both say again what is retained.
  await until('its health is there again', async () => (await stack.health()) !== null, 120_000);
  expect((await stack.health())?.protocol).toBe('3.1.1');
}, 600_000);
