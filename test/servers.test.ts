import { expect, test } from 'vitest';
import { mosquittoPath, requireServer, startAedes, startMosquitto } from './servers.ts';

test.skipIf(!requireServer('mosquitto', mosquittoPath))('a killed mosquitto comes back on its port', async () => {
  const broker = await startMosquitto();
  await broker.kill();
  await broker.restart();
  expect(broker.port).toBeGreaterThan(0);
  await broker.stop();
});

test('aedes starts and stops', async () => {
  const broker = await startAedes();
  expect(broker.port).toBeGreaterThan(0);
  await broker.stop();
});
