/** A map that never holds more than its limit: strangers choose the keys, so the oldest key goes when a new one comes. */

/** Collars that a decoder remembers at once. More than any house has; a flood of made-up ids costs no more memory. */
export const MAX_COLLARS = 1024;

export interface BoundedMap<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  /** As `set`, and the key is the youngest again. */
  renew(key: K, value: V): void;
  readonly size: number;
}

/** Evicts by age of the key, not by use: a collar that is evicted and heard again only starts anew. */
export function createBoundedMap<K, V>(limit: number): BoundedMap<K, V> {
  const map = new Map<K, V>();
  const set = (key: K, value: V) => {
    map.set(key, value);
    if (map.size <= limit) return;
    for (const oldest of map.keys()) {
      map.delete(oldest);
      return;
    }
  };
  return {
    get: (key) => map.get(key),
    set,
    renew(key, value) {
      map.delete(key);
      set(key, value);
    },
    get size() {
      return map.size;
    },
  };
}
