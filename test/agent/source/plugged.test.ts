import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { untilPlugged } from '../../../src/agent/source/plugged.ts';

/** Longer than any test takes: whoever waits for it does not end by itself. */
const LONG_MS = 600_000;
const never = new AbortController().signal;

let dev = '';
beforeEach(() => {
  dev = mkdtempSync(join(tmpdir(), 'collard-plugged-'));
  onTestFinished(() => rmSync(dev, { recursive: true, force: true }));
  writeFileSync(join(dev, 'ttyUSB0'), '');
});

test('a receiver that is plugged in is seen at once, though its folder comes with it', async () => {
  const path = join(dev, 'serial', 'by-id', 'usb-receiver');
  const plugged = untilPlugged(path, LONG_MS, never);
  mkdirSync(join(dev, 'serial'));
  // The folders come one after the other, as udev makes them.
  await new Promise((resolve) => setImmediate(resolve));
  mkdirSync(join(dev, 'serial', 'by-id'));
  await new Promise((resolve) => setImmediate(resolve));
  symlinkSync('../../ttyUSB0', path);
  expect(await plugged).toBe(true);
});

test('another device in that folder is not the one that is waited for', async () => {
  mkdirSync(join(dev, 'serial', 'by-id'), { recursive: true });
  const path = join(dev, 'serial', 'by-id', 'usb-receiver');
  const plugged = untilPlugged(path, LONG_MS, never);
  symlinkSync('../../ttyUSB0', join(dev, 'serial', 'by-id', 'usb-other'));
  await new Promise((resolve) => setImmediate(resolve));
  symlinkSync('../../ttyUSB0', path);
  expect(await plugged).toBe(true);
});

test('one that is there, and cannot be opened, is not tried again before its time; nor one that does not come', async () => {
  expect(await untilPlugged(join(dev, 'ttyUSB0'), 1, never)).toBe(false);
  expect(await untilPlugged(join(dev, 'none', 'x'), 1, never)).toBe(false);
});

test('the wait ends with its signal', async () => {
  const stop = new AbortController();
  const waiting = untilPlugged(join(dev, 'none'), LONG_MS, stop.signal);
  stop.abort();
  expect(await waiting).toBe(false);
});
