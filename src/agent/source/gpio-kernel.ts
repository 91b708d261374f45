/**
 * GPIO lines by the kernel's character device: all lines of a chip in one request, stamped and debounced by the kernel. The
 * descriptor is polled and only then read: a read that waits would hold a thread of the pool, and the end of the process, for ever.
 */
import { closeSync, constants, openSync, readdirSync, readSync } from 'node:fs';
import { explainPort } from './explain-port.ts';
import {
  CHIP_INFO_BYTES,
  decodeChipInfo,
  decodeEvents,
  decodeLineInfo,
  encodeLineInfo,
  encodeLineRequest,
  GET_CHIPINFO,
  GET_LINE,
  GET_LINEINFO,
  LINE_EVENT_BYTES,
  requestedFd,
  type WatchedLine,
} from './gpio-abi.ts';
import { asText, type Chip, chooseChip, GpioError, type LinesRequest, type WatchLines } from './gpio-lines.ts';

/** What we ask of the system: libc through koffi, or a test's own. */
export interface GpioSystem {
  readonly dev: string;
  /** 0, or the name of the error, such as EBUSY. */
  ioctl(fd: number, request: number, bytes: Buffer): string | null;
  /** Resolves with what has happened to the descriptor, 0 after `ms`. */
  poll(fd: number, ms: number): Promise<number>;
}

const CONSUMER = 'collard';
const POLLIN = 0x01;
const GONE = 0x08 | 0x10 | 0x20;
/** A stop waits so long at most. */
const POLL_MS = 500;
const MAX_EVENTS = 64;

export function watchKernelLines(system: GpioSystem): WatchLines {
  return async (request, sink) => {
    const chip = chooseChip(await listChips(system), request);
    const fd = requestLines(system, chip, request.lines);
    let stopped = false;
    const reading = (async () => {
      const events = Buffer.alloc(MAX_EVENTS * LINE_EVENT_BYTES);
      while (!stopped) {
        const happened = await system.poll(fd, POLL_MS);
        if (stopped) return;
        if ((happened & GONE) !== 0) return sink.end(`${chip.label} went away: waiting for it to come back`);
        if ((happened & POLLIN) === 0) continue;
        const length = readSync(fd, events);
        const told = decodeEvents(events.subarray(0, length));
        sink.text(Buffer.from(told.map(({ rising, line, timestampNs }) => asText(rising, line, timestampNs)).join('')));
      }
    })().catch((error: unknown) => sink.end(`${chip.label} cannot be read: ${messageOf(error)}`));
    return {
      async close() {
        stopped = true;
        await reading;
        closeSync(fd);
      },
    };
  };
}

/** Every chip that may be opened. Throws where there are chips and none may be. */
export async function listChips(system: GpioSystem): Promise<Chip[]> {
  const names = readdirSync(system.dev).filter((name) => /^gpiochip\d+$/.test(name));
  const chips: Chip[] = [];
  let denied: string | null = null;
  for (const name of names) {
    const path = `${system.dev}/${name}`;
    try {
      const fd = openSync(path, constants.O_RDWR);
      const bytes = Buffer.alloc(CHIP_INFO_BYTES);
      const fault = system.ioctl(fd, GET_CHIPINFO, bytes);
      closeSync(fd);
      if (fault === null) chips.push({ path, ...decodeChipInfo(bytes) });
    } catch (error) {
      denied ??= await explainPort(path, messageOf(error));
    }
  }
  if (chips.length === 0 && denied !== null) throw new GpioError(denied);
  return chips;
}

/** What would keep these lines from being watched, or null; and the chip. It takes none: another agent may have them. Throws as above. */
export async function lookAtLines(
  system: GpioSystem,
  request: LinesRequest,
): Promise<{ readonly chip: Chip; readonly held: string | null }> {
  const chip = chooseChip(await listChips(system), request);
  const fd = openSync(chip.path, constants.O_RDWR);
  try {
    return { chip, held: holderOf(system, fd, chip, request.lines) };
  } finally {
    closeSync(fd);
  }
}

/** The descriptor of the lines. */
function requestLines(system: GpioSystem, chip: Chip, lines: readonly WatchedLine[]): number {
  const bytes = encodeLineRequest(lines, CONSUMER);
  const fd = openSync(chip.path, constants.O_RDWR);
  try {
    const fault = system.ioctl(fd, GET_LINE, bytes);
    if (fault === null) return requestedFd(bytes);
    if (fault === 'EBUSY') {
      const unknown = `a line of ${chip.label} is held by another program: gpioinfo tells which`;
      throw new GpioError(holderOf(system, fd, chip, lines) ?? unknown);
    }
    if (fault === 'EINVAL' || fault === 'ENOTSUPP' || fault === 'EOPNOTSUPP' || fault === 'ENXIO') {
      throw new GpioError(`${chip.label} does not take these settings (${fault}): try bias as-is, and debounceMs 0`);
    }
    throw new GpioError(`the lines of ${chip.label} cannot be had: ${fault}`);
  } finally {
    closeSync(fd);
  }
}

function holderOf(system: GpioSystem, fd: number, chip: Chip, lines: readonly WatchedLine[]): string | null {
  for (const { line } of lines) {
    const bytes = encodeLineInfo(line);
    if (system.ioctl(fd, GET_LINEINFO, bytes) !== null) continue;
    const { used, consumer } = decodeLineInfo(bytes);
    if (used)
      return `line ${line} of ${chip.label} is held by ${consumer || 'another program'}: stop it, or use another line`;
  }
  return null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
