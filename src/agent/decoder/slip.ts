/**
 * SLIP (RFC 1055): frames between END bytes, END and ESC inside escaped. Bounded: a frame longer than the limit, or with
 * a broken escape, is discarded as a whole and decoding goes on at the next END, which is never part of a frame.
 * A discard counts the bytes as they were on the wire, escapes and the closing END included; an END that closes nothing
 * is a separator and belongs to neither.
 *
 * Why not serialport's SlipEncodingDecoder: it buffers without a limit, is a stream, so that the arrival time of the
 * bytes is lost, and does not count what it drops.
 */
import { MAX_RUN_BYTES } from './lines.ts';

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

export interface SlipSink {
  /** `payload` is a view that is only valid during the call. `bytes` is what the frame took on the wire. */
  frame(payload: Uint8Array, bytes: number): void;
  discard(reason: 'bad-escape' | 'too-long', bytes: number, head: Uint8Array): void;
}

export interface SlipDecoder {
  push(bytes: Uint8Array): void;
  /** What is left without its END is handed on as a frame: its CRC decides. */
  end(): void;
  readonly heldBytes: number;
}

/** `maxBytes` is the longest frame, unescaped. */
export function createSlip(maxBytes: number, sink: SlipSink): SlipDecoder {
  const held = new Uint8Array(maxBytes);
  let length = 0;
  /** Bytes of the open frame on the wire that are not told yet. */
  let wire = 0;
  let escaped = false;
  let fault: 'bad-escape' | 'too-long' | null = null;
  /** By their length: a view for each frame would cost more than reading it. */
  const views: Uint8Array[] = [];
  const payload = (): Uint8Array => {
    const view = views[length] ?? held.subarray(0, length);
    views[length] = view;
    return view;
  };

  /** `terminator` is 1, or 0 at the end of the input. */
  const finish = (terminator: number) => {
    if (escaped) fault ??= 'bad-escape';
    if (fault !== null) sink.discard(fault, wire + terminator, payload());
    else if (wire > 0) sink.frame(payload(), wire + terminator);
    length = 0;
    wire = 0;
    escaped = false;
    fault = null;
  };

  const take = (byte: number) => {
    if (fault !== null) {
      if (wire >= MAX_RUN_BYTES) {
        sink.discard(fault, wire, payload());
        wire = 0;
      }
      return;
    }
    let value = byte;
    if (escaped) {
      escaped = false;
      if (byte === ESC_END) value = END;
      else if (byte === ESC_ESC) value = ESC;
      else {
        fault = 'bad-escape';
        return;
      }
    } else if (byte === ESC) {
      escaped = true;
      return;
    }
    if (length === maxBytes) fault = 'too-long';
    else held[length++] = value;
  };

  return {
    push(bytes) {
      for (let i = 0; i < bytes.length; i++) {
        const byte = bytes[i] as number;
        if (byte === END) finish(1);
        else {
          wire++;
          take(byte);
        }
      }
    },
    end() {
      if (wire > 0) finish(0);
    },
    get heldBytes() {
      return length;
    },
  };
}
