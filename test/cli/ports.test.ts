import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listPorts, problemOf } from '../../src/cli/ports.ts';
import { collard } from './run.ts';

let dev = '';
let byId = '';
beforeAll(() => {
  dev = mkdtempSync(join(tmpdir(), 'collard-dev-'));
  byId = join(dev, 'serial', 'by-id');
  mkdirSync(byId, { recursive: true });
  for (const name of ['ttyUSB0', 'ttyUSB1', 'ttyACM0', 'ttyAMA10', 'ttyS0', 'ttyS9', 'tty1', 'null']) {
    writeFileSync(join(dev, name), '');
  }
  symlinkSync('../../ttyUSB1', join(byId, 'usb-collar-receiver'));
  symlinkSync('../../ttyS9', join(byId, 'pci-modem'));
});
afterAll(() => rmSync(dev, { recursive: true, force: true }));

test('each port is listed once, by its lasting name where it has one', async () => {
  const ports = await listPorts({ dev, byId, explain: async () => null });
  const named = ports.map(({ path, device }) => [path.slice(dev.length), device.slice(dev.length)]);
  expect(named).toEqual([
    ['/serial/by-id/pci-modem', '/ttyS9'],
    ['/serial/by-id/usb-collar-receiver', '/ttyUSB1'],
    ['/ttyACM0', '/ttyACM0'],
    ['/ttyAMA10', '/ttyAMA10'],
    ['/ttyUSB0', '/ttyUSB0'],
  ]);
});

test('what keeps us from a port comes with it', async () => {
  const explain = async (path: string) => (path.endsWith('ttyACM0') ? 'held by minicom (pid 7): stop it' : null);
  const ports = await listPorts({ dev, byId, explain });
  expect(ports.filter(({ problem }) => problem !== null)).toMatchObject([
    { problem: 'held by minicom (pid 7): stop it' },
  ]);
});

test('a machine without any has an empty list', async () => {
  const nowhere = join(dev, 'nowhere');
  expect(await listPorts({ dev: nowhere, byId: nowhere, explain: async () => null })).toEqual([]);
});

test('a device that anybody may open has no problem, a missing one has', async () => {
  // The full device: a character device that every Linux has and that few programs keep open.
  expect(await problemOf('/dev/full')).toBeNull();
  expect(await problemOf(join(dev, 'ttyUSB7'))).toContain('is not there');
});

test('the command gives JSON', async () => {
  const { status, stdout } = await collard(['ports', '--json']);
  expect(status).toBe(0);
  expect(Array.isArray(JSON.parse(stdout))).toBe(true);
});
