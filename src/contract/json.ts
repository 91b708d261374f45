/** JSON that strangers write, bounded before anybody looks at it. */

/** Deeper than anybody nests who has something to say. Writing JSON again recurses: some thousand levels overflow its stack. */
export const MAX_DEPTH = 64;

/** The value of UTF-8 text; undefined where it is no JSON, or nested deeper than MAX_DEPTH. */
export function parseJson(payload: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return undefined;
  }
  return isDeeper(value, MAX_DEPTH) ? undefined : value;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const inner = value as Record<string, unknown>;
  for (const key in inner) if (isDeeper(inner[key], levels - 1)) return true;
  return false;
}
