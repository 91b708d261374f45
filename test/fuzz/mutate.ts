/** Makes an input from others: bytes flipped, pieces cut, copied, repeated and exchanged, words of the format put in. */
import type { Random } from './random.ts';

const BYTES = [0, 1, 9, 10, 13, 32, 34, 44, 45, 48, 57, 58, 91, 92, 93, 123, 125, 127, 128, 192, 219, 220, 221, 255];
const VALUES = [
  'null',
  'true',
  '0',
  '-1',
  '1e999',
  '-0',
  '0.5',
  '9007199254740993',
  '4294967296',
  '1e-400',
  '""',
  '[]',
  '{}',
  '{"__proto__":{}}',
  '"constructor"',
  'NaN',
  '\ud83d\udc08',
  '\u009b',
  '\u202e',
].map((text) => Buffer.from(text, 'utf8'));
/** What stands between the words of a text. */
const ENDS: ReadonlySet<number> = new Set(Buffer.from(' \n\t,;:[]{}"\'&*/?=<>'));

const QUOTE = 0x22;

export interface Mutator {
  /** Writes a new input into `work` and gives its length. `corpus` is not empty. */
  mutate(work: Uint8Array, corpus: readonly Uint8Array[]): number;
}

export function createMutator(
  random: Random,
  words: readonly Uint8Array[],
  own: readonly number[],
  usual: number,
): Mutator {
  const { below } = random;
  const bytes = [...BYTES, ...own];
  const byte = () => bytes[below(bytes.length)] ?? 0;
  let work: Uint8Array = new Uint8Array();
  let length = 0;

  /** Puts bytes in the place of others; what does not fit falls off the end. */
  const replace = (at: number, gone: number, added: Uint8Array) => {
    const room = Math.min(added.length, work.length - at);
    const rest = Math.min(length - at - gone, work.length - at - room);
    work.copyWithin(at + room, at + gone, at + gone + rest);
    work.set(added.subarray(0, room), at);
    length = at + room + rest;
  };
  const word = () => {
    const from = words.length > 0 && below(3) > 0 ? words : VALUES;
    return from[below(from.length)] ?? new Uint8Array();
  };
  /** Mostly short. */
  const span = (limit: number) => Math.min(limit, 1 + below(below(4) === 0 ? limit + 1 : 1 + (limit >> 3)));
  const token = (): [at: number, end: number] => {
    let at = below(length);
    let end = at;
    while (at > 0 && !ENDS.has(work[at - 1] ?? 0)) at--;
    while (end < length && !ENDS.has(work[end] ?? 0)) end++;
    const isQuoted = work[at - 1] === QUOTE && work[end] === QUOTE && below(2) === 0;
    return isQuoted ? [at - 1, end + 1] : [at, end];
  };
  const step = (corpus: readonly Uint8Array[]) => {
    if (length === 0) return replace(0, 0, word());
    const at = below(length);
    switch (below(13)) {
      case 0:
        work[at] = (work[at] ?? 0) ^ (1 << below(8));
        return;
      case 1:
        work[at] = below(256);
        return;
      case 2:
        work[at] = byte();
        return;
      case 3:
        work[at] = (work[at] ?? 0) + below(33) - 16;
        return;
      case 4:
        return replace(at, span(length - at), new Uint8Array());
      case 5:
        return replace(at, 0, work.slice(at, at + span(length - at)));
      case 6:
        return replace(below(length + 1), 0, Uint8Array.of(byte()));
      case 7:
      case 8:
        return replace(below(length + 1), 0, word());
      case 9: {
        const [from, to] = token();
        return replace(from, to - from, word());
      }
      case 10: {
        const [from, to] = token();
        const [other, end] = token();
        return replace(from, to - from, work.slice(other, end));
      }
      case 11: {
        const piece = work.slice(at, at + span(Math.min(64, length - at)));
        const room = Math.trunc((work.length - length) / piece.length);
        for (let i = Math.min(room, below(8) === 0 ? below(512) : 2); i > 0; i--) replace(at, 0, piece);
        return;
      }
      default: {
        const other = corpus[below(corpus.length)] ?? new Uint8Array();
        if (other.length === 0) return;
        const from = below(other.length);
        const piece = other.subarray(from, from + span(other.length - from));
        return replace(at, below(2) === 0 ? Math.min(piece.length, length - at) : 0, piece);
      }
    }
  };
  return {
    mutate(into, corpus) {
      // Long ones cost time, and say little more.
      work = below(128) === 0 ? into : into.subarray(0, usual);
      let parent = pick(corpus, random);
      for (let i = 0; i < 3 && parent.length > work.length; i++) parent = pick(corpus, random);
      length = Math.min(parent.length, work.length);
      work.set(parent.subarray(0, length));
      for (let steps = 1 << below(1 + below(4)); steps > 0; steps--) step(corpus);
      return length;
    },
  };
}

/** Half of the time one of the newest: what was found last is what to go on from. */
function pick(corpus: readonly Uint8Array[], { below }: Random): Uint8Array {
  const newest = below(2) === 0 ? Math.min(corpus.length, 16) : corpus.length;
  return corpus[corpus.length - 1 - below(newest)] ?? new Uint8Array();
}
