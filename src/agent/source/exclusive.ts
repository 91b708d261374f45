/**
 * A port that is ours alone. The lock of the serial library is advisory: a program that knows nothing of it opens the port all the same,
 * and takes some of the bytes. The terminal's own flag keeps it out, unless it is root's.
 */
import { openLibc } from './gpio-libc.ts';

const TIOCEXCL = 0x540c;
const TIOCNXCL = 0x540d;

export interface Exclusive {
  claim(port: unknown): void;
  /** Before the port is closed: the flag outlives it while anybody else has the terminal open. */
  release(port: unknown): void;
}

/** Loaded at the first port, once. Gives null for a port that is not the system's. */
export function exclusiveOnce(isSystem: boolean): () => Promise<Exclusive | null> {
  let own: Promise<Exclusive> | null = null;
  return async () => {
    if (!isSystem) return null;
    own ??= openExclusive();
    return own;
  };
}

/** Where there is no native code for this machine nothing is claimed: the lock is still there. */
async function openExclusive(): Promise<Exclusive> {
  const libc = await openLibc();
  const set = (port: unknown, request: number) => {
    const fd = descriptorOf(port);
    // What is no terminal refuses it, and has nobody to keep out.
    if (fd !== null) libc?.ioctl(fd, request, Buffer.alloc(4));
  };
  return { claim: (port) => set(port, TIOCEXCL), release: (port) => set(port, TIOCNXCL) };
}

/** Of serialport's own binding; null where it is closed, or another driver's. */
function descriptorOf(port: unknown): number | null {
  const { port: binding } = port as { readonly port?: { readonly fd?: unknown } | null };
  return typeof binding?.fd === 'number' && binding.fd >= 0 ? binding.fd : null;
}
