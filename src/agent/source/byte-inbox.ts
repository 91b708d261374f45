/** Between a driver's callbacks and the loop that reads: chunks with their arrival, bounded in bytes. */

export interface Chunk {
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

export interface ByteInbox {
  /** False when there is no room: the chunk is thrown away, its bytes are counted. */
  push(chunk: Chunk): boolean;
  /** No more chunks come, for this reason; the first one counts. What waits is still taken. */
  end(reason: string): void;
  /** The oldest chunk; or how the wait ended: nothing came in `withinMs`, the driver ended, the signal aborted. */
  take(withinMs: number, signal: AbortSignal): Promise<Taken>;
  readonly overrunBytes: number;
  /** So many more bytes would be taken. */
  readonly roomBytes: number;
}

export type Taken =
  | { readonly type: 'chunk'; readonly chunk: Chunk }
  | { readonly type: 'ended'; readonly reason: string }
  | { readonly type: 'nothing' }
  | { readonly type: 'aborted' };

/** `limitBytes`: so much waits at most. */
export function createByteInbox(limitBytes: number): ByteInbox {
  const chunks: Chunk[] = [];
  let waiting = 0;
  let overrun = 0;
  let ended: { readonly reason: string } | null = null;
  let wake: () => void = () => undefined;
  const now = (): Taken | null => {
    const chunk = chunks.shift();
    if (chunk !== undefined) {
      waiting -= chunk.bytes.byteLength;
      return { type: 'chunk', chunk };
    }
    return ended === null ? null : { type: 'ended', reason: ended.reason };
  };
  return {
    push(chunk) {
      if (ended !== null) return false;
      if (waiting + chunk.bytes.byteLength > limitBytes) {
        overrun += chunk.bytes.byteLength;
        return false;
      }
      chunks.push(chunk);
      waiting += chunk.bytes.byteLength;
      wake();
      return true;
    },
    end(reason) {
      ended ??= { reason };
      wake();
    },
    async take(withinMs, signal) {
      if (signal.aborted) return { type: 'aborted' };
      const ready = now();
      if (ready !== null) return ready;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => wake(), withinMs);
        wake = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', wake);
          wake = () => undefined;
          resolve();
        };
        signal.addEventListener('abort', wake, { once: true });
      });
      return signal.aborted ? { type: 'aborted' } : (now() ?? { type: 'nothing' });
    },
    get overrunBytes() {
      return overrun;
    },
    get roomBytes() {
      return ended === null ? limitBytes - waiting : 0;
    },
  };
}
