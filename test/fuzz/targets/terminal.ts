/** Strangers' texts on terminals and in logs: no control, no change of direction, and the same text when read as JSON. */
import { safeForPeople, safeLine } from '../../../src/cli/logger.ts';
import { safe } from '../../../src/cli/output.ts';
import { bytes, type FuzzTarget, hold } from '../target.ts';

export function open(): FuzzTarget {
  return {
    seeds: [
      'Mia\u001b[2J\u009b31m\u001b]0;x\u0007\r\nok\u202egpj\u2066\u061c\u200f\u2028\u0085\u007f',
      '\ud83d\udc08 "\\" \ufeff',
    ].map(bytes),
    words: ['\u0000', '\u001b[31m', '\u009b', '\u0090', '\u202e', '\u2067', '\u2029', '\u200e', '\\u001b', '"'],
    maxBytes: 256,
    run(input) {
      // As text, and as code units, lone halves of pairs among them.
      const units = new Uint16Array(Uint8Array.from(input.subarray(0, input.length & ~1)).buffer);
      for (const text of [Buffer.from(input).toString('utf8'), String.fromCharCode(...units)]) {
        const shown = safe(text);
        hold(isPlain(shown), () => `shown as ${JSON.stringify(shown)}`);
        hold(safe(shown) === shown, () => 'escaped twice it is another');
        const line = safeLine(`${JSON.stringify({ text, [text]: 1 })}\n`);
        hold(isPlain(line.slice(0, -1)) && line.endsWith('\n'), () => `logged as ${JSON.stringify(line)}`);
        hold(
          (JSON.parse(line) as { text: unknown }).text === text || text === 'text',
          () => 'the log says something else',
        );
        const people = JSON.parse(safeForPeople(line)) as { text: string };
        hold(isPlain(people.text) || text === 'text', () => `for people as ${JSON.stringify(people.text)}`);
      }
    },
  };
}

/** By code points, not by the expression under test. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0) || unit === 0x61c || unit === 0x200e || unit === 0x200f)
      return false;
    if ((unit >= 0x2028 && unit <= 0x202e) || (unit >= 0x2066 && unit <= 0x2069)) return false;
  }
  return true;
}
