import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Source } from '../../src/agent/source/source.ts';
import { listPorts, problemOf } from '../../src/cli/ports.ts';
import { probePort } from '../../src/cli/probe-port.ts';
import { aborted } from '../../src/lib/wait.ts';
import { openPty } from '../../src/simulator/pty.ts';
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

/** A receiver that speaks at one rate; at others its bytes are noise. */
function receiver(rate: number, lines: string): (path: string, baud: number) => Source {
  return (path, baud) => ({
    name: path,
    overrunBytes: 0,
    async *inputs(signal) {
      yield { type: 'opened' };
      const bytes = Buffer.from(lines);
      yield { type: 'bytes', bytes: baud === rate ? bytes : bytes.map((byte) => byte ^ 0xa5), atMs: 0 };
      await aborted(signal);
    },
  });
}

test.each<[number, string, string, number]>([
  [9_600, 'json', '{"collar":"A","rssi":-50}\n', 1],
  [115_200, 'mysensors', '0;255;3;0;14;Gateway startup complete.\n12;7;1;0;16;1\n', 2],
  [57_600, 'rflink', '20;00;Nodo RadioFrequencyLink - RFLink Gateway V1.1 - R46;\r\n', 1],
  [921_600, 'ruuvi', '0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F\n', 1],
])('a receiver at %i baud that writes %s is found', async (baud, format, lines, readable) => {
  const ports = { open: receiver(baud, lines), listenMs: 5 };
  const found = await probePort('/dev/x', ports, new AbortController().signal);
  expect(found).toMatchObject({ port: '/dev/x', baud, format, readable, bytes: lines.length, problem: null });
});

test('a receiver that nobody can read is told with what it says', async () => {
  const ports = { open: receiver(9_600, 'hello, cat\n'), listenMs: 5 };
  const found = await probePort('/dev/x', ports, new AbortController().signal);
  expect(found).toMatchObject({ baud: null, format: null, readable: 0, bytes: 11, sample: 'hello, cat.' });
});

test('a port that cannot be opened is told, and not tried again', async () => {
  let tries = 0;
  const open = (path: string): Source => ({
    name: path,
    overrunBytes: 0,
    async *inputs() {
      tries += 1;
      yield { type: 'failed', reason: 'it is held by minicom (pid 7): stop it' };
    },
  });
  const found = await probePort('/dev/x', { open, listenMs: 5 }, new AbortController().signal);
  expect(found.problem).toBe('it is held by minicom (pid 7): stop it');
  expect(tries).toBe(1);
});

test('the command probes a real terminal', async () => {
  const pty = openPty();
  const writing = setInterval(() => void pty.write(Buffer.from('{"collar":"A","rssi":-50}\n')), 50);
  const { status, stdout } = await collard(['ports', '--probe', pty.path, '--seconds', '0.5', '--json']);
  clearInterval(writing);
  await pty.close();
  expect(JSON.parse(stdout)).toMatchObject([{ port: pty.path, baud: 115_200, format: 'json' }]);
  expect(status).toBe(0);
});

test('the command gives JSON', async () => {
  const { status, stdout } = await collard(['ports', '--json']);
  expect(status).toBe(0);
  expect(Array.isArray(JSON.parse(stdout))).toBe(true);
});
