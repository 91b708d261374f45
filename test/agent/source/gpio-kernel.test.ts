import { appendFileSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GET_CHIPINFO, GET_LINE, GET_LINEINFO, type WatchedLine } from '../../../src/agent/source/gpio-abi.ts';
import { type GpioSystem, listChips, lookAtLines, watchKernelLines } from '../../../src/agent/source/gpio-kernel.ts';
import { openLibc } from '../../../src/agent/source/gpio-libc.ts';
import { openPty } from '../../../src/simulator/pty.ts';

const line = (number: number): WatchedLine => ({ line: number, bias: 'as-is', activeLow: false, debounceMs: 5 });

/** A kernel that does what the test says; events are read from a file. */
function kernel(labels: readonly string[] = ['pinctrl-rp1']) {
  const dev = mkdtempSync(join(tmpdir(), 'collard-chips-'));
  const opened = join(dev, 'events');
  writeFileSync(opened, '');
  onTestFinished(() => rmSync(dev, { recursive: true, force: true }));
  for (const [i] of labels.entries()) writeFileSync(join(dev, `gpiochip${i + 10}`), '');
  const script = { fault: null as string | null, holder: null as string | null, asked: 0, chip: 0 };
  const polls: ((happened: number) => void)[] = [];
  const system: GpioSystem = {
    dev,
    ioctl(_fd, request, bytes) {
      if (request === GET_CHIPINFO) {
        const label = labels[script.chip++ % labels.length] ?? '';
        bytes.write(`gpiochip${10 + labels.indexOf(label)}`, 0);
        bytes.write(label, 32);
        bytes.writeUInt32LE(28, 64);
        return null;
      }
      if (request === GET_LINEINFO) {
        if (script.holder !== null && bytes.readUInt32LE(64) === 17) {
          bytes.write(script.holder, 32);
          bytes.writeBigUInt64LE(1n, 72);
        }
        return null;
      }
      if (request !== GET_LINE) return 'ENOTTY';
      script.asked += 1;
      if (script.fault === null) bytes.writeInt32LE(openSync(opened, 'r'), 588);
      return script.fault;
    },
    poll: () => new Promise((resolve) => polls.push(resolve)),
  };
  const event = (number: number, rising: boolean, ns: bigint) => {
    const bytes = Buffer.alloc(48);
    bytes.writeBigUInt64LE(ns, 0);
    bytes.writeUInt32LE(rising ? 1 : 2, 8);
    bytes.writeUInt32LE(number, 12);
    appendFileSync(opened, bytes);
  };
  return { system, script, polls, event };
}

function sink() {
  const said = { text: '', ends: [] as string[] };
  return {
    said,
    text: (bytes: Buffer) => {
      said.text += bytes.toString();
    },
    end: (reason: string) => void said.ends.push(reason),
  };
}

