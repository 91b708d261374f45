import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Source } from '../../src/agent/source/source.ts';
import { createCounts, hearPort, describe as inWords } from '../../src/cli/hear-port.ts';
import { listPorts } from '../../src/cli/ports.ts';
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
  const ports = await listPorts({ dev, byId, look: async () => null, usbOf: async () => null });
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
  const holder = { pid: 7, program: 'minicom' };
  const held = { reason: 'it is held by minicom (pid 7)', fix: 'stop it', holder };
  const look = async (path: string) => (path.endsWith('ttyACM0') ? held : null);
  const usb = { vendorId: '0403', productId: '6001', product: 'receiver', serialNumber: null };
  const usbOf = async (path: string) => (path.endsWith('ttyUSB0') ? usb : null);
  const ports = await listPorts({ dev, byId, look, usbOf });
  expect(ports.filter(({ problem }) => problem !== null)).toMatchObject([
    { problem: 'it is held by minicom (pid 7): stop it', holder },
  ]);
  expect(ports.filter(({ usb }) => usb !== null)).toMatchObject([{ device: `${dev}/ttyUSB0`, usb }]);
});

test('a machine without any has an empty list', async () => {
  const nowhere = join(dev, 'nowhere');
  const system = { dev: nowhere, byId: nowhere, look: async () => null, usbOf: async () => null };
  expect(await listPorts(system)).toEqual([]);
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

describe('a port that is listened to for a while', () => {
  const hear = (open: (path: string, baud: number) => Source, totalMs = 200) =>
    hearPort('/dev/x', { open, totalMs, monoNow: () => 0 }, new AbortController().signal);

  test.each([
    [
      115_200,
      'json',
      '{"collar":"A","ax":0,"ay":0,"az":1}\n{"collar":"A","ax":2,"ay":0,"az":1}\n{"collar":"B","shake":1}\n',
    ],
    [9_600, 'rflink', '20;00;Nodo RadioFrequencyLink - RFLink Gateway V1.1 - R46;\r\n'],
  ])('tells its rate of %i, its format and how often it speaks', async (baud, format, lines) => {
    const found = await hear(receiver(baud, lines));
    const frames = lines.trim().split('\n').length;
    expect(found).toMatchObject({ baud, format, frames, bytes: lines.length, problem: null });
    expect(found.framesPerSecond).toBeGreaterThan(0);
    const a = { collar: 'A', readings: 2, shakes: 1 };
    const b = { collar: 'B', readings: 1, shakes: 1 };
    expect(found.collars).toEqual(format === 'json' ? [a, b] : []);
  });

  test('that says what nobody can read, nothing, or cannot be opened, says so in words', async () => {
    expect(inWords(await hear(receiver(4_800, 'hello, cat\n')))).toMatch(/^11 bytes that cannot be read: /);
    expect(inWords(await hear(receiver(9_600, '')))).toBe('nothing was heard');
    const broken = (): Source => ({
      name: 'x',
      overrunBytes: 0,
      async *inputs() {
        yield { type: 'failed', reason: 'it is held by minicom (pid 7): stop it' };
      },
    });
    expect(inWords(await hear(broken))).toBe('it is held by minicom (pid 7): stop it');
  });

  test('whoever is shaken stands first, and only so many are counted', () => {
    const counts = createCounts({ format: 'json' });
    for (let i = 0; i < 100; i++)
      counts.push(Buffer.from(`{"collar":"C${i}","rssi":-50}\n{"collar":"C0","rssi":-50}\n`));
    counts.push(Buffer.from('{"collar":"C7","shake":1}\n'));
    const collars = counts.collars();
    expect(collars.length).toBe(32);
    expect(collars[0]).toEqual({ collar: 'C7', readings: 2, shakes: 1 });
    expect(collars[1]).toEqual({ collar: 'C0', readings: 101, shakes: 0 });
  });
});

/** A terminal whose far end nobody has open, as a port that is free. */
function freeTerminal(): { readonly path: string; write(text: string): void; close(): void } {
  const libc = koffi.load('libc.so.6');
  const unlock = libc.func('int unlockpt(int fd)');
  const nameOf = libc.func('int ptsname_r(int fd, _Out_ char *name, size_t length)');
  const fd = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  const name = Buffer.alloc(64);
  expect([unlock(fd), nameOf(fd, name, name.length)]).toEqual([0, 0]);
  return {
    path: name.toString('utf8', 0, name.indexOf(0)),
    write(text) {
      try {
        writeSync(fd, text);
      } catch (error) {
        // Nobody reads, and the kernel's buffer is full.
        expect((error as NodeJS.ErrnoException).code).toBe('EAGAIN');
      }
    },
    close: () => closeSync(fd),
  };
}

test('the command listens at a real terminal, and names who holds one', async () => {
  const terminal = freeTerminal();
  const writing = setInterval(() => terminal.write('{"collar":"A","rssi":-50}\n'), 50);
  const free = await collard(['ports', terminal.path, '--json']);
  clearInterval(writing);
  const holder = openSync(terminal.path, constants.O_RDWR | constants.O_NOCTTY);
  const held = await collard(['ports', terminal.path, '--json']);
  closeSync(holder);
  terminal.close();
  expect(JSON.parse(free.stdout)).toMatchObject([
    {
      path: terminal.path,
      problem: null,
      holder: null,
      // A terminal can be read at any rate: it is the first one at which something came.
      heard: { baud: expect.any(Number), format: 'json', collars: [{ collar: 'A' }] },
    },
  ]);
  expect(free.status).toBe(0);
  expect(JSON.parse(held.stdout)).toMatchObject([{ holder: { pid: process.pid }, heard: null }]);
  expect(held.status).toBe(1);
}, 60_000);

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
