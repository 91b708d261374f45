/** What comes and is not ours: it was asked for beside our topics, or an old session still has a subscription to it. */
import type { Incoming } from '../../lib/mqtt-link.ts';

/** What others say that is longer is none of the short words that are listened for. */
const MAX_WORD_BYTES = 1_024;

/** The messages below `base`. The others are let go, and told unless they are retained: then they are of the past. */
export function withoutOthers(
  base: string,
  messages: readonly Incoming[],
  heard: (topic: string, payload: string) => void = () => undefined,
): readonly Incoming[] {
  return messages.filter(({ topic, payload, retained, done }) => {
    if (topic.startsWith(`${base}/`)) return true;
    if (!retained && payload.byteLength <= MAX_WORD_BYTES) heard(topic, Buffer.from(payload).toString());
    done();
    return false;
  });
}
