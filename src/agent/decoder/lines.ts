/**
 * Splits bytes into lines, ended by LF or CRLF. Bounded: a longer line than MAX_LINE_BYTES is discarded as a whole and
 * splitting goes on at the next LF. Every byte ends up in exactly one line or one discard, terminators included.
 *
 * Why not serialport's ReadlineParser: it buffers without a limit, is a stream, so that the arrival time of the bytes
 * is lost, and does not count what it drops.
 */
import { textSample } from './sample.ts';

/** The longest line in bytes, without its LF (a CR before it counts). */
export const MAX_LINE_BYTES = 4096;
/** What is held of a line at first: most are no longer. */
const USUAL_LINE_BYTES = 512;

/** A discarded run is told once, at its end; one that has no end is told each time it has grown by so much. */
export const MAX_RUN_BYTES = 1024 * 1024;

export interface LineSink {
  /** `bytes` is what the line took on the wire, terminator included. Invalid UTF-8 has become U+FFFD. */
  line(text: string, bytes: number, raw: Uint8Array): void;
  tooLong(bytes: number, sample: string): void;
}

export interface LineSplitter {
  push(bytes: Uint8Array): void;
  /** What is left counts as a line: many recordings end without a LF. */
  end(): void;
  readonly heldBytes: number;
}

const LF = 0x0a;

export function createLines(sink: LineSink): LineSplitter {
  let held = Buffer.allocUnsafe(USUAL_LINE_BYTES);
  let length = 0;
  /** Bytes of the over-long line that are not told yet, or null outside one. */
  let run: number | null = null;

  const hold = (bytes: Buffer, from: number, to: number) => {
    if (run === null) {
      const fits = Math.min(to - from, MAX_LINE_BYTES - length);
      if (length + fits > held.length) held = Buffer.concat([held.subarray(0, length)], MAX_LINE_BYTES);
      bytes.copy(held, length, from, from + fits);
      length += fits;
      if (fits === to - from) return;
      run = length;
      from += fits;
    }
    run += to - from;
    for (; run >= MAX_RUN_BYTES; run -= MAX_RUN_BYTES) sink.tooLong(MAX_RUN_BYTES, sampleOf());
  };
  const sampleOf = () => textSample(held.subarray(0, length));
  /** `terminator` is 1, or 0 at the end of the input. */
  const finish = (terminator: number) => {
    if (run === null) sink.line(held.toString('utf8', 0, length), length + terminator, held.subarray(0, length));
    else if (run + terminator > 0) sink.tooLong(run + terminator, sampleOf());
    run = null;
    length = 0;
  };

  return {
    push(input) {
      const bytes = Buffer.isBuffer(input) ? input : Buffer.from(input.buffer, input.byteOffset, input.byteLength);
      let from = 0;
      while (from < bytes.length) {
        const at = bytes.indexOf(LF, from);
        if (at < 0) return hold(bytes, from, bytes.length);
        if (length === 0 && run === null && at - from <= MAX_LINE_BYTES) {
          sink.line(bytes.toString('utf8', from, at), at - from + 1, bytes.subarray(from, at));
        } else {
          hold(bytes, from, at);
          finish(1);
        }
        from = at + 1;
      }
    },
    end() {
      if (length > 0) finish(0);
    },
    get heldBytes() {
      return length;
    },
  };
}
