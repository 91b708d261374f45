/** What a source gives to the ingest loop. A source reopens by itself; it ends only with its signal or its file. */
import type { UsbIdentity } from '../../contract/message.ts';

export type SourceInput =
  | { readonly type: 'bytes'; readonly bytes: Uint8Array; readonly atMs: number }
  /** The device is open (again). */
  | { readonly type: 'opened' }
  /** The device could not be opened, went away, or has been silent too long. Said once per change. */
  | { readonly type: 'failed'; readonly reason: string }
  /** A capture file has been read to its end. */
  | { readonly type: 'ended' };

export interface Source {
  /** As in the configuration: the path of the port or file. */
  readonly name: string;
  /** The bytes were recorded: their times are in them, and count from the start of the recording. */
  readonly recorded?: boolean;
  /** Ends when the signal aborts, or after `ended`. Buffers at most its named limit; what overflows is counted. */
  inputs(signal: AbortSignal): AsyncIterable<SourceInput>;
  /** Bytes that had to be thrown away because the loop did not keep up. */
  readonly overrunBytes: number;
  /** Sends to the device. False: it is not open, or does not take what was sent before. Absent: it only speaks. */
  readonly write?: (bytes: Uint8Array) => boolean;
  /** The USB device behind it, once it has been open. */
  readonly usb?: UsbIdentity | null;
}
