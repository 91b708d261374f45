/** The answer to a watch: JSON objects, one a line, for as long as the connection lives. */
import { decodeEntry, type KeyValue, type WireEntry } from './entry.ts';

/** One answer that is longer than this is none. */
export const MAX_FRAME_CHARACTERS = 16 * 1024 * 1024;

export interface Change {
  readonly type: 'put' | 'delete';
  /** Of a deletion the key only. */
  readonly entry: KeyValue;
}

interface Frame {
  readonly result?: {
    readonly canceled?: boolean;
    readonly events?: readonly { readonly type?: string; readonly kv: WireEntry }[];
  };
}

/** Ends where the stream ends, the server cancels the watch (what was asked for is compacted) or says something else. */
export async function* watchFrames(body: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Change[]> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true });
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    if (text.length > MAX_FRAME_CHARACTERS) return;
    for (const line of lines) {
      const { result } = JSON.parse(line) as Frame;
      if (result === undefined || result.canceled === true) return;
      // An absent type means PUT.
      const changes = (result.events ?? []).map(
        ({ type, kv }): Change => ({ type: type === 'DELETE' ? 'delete' : 'put', entry: decodeEntry(kv) }),
      );
      if (changes.length > 0) yield changes;
    }
  }
}
