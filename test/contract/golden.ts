/**
 * Bodies of every type and version that was ever written, as they lie in somebody's log and store, and what is read of them
 * now. A line of `golden.ndjson` stays for ever; only `read` changes when a newer version reads an older body otherwise.
 */
import { readFileSync } from 'node:fs';

export interface Golden {
  /** The full type. */
  readonly type: string;
  readonly version: number;
  /** The text as it was stored. */
  readonly data: string;
  readonly read: Readonly<Record<string, unknown>>;
}

export function readGolden(): readonly Golden[] {
  const text = readFileSync(new URL('./golden.ndjson', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Golden);
}
