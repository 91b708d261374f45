/**
 * What central has to say, until there is a link, bounded. Nothing hangs on it: whoever misses a message asks again (`sync`)
 * or sees the next.
 */
import type { MqttLink, Published } from '../../lib/mqtt-link.ts';

/** Messages that may wait; beyond it the oldest is left out. */
export const MAX_WAITING = 2_000;
/** Messages on the way to the broker at once, where it allows so many. */
export const MAX_IN_FLIGHT = 64;

/** What the outbox asks of a link. */
export type Postman = Pick<MqttLink, 'publish' | 'receiveMaximum'>;

export interface Outbox {
  /** Never waits, never throws. A message with the same `about` that still waits is out of date and left out. */
  put(topic: string, payload: string | (() => string), options: LetterOptions): void;
  /** Sends over this link until another is given or it ends. */
  attach(link: Postman): void;
  detach(): void;
  readonly waiting: number;
  /** Messages that were left out since the start. */
  readonly dropped: number;
}

export interface LetterOptions {
  readonly retain: boolean;
  readonly about?: string;
  /** Told once the broker has answered; not where the link ended before, or the message was left out. */
  readonly answered?: (published: Published) => void;
}

interface Letter extends LetterOptions {
  readonly topic: string;
  /** As a function it is made when it is sent: it may say how late that is. */
  readonly payload: string | (() => string);
}

export function createOutbox(): Outbox {
  const letters = new Map<string, Letter>();
  let link: Postman | null = null;
  let window = 0;
  let inFlight = 0;
  let dropped = 0;
  let serial = 0;

  const pump = () => {
    while (link !== null && inFlight < window) {
      const next = letters.entries().next().value;
      if (next === undefined) return;
      letters.delete(next[0]);
      send(link, next[1]);
    }
  };
  const send = (over: Postman, letter: Letter) => {
    inFlight += 1;
    const { topic, payload, retain, answered } = letter;
    over.publish(topic, typeof payload === 'string' ? payload : payload(), { qos: 1, retain }).then(
      (published) => {
        answered?.(published);
        settled(over);
      },
      // The link has ended: receive will tell why, and what matters is asked for again.
      () => settled(over),
    );
  };
  const settled = (over: Postman) => {
    if (over !== link) return;
    inFlight -= 1;
    pump();
  };
  return {
    put(topic, payload, options) {
      serial += 1;
      const key = options.about ?? `#${serial}`;
      letters.delete(key);
      letters.set(key, { topic, payload, ...options });
      if (letters.size > MAX_WAITING) {
        const [oldest] = letters.keys();
        if (oldest !== undefined) letters.delete(oldest);
        dropped += 1;
      }
      pump();
    },
    attach(to) {
      link = to;
      // A broker ends the link of who goes beyond its Receive Maximum. One is left for the goodbye.
      window = Math.max(1, Math.min(MAX_IN_FLIGHT, to.receiveMaximum - 1));
      inFlight = 0;
      pump();
    },
    detach() {
      link = null;
      inFlight = 0;
    },
    get waiting() {
      return letters.size;
    },
    get dropped() {
      return dropped;
    },
  };
}
