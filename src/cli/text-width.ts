/** How many columns of a terminal a text takes: one for most, two for East Asian and emoji, none for what is put on another. */

const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|.*\ufe0f)/u;
const NOTHING = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

export function widthOf(text: string): number {
  // What people type most.
  if (/^[ -~]*$/.test(text)) return text.length;
  return graphemes(text).reduce((sum, one) => sum + graphemeWidth(one), 0);
}

/** Not wider than `width`; what is cut ends with …. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  let room = width - 1;
  for (const one of graphemes(text)) {
    room -= graphemeWidth(one);
    if (room < 0) break;
    kept += one;
  }
  return `${kept}…`;
}

function graphemes(text: string): readonly string[] {
  return [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(text)].map(({ segment }) => segment);
}

function graphemeWidth(grapheme: string): number {
  if (NOTHING.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}