describe('lines by the kernel', () => {
  it('gives each edge with the kernel time, all lines by one request', async () => {
    const { system, polls, event, script } = kernel();
    const to = sink();
    const open = await watchKernelLines(system)({ chip: 'auto', lines: [line(4), line(17)] }, to);
    expect(script.asked).toBe(1);
    event(4, true, 12_000_000_005n);
    event(17, false, 12_900_000_000n);
    polls[0]?.(1);
    await expect.poll(() => to.said.text).toBe('1 4 12.000000005\n0 17 12.900000000\n');
    polls[1]?.(0);
    await expect.poll(() => polls.length).toBe(3);
    const closing = open.close();
    polls[2]?.(0);
    await closing;
    expect(to.said.ends).toEqual([]);
  });

  it.each([8, 16, 24, 32])('sees that the chip went away (%i)', async (happened) => {
    const { system, polls } = kernel();
    const to = sink();
    const open = await watchKernelLines(system)({ chip: 'pinctrl-rp1', lines: [line(4)] }, to);
    polls[0]?.(happened);
    await expect.poll(() => to.said.ends).toEqual(['pinctrl-rp1 went away: waiting for it to come back']);
    await open.close();
  });

  it('sees that it cannot be read any more', async () => {
    const { system, polls } = kernel();
    const to = sink();
    const failing = { ...system, poll: () => Promise.reject(new Error('EBADF')) };
    const open = await watchKernelLines(failing)({ chip: 'pinctrl-rp1', lines: [line(4)] }, to);
    await expect.poll(() => to.said.ends).toEqual(['pinctrl-rp1 cannot be read: EBADF']);
    expect(polls).toEqual([]);
    await open.close();
  });

  it('finds a chip by label, name or path, whatever its number is', async () => {
    for (const chip of ['auto', 'pinctrl-bcm2711', 'gpiochip11']) {
      const { system } = kernel(['raspberrypi-exp-gpio', 'pinctrl-bcm2711']);
      expect((await lookAtLines(system, { chip, lines: [line(4)] })).chip.label).toBe('pinctrl-bcm2711');
    }
  });

  it.each<[string, string, readonly string[], number]>([
    [
      'there is no GPIO chip pinctrl-rp1: set gpio to one of a (gpiochip10), b (gpiochip11)',
      'pinctrl-rp1',
      ['a', 'b'],
      4,
    ],
    ['there is no GPIO chip of a Raspberry Pi: this machine has none at all', 'auto', [], 4],
    ['pinctrl-rp1 has no line 28: give one from 0 to 27, the BCM number', 'auto', ['pinctrl-rp1'], 28],
  ])('says: %s', async (message, chip, labels, number) => {
    const watching = watchKernelLines(kernel(labels).system)({ chip, lines: [line(number)] }, sink());
    await expect(watching).rejects.toThrow(message);
  });

  it.each<[string | null, string, string]>([
    ['gpiomon', 'EBUSY', 'line 17 of pinctrl-rp1 is held by gpiomon: stop it, or use another line'],
    [null, 'EBUSY', 'a line of pinctrl-rp1 is held by another program: gpioinfo tells which'],
    [null, 'EINVAL', 'pinctrl-rp1 does not take these settings (EINVAL): try bias as-is, and debounceMs 0'],
    [null, 'EIO', 'the lines of pinctrl-rp1 cannot be had: EIO'],
  ])('held by %s, %s: %s', async (holder, fault, message) => {
    const { system, script } = kernel();
    script.fault = fault;
    script.holder = holder;
    const request = { chip: 'auto', lines: [line(4), line(17)] };
    await expect(watchKernelLines(system)(request, sink())).rejects.toThrow(message);
    expect((await lookAtLines(system, request)).held).toBe(holder === null ? null : message);
  });

  it('says why a chip may not be opened, where none may', async () => {
    const { system } = kernel([]);
    expect(await listChips(system)).toEqual([]);
    mkdirSync(join(system.dev, 'gpiochip0'));
    await expect(listChips(system)).rejects.toThrow(`${system.dev}/gpiochip0 is not a device`);
    await expect(listChips({ ...system, dev: join(system.dev, 'gone') })).rejects.toThrow('ENOENT');
  });
});

describe('the C library', () => {
  it('is called', async () => {
    const libc = await openLibc();
    if (libc === null) throw new Error('koffi has no library for this machine');
    const pty = openPty();
    onTestFinished(() => pty.close());
    const fd = openSync(pty.path, 'r+');
    expect(libc.ioctl(fd, GET_CHIPINFO, Buffer.alloc(68))).toMatch(/^E(?:NOTTY|INVAL)$/);
    expect(await libc.poll(fd, 1)).toBe(0);
    const waiting = libc.poll(fd, 10_000);
    await pty.write(Buffer.from('x'));
    expect((await waiting) & 1).toBe(1);
    closeSync(fd);
    expect(libc.ioctl(fd, GET_CHIPINFO, Buffer.alloc(68))).toBe('EBADF');
  });

  it('is opened again and again', async () => {
    for (let i = 0; i < 3; i += 1) expect(await openLibc()).not.toBeNull();
  });
});
