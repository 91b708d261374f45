/**
 * A serial port of this machine. The serial library opens, locks, sets, writes and closes it; its bytes are read here, straight from the
 * descriptor: its own stream asks a thread for each read, is told that nothing is there, and waits and asks once more, which costs about
 * 150 µs of a PC for each of the few bytes that a receiver sends at a time. `npm run bench:port` compares both.
 */
import { EventEmitter } from 'node:events';
import { readSync } from 'node:fs';
import { SerialPort } from 'serialport';

/** So long it is not looked again after bytes have come: at 115 200 baud they come in up to a thousand pieces a second. */
const REST_MS = 5;
/**
 * Where so many come at once the line is faster than 460 800 baud, and is not kept waiting: a terminal holds 4 KiB, and a rest after each
 * piece would be what limits it.
 */
const MANY_BYTES = 256;
export const READ_BYTES = 65_536;
/**
 * Bytes for which there is no room stay with the kernel, and a USB device with its own; longer than this they are read and thrown away, so
 * that they are counted: a line of 230 400 baud fills what the kernel holds of it in three seconds, and then it drops bytes untold.
 */
export const HOLD_MS = 2_000;

/** What we use of a port: that of the system, or `SerialPortMock` as it is. */
export interface PortStream {
  readonly isOpen: boolean;
  open(done: (error: Error | null) => void): void;
  close(done: (error: Error | null) => void): void;
  write(bytes: Buffer, done: (error: Error | null | undefined) => void): unknown;
  /** Asked before each read, where the port is read by us: is there room for so many bytes? */
  holdUnless?(hasRoom: (bytes: number) => boolean): void;
  on(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
  on(event: 'close' | 'error', listener: (error?: Error | null) => void): unknown;
}

/** What serialport's bindings for Linux and macOS have. */
interface Descriptor {
  readonly fd: number | null;
  readonly poller: { once(event: 'readable', heard: (error: Error | null) => void): unknown };
}

/** Not open yet. `port` is the library's binding, for who needs the descriptor. */
export function createSystemPort(path: string, baudRate: number): PortStream & { readonly port: unknown } {
  const port = new SerialPort({ path, baudRate, autoOpen: false, lock: true });
  const told = new EventEmitter<{ data: [Uint8Array]; close: [error?: Error | null]; error: [Error] }>();
  port.on('close', (error?: Error | null) => told.emit('close', error));
  port.on('error', (error) => told.emit('error', error));
  let hasRoom: (bytes: number) => boolean = () => true;
  const read = () => {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const binding = port.port as unknown as Descriptor;
    const wait = () => binding.poller.once('readable', take);
    let heldMs = 0;
    const take = (error: Error | null): unknown => {
      // A close of ours cancels the wait, or came while it rested.
      if (!port.isOpen || binding.fd === null) return;
      if (hasRoom(READ_BYTES)) heldMs = 0;
      else if (error === null && heldMs < HOLD_MS) {
        heldMs += REST_MS;
        return setTimeout(take, REST_MS, null);
      }
      const bytes = readAvailable(binding.fd, buffer);
      if (bytes instanceof Error) return told.emit('error', bytes);
      // What the library says of a device that has gone is less than the read itself says.
      if (error !== null && bytes.length === 0) return told.emit('error', error);
      if (bytes.length === 0) return wait();
      told.emit('data', Buffer.from(bytes));
      return bytes.length >= MANY_BYTES ? wait() : setTimeout(take, REST_MS, null);
    };
    wait();
  };
  return {
    get isOpen() {
      return port.isOpen;
    },
    get port() {
      return port.port;
    },
    open(done) {
      port.open((error) => {
        done(error);
        if (port.isOpen) read();
      });
    },
    close: (done) => port.close(done),
    write: (bytes, done) => port.write(bytes, done),
    holdUnless(ask) {
      hasRoom = ask;
    },
    on: told.on.bind(told) as PortStream['on'],
  };
}

/** Empty where somebody else has taken them; an error where the device has gone. */
function readAvailable(fd: number, buffer: Buffer): Uint8Array | Error {
  try {
    const length = readSync(fd, buffer, 0, buffer.length, null);
    // A terminal has no end: it has hung up.
    return length === 0 ? new Error('hung up') : buffer.subarray(0, length);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EAGAIN' || code === 'EINTR' ? buffer.subarray(0, 0) : (error as Error);
  }
}
