/** How long and how much readings are kept, as the configuration writes it: `48h`, or `48h / 200 MB`. */

export interface KeepLimits {
  readonly keepMs: number;
  readonly keepBytes: number;
}

export const MIN_KEEP_MS = 60_000;
export const MIN_KEEP_BYTES = 1_000_000;
const DEFAULT_BYTES = 200_000_000;

const TEXT = /^(\d{1,6})\s*(min|h|d)(?:\s*\/\s*(\d{1,6})\s*(MB|GB))?$/;
const UNITS = { min: 60_000, h: 3_600_000, d: 86_400_000, MB: 1e6, GB: 1e9 } as const;

/** Null where it says no such thing, or less than the least. */
export function parseKeep(text: string): KeepLimits | null {
  const [whole, time, timeUnit, size, sizeUnit] = TEXT.exec(text.trim()) ?? [];
  if (whole === undefined) return null;
  const keepMs = Number(time) * UNITS[timeUnit as keyof typeof UNITS];
  const keepBytes = size === undefined ? DEFAULT_BYTES : Number(size) * UNITS[sizeUnit as keyof typeof UNITS];
  return keepMs < MIN_KEEP_MS || keepBytes < MIN_KEEP_BYTES ? null : { keepMs, keepBytes };
}
