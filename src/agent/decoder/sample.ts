/** A short printable piece of discarded bytes, for the log. */

const SAMPLE_CHARACTERS = 40;

/** The first characters of a line; what is not printable ASCII becomes a dot. */
export function textSample(bytes: Uint8Array): string {
  let text = '';
  const length = Math.min(bytes.length, SAMPLE_CHARACTERS);
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] ?? 0;
    text += byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : '.';
  }
  return text;
}

/** Text where a receiver wrote text between its frames, else the first bytes in hex. */
export function byteSample(bytes: Uint8Array): string {
  const head = bytes.subarray(0, SAMPLE_CHARACTERS / 2);
  if (head.every((byte) => (byte >= 0x20 && byte <= 0x7e) || byte === 0x0a || byte === 0x0d)) return textSample(bytes);
  let hex = '';
  for (const byte of head) hex += byte.toString(16).padStart(2, '0');
  return hex;
}
