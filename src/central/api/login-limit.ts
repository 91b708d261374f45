/** How often a password may be tried. In this process, in memory: a start forgets it. */
import { isIPv6 } from 'node:net';

/** Of one address (of IPv6: of one network of 64 bits), and of all together, in a window. */
export const MAX_TRIES = 10;
export const MAX_TRIES_OF_ALL = 100;
export const WINDOW_MS = 15 * 60_000;
/** Addresses that are remembered. Of more, the one that came first is forgotten; the limit for all still holds. */
export const MAX_ADDRESSES = 1_000;

interface Tries {
  count: number;
  readonly sinceMs: number;
}

export interface LoginLimit {
  /** Counts a try before it is looked at, so that many at once are no way round. Null: go on; else after so many seconds. */
  take(address: string): number | null;
  /** It was the right one: it counts for nothing, and what this address tried before is forgotten. */
  forget(address: string): void;
}

export function createLoginLimit(nowMs: () => number): LoginLimit {
  const addresses = new Map<string, Tries>();
  let all: Tries = { count: 0, sinceMs: Number.NEGATIVE_INFINITY };
  const isOver = ({ sinceMs }: Tries, now: number) => now - sinceMs >= WINDOW_MS || now < sinceMs;
  return {
    take(address) {
      const now = nowMs();
      const key = networkOf(address);
      if (isOver(all, now)) all = { count: 0, sinceMs: now };
      let own = addresses.get(key);
      if (own === undefined || isOver(own, now)) {
        addresses.delete(key);
        const [oldest] = addresses.keys();
        if (addresses.size >= MAX_ADDRESSES && oldest !== undefined) addresses.delete(oldest);
        own = { count: 0, sinceMs: now };
        addresses.set(key, own);
      }
      const full = own.count >= MAX_TRIES ? own : all.count >= MAX_TRIES_OF_ALL ? all : null;
      if (full !== null) return Math.ceil((full.sinceMs + WINDOW_MS - now) / 1_000);
      own.count += 1;
      all.count += 1;
      return null;
    },
    forget(address) {
      addresses.delete(networkOf(address));
      all.count = Math.max(0, all.count - 1);
    },
  };
}

function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = Array.from({ length: tail === undefined ? 0 : 8 - left.length - right.length }, () => '0');
  return [...left, ...gap, ...right]
    .slice(0, 4)
    .map((part) => part.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':');
}
