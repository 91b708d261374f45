/** What the two ways to GPIO lines have in common: what they are asked for, what they give, and how a chip is chosen. */
import type { ChipInfo, WatchedLine } from './gpio-abi.ts';

export interface LinesRequest {
  /** Label, name or path of the chip; `auto`: that of a Raspberry Pi's header. */
  readonly chip: string;
  readonly lines: readonly WatchedLine[];
}

export interface LinesSink {
  /** One edge as a line of text: `1 4 12.000000005`, rising (1) or falling, the line, its monotonic time in seconds. */
  text(bytes: Buffer): void;
  /** No more edges come. */
  end(reason: string): void;
}

export interface OpenLines {
  close(): Promise<void>;
}

/** Rejects with a GpioError that names the fix. */
export type WatchLines = (request: LinesRequest, sink: LinesSink) => Promise<OpenLines>;

export class GpioError extends Error {
  readonly code = 'GPIO';
}

/** The header of a Raspberry Pi, by what the kernel calls its chip. Its number has changed from kernel to kernel. */
const PI_LABELS = ['pinctrl-rp1', 'pinctrl-bcm2711', 'pinctrl-bcm2835'];

export interface Chip extends ChipInfo {
  readonly path: string;
}

/** Throws a GpioError where there is no such chip, or it has not all the lines. */
export function chooseChip(chips: readonly Chip[], { chip: wanted, lines }: LinesRequest): Chip {
  const isMeant = ({ label, name, path }: Chip) =>
    wanted === 'auto' ? PI_LABELS.includes(label) : [label, name, path].includes(wanted);
  const chip = chips.find(isMeant);
  if (chip === undefined) {
    const here = chips.map(({ label, name }) => `${label} (${name})`).join(', ');
    const what = wanted === 'auto' ? 'no GPIO chip of a Raspberry Pi' : `no GPIO chip ${wanted}`;
    throw new GpioError(
      here === '' ? `there is ${what}: this machine has none at all` : `there is ${what}: set gpio to one of ${here}`,
    );
  }
  const beyond = lines.find(({ line }) => line >= chip.lines);
  if (beyond !== undefined) {
    throw new GpioError(
      `${chip.label} has no line ${beyond.line}: give one from 0 to ${chip.lines - 1}, the BCM number`,
    );
  }
  return chip;
}

export function asText(rising: boolean, line: number, timestampNs: bigint): string {
  const ns = (timestampNs % 1_000_000_000n).toString().padStart(9, '0');
  return `${rising ? 1 : 0} ${line} ${timestampNs / 1_000_000_000n}.${ns}\n`;
}
