/**
 * A pseudo-terminal pair: what is written here comes out of a path that a serial port library can open.
 * The master end is a real kernel tty, so termios, hang-up and a full buffer behave as on a device.
 */
import { close, constants, openSync, write } from 'node:fs';
import koffi from 'koffi';

export interface Pty {
  /** The path of the slave end, such as /dev/pts/3. */
  readonly path: string;
  /** The descriptor of the master end. */
  readonly fd: number;
  /** Writes what fits into the kernel's buffer (about 4 KiB) now; resolves with the count of bytes that did not fit and are lost. */
  write(bytes: Uint8Array): Promise<number>;
  /** Hangs up: the reader's open port fails. */
  close(): Promise<void>;
}

/**
 * Throws with code NO_PTY where the system has no /dev/ptmx or its C library cannot be called. `patient`: a write waits until all has
 * fitted, as long as it takes.
 */
export function openPty(patient = false): Pty {
  const wait = patient ? 0 : constants.O_NONBLOCK;
  const fd = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY | wait);
  const path = unlock(fd);
  // Held open so that the master never reads EIO between two openings of the reader.
  const slave = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  const closeFd = (n: number) => new Promise<void>((resolve) => close(n, () => resolve()));
  let open = true;
  return {
    path,
    fd,
    write: async (bytes) => {
      let from = 0;
      while (open && from < bytes.length) {
        const taken = await writeSome(fd, bytes, from);
        if (taken === 0) break;
        from += taken;
      }
      return bytes.length - from;
    },
    close: async () => {
      if (!open) return;
      open = false;
      await closeFd(slave);
      await closeFd(fd);
    },
  };
}

function unlock(fd: number): string {
  try {
    const libc = koffi.load('libc.so.6');
    const ptsname = Buffer.alloc(64);
    const unlockpt = libc.func('int unlockpt(int fd)');
    const ptsnameR = libc.func('int ptsname_r(int fd, _Out_ char *name, size_t length)');
    const cfmakeraw = libc.func('void cfmakeraw(_Inout_ uint8_t *termios)');
    const tcgetattr = libc.func('int tcgetattr(int fd, _Out_ uint8_t *termios)');
    const tcsetattr = libc.func('int tcsetattr(int fd, int when, const uint8_t *termios)');
    if (unlockpt(fd) !== 0 || ptsnameR(fd, ptsname, ptsname.length) !== 0) throw new Error('the kernel gave no pty');
    // Raw from the start: nothing is echoed or translated before the reader has set its own mode.
    const termios = Buffer.alloc(128);
    if (tcgetattr(fd, termios) === 0) {
      cfmakeraw(termios);
      tcsetattr(fd, 0, termios);
    }
    return ptsname.toString('utf8', 0, ptsname.indexOf(0));
  } catch (cause) {
    throw Object.assign(new Error('no pseudo-terminal can be opened here', { cause }), { code: 'NO_PTY' });
  }
}

function writeSome(fd: number, bytes: Uint8Array, from: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, null, (error, taken) => {
      if (error === null) resolve(taken);
      else if (error.code === 'EAGAIN') resolve(0);
      else reject(error);
    });
  });
}
