/** Which USB device is behind a port, as the kernel tells it: what was plugged in, whatever its path is called today. */
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { UsbIdentity } from '../../contract/message.ts';

const CLASS = '/sys/class/tty';
/** From the tty up to the USB device it is two or three folders. */
const MAX_UP = 5;

/** Null where it is no USB device, or the system does not tell. */
export async function readUsb(path: string, ttyClass: string = CLASS): Promise<UsbIdentity | null> {
  const real = await realpath(path).catch(() => path);
  let folder = await realpath(join(ttyClass, basename(real), 'device')).catch(() => null);
  for (let up = 0; folder !== null && up < MAX_UP; up += 1, folder = dirname(folder)) {
    const [vendorId, productId] = await Promise.all([word(folder, 'idVendor'), word(folder, 'idProduct')]);
    if (vendorId === null || productId === null) continue;
    const [product, serialNumber] = await Promise.all([word(folder, 'product'), word(folder, 'serial')]);
    return { vendorId, productId, product, serialNumber };
  }
  return null;
}

/** Up to 128 printable characters: a device names itself. */
async function word(folder: string, name: string): Promise<string | null> {
  const text = await readFile(join(folder, name), 'utf8').catch(() => null);
  const clean =
    text
      ?.replace(/\p{Cc}/gu, '')
      .trim()
      .slice(0, 128) ?? '';
  return clean === '' ? null : clean;
}
