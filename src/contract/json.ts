/** JSON that strangers write, bounded before anybody looks at it. */

/** Deeper than anybody nests who has something to say. Writing JSON again recurses: some thousand levels overflow its stack. */
export const MAX_DEPTH = 64;

/** The value of UTF-8 text; undefined where it is no JSON, or nested deeper than MAX_DEPTH. */
export function parseJson(payload: Uint8Array): unknown {
  if (isDeeper(payload, MAX_DEPTH)) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return undefined;
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Whether JSON opens more than so many brackets at once. What is no JSON gets some answer. */
function isDeeper(json: Uint8Array, levels: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < json.length; i += 1) {
    const byte = json[i];
    if (inString) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      depth += 1;
      if (depth > levels) return true;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1;
  }
  return false;
}
