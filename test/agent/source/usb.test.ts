import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readUsb } from '../../../src/agent/source/usb.ts';

it('finds the USB device above a tty, by any path of it', async () => {
  const home = mkdtempSync(join(tmpdir(), 'collard-usb-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const device = join(home, 'devices', 'usb1', '1-2');
  const tty = join(device, '1-2:1.0', 'ttyUSB7');
  mkdirSync(join(tty, 'tty', 'ttyUSB7'), { recursive: true });
  symlinkSync(tty, join(tty, 'tty', 'ttyUSB7', 'device'));
  mkdirSync(join(home, 'class'));
  symlinkSync(join(tty, 'tty', 'ttyUSB7'), join(home, 'class', 'ttyUSB7'));
  writeFileSync(join(home, 'ttyUSB7'), '');
  symlinkSync(join(home, 'ttyUSB7'), join(home, 'by-id'));
  writeFileSync(join(device, 'idVendor'), '0403\n');
  writeFileSync(join(device, 'idProduct'), '6001\n');
  writeFileSync(join(device, 'product'), `FT232R\u001b[31m USB ${'x'.repeat(200)}\n`);
  const usb = await readUsb(join(home, 'by-id'), join(home, 'class'));
  expect(usb).toMatchObject({ vendorId: '0403', productId: '6001', serialNumber: null });
  expect(usb?.product).toMatch(/^FT232R\[31m USB x+$/);
  expect(usb?.product?.length).toBe(128);
  expect(await readUsb(join(home, 'ttyAMA0'), join(home, 'class'))).toBeNull();
});
