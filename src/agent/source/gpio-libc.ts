/** The system calls that GPIO lines need and Node.js has not: ioctl and poll, of the C library. */
import type { GpioSystem } from './gpio-kernel.ts';

const LIBRARIES = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1'];

/** Null where there is no native code for this machine. */
export async function openLibc(dev = '/dev'): Promise<GpioSystem | null> {
  try {
    const { default: koffi } = await import('koffi');
    const libc = LIBRARIES.map((name) => load(() => koffi.load(name))).find((found) => found !== null);
    if (libc === undefined || libc === null) return null;
    const ioctl = libc.func('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *bytes)');
    const pollfd = koffi.struct({ fd: 'int', events: 'short', revents: 'short' });
    const poll = libc.func('poll', 'int', [koffi.inout(koffi.pointer(pollfd)), 'unsigned long', 'int']);
    const nameOf = (errno: number) => Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0];
    return {
      dev,
      ioctl(fd, request, bytes) {
        if (ioctl(fd, request, bytes) >= 0) return null;
        const errno = koffi.errno();
        return nameOf(errno) ?? `errno ${errno}`;
      },
      poll: (fd, ms) =>
        new Promise((resolve, reject) => {
          const asked = [{ fd, events: 1, revents: 0 }];
          poll.async(asked, 1, ms, (error: unknown, ready: number) => {
            if (error) reject(error);
            else resolve(ready > 0 ? (asked[0]?.revents ?? 0) : 0);
          });
        }),
    };
  } catch {
    // No prebuilt library for this machine: the caller has another way.
    return null;
  }
}

function load<T>(open: () => T): T | null {
  try {
    return open();
  } catch {
    // Another C library: the next name.
    return null;
  }
}
