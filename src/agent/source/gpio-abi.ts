/**
 * The kernel's GPIO character device, version 2 of its interface (linux/gpio.h, 5.10 and later): requests as bytes and bytes as
 * answers. All fields have fixed widths, so the layout is the same on 32 and 64 bits; little-endian, as every board here is.
 */

export type Bias = 'pull-up' | 'pull-down' | 'disabled' | 'as-is';

/** One line as it is to be watched, both edges of it. */
export interface WatchedLine {
  /** Offset on the chip: on a Raspberry Pi the BCM number. */
  readonly line: number;
  readonly bias: Bias;
  readonly activeLow: boolean;
  /** A level must hold for so long; shorter ones are bounce. */
  readonly debounceMs: number;
}

export interface ChipInfo {
  readonly name: string;
  readonly label: string;
  readonly lines: number;
}

export interface LineInfo {
  readonly used: boolean;
  readonly consumer: string;
}

export interface LineEvent {
  readonly timestampNs: bigint;
  readonly rising: boolean;
  readonly line: number;
}

const NAME_BYTES = 32;
export const CHIP_INFO_BYTES = 68;
export const LINE_INFO_BYTES = 256;
export const LINE_REQUEST_BYTES = 592;
export const LINE_EVENT_BYTES = 48;
const MAX_LINES = 64;
const MAX_ATTRIBUTES = 10;
const ATTRIBUTE_BYTES = 24;

const READ = 2;
const READ_WRITE = 3;
const ioc = (direction: number, number: number, bytes: number) =>
  ((direction << 30) | (bytes << 16) | (0xb4 << 8) | number) >>> 0;
export const GET_CHIPINFO = ioc(READ, 0x01, CHIP_INFO_BYTES);
export const GET_LINEINFO = ioc(READ_WRITE, 0x05, LINE_INFO_BYTES);
export const GET_LINE = ioc(READ_WRITE, 0x07, LINE_REQUEST_BYTES);

const USED = 1n << 0n;
const ACTIVE_LOW = 1n << 1n;
const INPUT = 1n << 2n;
const EDGES = (1n << 4n) | (1n << 5n);
const BIASES: Readonly<Record<Bias, bigint>> = {
  'pull-up': 1n << 8n,
  'pull-down': 1n << 9n,
  disabled: 1n << 10n,
  'as-is': 0n,
};
const ATTRIBUTE_FLAGS = 1;
const ATTRIBUTE_DEBOUNCE = 3;
const RISING_EDGE = 1;

const CONSUMER_AT = MAX_LINES * 4;
const CONFIG_AT = CONSUMER_AT + NAME_BYTES;
const ATTRIBUTES_AT = CONFIG_AT + 32;
const NUM_LINES_AT = ATTRIBUTES_AT + MAX_ATTRIBUTES * ATTRIBUTE_BYTES;
const FD_AT = LINE_REQUEST_BYTES - 4;

/**
 * The request for all of these lines at once. Throws with code GPIO_MANY where they have more different settings than one request
 * can say.
 */
export function encodeLineRequest(lines: readonly WatchedLine[], consumer: string): Buffer {
  const bytes = Buffer.alloc(LINE_REQUEST_BYTES);
  for (const [i, { line }] of lines.entries()) bytes.writeUInt32LE(line, 4 * i);
  bytes.write(consumer.slice(0, NAME_BYTES - 1), CONSUMER_AT, 'latin1');
  const common = lines[0] === undefined ? 0n : flagsOf(lines[0]);
  const attributes = [
    ...group(lines, flagsOf)
      .filter(({ value }) => value !== common)
      .map((own) => ({ id: ATTRIBUTE_FLAGS, ...own })),
    ...group(lines, ({ debounceMs }) => BigInt(Math.round(debounceMs * 1000)))
      .filter(({ value }) => value > 0n)
      .map((own) => ({ id: ATTRIBUTE_DEBOUNCE, ...own })),
  ];
  if (attributes.length > MAX_ATTRIBUTES || lines.length > MAX_LINES) {
    const message =
      'the lines of one chip have too many different settings: give more of them the same bias and debounceMs';
    throw Object.assign(new Error(message), { code: 'GPIO_MANY' });
  }
  bytes.writeBigUInt64LE(common, CONFIG_AT);
  bytes.writeUInt32LE(attributes.length, CONFIG_AT + 8);
  for (const [i, { id, value, mask }] of attributes.entries()) {
    const at = ATTRIBUTES_AT + i * ATTRIBUTE_BYTES;
    bytes.writeUInt32LE(id, at);
    bytes.writeBigUInt64LE(value, at + 8);
    bytes.writeBigUInt64LE(mask, at + 16);
  }
  bytes.writeUInt32LE(lines.length, NUM_LINES_AT);
  return bytes;
}

/** The descriptor that the kernel wrote into the request. */
export function requestedFd(request: Buffer): number {
  return request.readInt32LE(FD_AT);
}

export function decodeChipInfo(bytes: Buffer): ChipInfo {
  return { name: text(bytes, 0), label: text(bytes, NAME_BYTES), lines: bytes.readUInt32LE(2 * NAME_BYTES) };
}

export function encodeLineInfo(line: number): Buffer {
  const bytes = Buffer.alloc(LINE_INFO_BYTES);
  bytes.writeUInt32LE(line, 2 * NAME_BYTES);
  return bytes;
}

export function decodeLineInfo(bytes: Buffer): LineInfo {
  return { used: (bytes.readBigUInt64LE(2 * NAME_BYTES + 8) & USED) !== 0n, consumer: text(bytes, NAME_BYTES) };
}

export function decodeEvents(bytes: Buffer): LineEvent[] {
  return Array.from({ length: Math.floor(bytes.length / LINE_EVENT_BYTES) }, (_, i) => {
    const at = i * LINE_EVENT_BYTES;
    return {
      timestampNs: bytes.readBigUInt64LE(at),
      rising: bytes.readUInt32LE(at + 8) === RISING_EDGE,
      line: bytes.readUInt32LE(at + 12),
    };
  });
}

function flagsOf({ bias, activeLow }: WatchedLine): bigint {
  return INPUT | EDGES | BIASES[bias] | (activeLow ? ACTIVE_LOW : 0n);
}

/** Each value that there is, with the lines that have it as bits. */
function group(lines: readonly WatchedLine[], settingOf: (line: WatchedLine) => bigint) {
  const masks = new Map<bigint, bigint>();
  for (const [i, line] of lines.entries()) {
    const value = settingOf(line);
    masks.set(value, (masks.get(value) ?? 0n) | (1n << BigInt(i)));
  }
  return [...masks].map(([value, mask]) => ({ value, mask }));
}

function text(bytes: Buffer, at: number): string {
  const field = bytes.subarray(at, at + NAME_BYTES);
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end < 0 ? NAME_BYTES : end);
}
