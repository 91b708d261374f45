/** A detection as `collard detect` prints it. */
import type { Detection } from '../agent/detector/detection.ts';
import { safe } from './output.ts';

export function lineOf(file: string, detection: Detection): string {
  const { type, collar, atMs, ...data } = detection;
  return safe(JSON.stringify({ file, collar, type, tMs: atMs, ...data }, rounded));
}

/** Times are exact to a microsecond; what is beyond comes from arithmetic. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value * 1_000) / 1_000 : value;
}
