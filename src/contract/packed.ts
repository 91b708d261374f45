/**
 * A batch as gzip (RFC 1952), where both sides agree: central names `gzip` in `accepts` of each `stored`, and the agent is told to. The two
 * first bytes tell it from JSON, so nothing else need say which it is, on MQTT 3.1.1 either.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { MAX_BATCH_BYTES } from './envelope.ts';

export const GZIP = 'gzip';
/** Shorter texts gain little. */
export const MIN_PACKED_BYTES = 512;
/** The same as a batch may have that comes as it is. */
const MAX_UNPACKED_BYTES = 4 * MAX_BATCH_BYTES;
/** Twice as fast as zlib's own choice, and a tenth longer. */
const LEVEL = 3;

/** The text itself where it is short. */
export function pack(text: string): string | Uint8Array {
  return text.length < MIN_PACKED_BYTES ? text : gzipSync(text, { level: LEVEL });
}

/** The bytes themselves where they are no gzip; null where it is broken, or longer than a batch may be. */
export function unpack(payload: Uint8Array): Uint8Array | null {
  if (payload[0] !== 0x1f || payload[1] !== 0x8b) return payload;
  try {
    return gunzipSync(payload, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch {
    return null;
  }
}
