/**
 * What central has to say, until there is a link, bounded. Nothing hangs on it: whoever misses a message asks again (`sync`)
 * or sees the next.
 */
import type { MqttLink } from '../../lib/mqtt-link.ts';

/** Messages that may wait; beyond it the oldest is left out. */
export const MAX_WAITING = 2_000;
/** Messages on the way to the broker at once, where it allows so many. */
export const MAX_IN_FLIGHT = 64;

/** What the outbox asks of a link. */
export type Postman = Pick<MqttLink, 'publish' | 'receiveMaximum'>;

export interface Outbox {
  /** Never waits, never throws. A message with the same `about` that still waits is out of date and left out. */
  put(topic: string, payload: string, options: { readonly retain: boolean; readonly about?: string }): void;
  /** Sends over this link until another is given or it ends. */
  attach(link: Postman): void;
  detach(): void;
  readonly waiting: number;
  /** Messages that were left out since the start. */
  readonly dropped: number;
}

interface Letter {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
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
    over.publish(letter.topic, letter.payload, { qos: 1, retain: letter.retain }).then(
      () => settled(over),
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
    put(topic, payload, { retain, about }) {
      serial += 1;
      const key = about ?? `#${serial}`;
      letters.delete(key);
      letters.set(key, { topic, payload, retain });
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
