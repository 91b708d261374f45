/**
 * The hash chain over an epoch. Both sides compute it from what they stored, and so prove that they hold the same history:
 * chain(n) = SHA-256(chain(n-1) ‖ UTF-8 of JSON.stringify([epoch, seq, type, version, subject, time, clock, boot, monoMs, data])),
 * chain(0) = SHA-256(agent ‖ epoch). 32 raw bytes inside, lower-case hex on the wire.
 */
import { createHash } from 'node:crypto';
import type { StoredEvent } from './event.ts';

export type ChainHash = Uint8Array;

/** A chain that is known already. */
export interface ChainPoint {
  readonly seq: number;
  readonly chain: ChainHash;
}

/** chain(0) of an epoch. */
export function chainStart(agent: string, epoch: string): ChainHash {
  return createHash('sha256').update(agent, 'utf8').update(epoch, 'utf8').digest();
}

/** chain(n) from chain(n-1) and event n. `data` is spliced in as text: it is compact JSON already. */
export function chainNext(previous: ChainHash, event: StoredEvent): ChainHash {
  const { epoch, seq, type, version, subject, time, clock, boot, monoMs, data } = event;
  const fields = JSON.stringify([epoch, seq, type, version, subject, time, clock, boot, monoMs]);
  return createHash('sha256')
    .update(previous)
    .update(`${fields.slice(0, -1)},${data}]`, 'utf8')
    .digest();
}

/** chain over several events that follow each other. */
export function chainOver(start: ChainHash, events: Iterable<StoredEvent>): ChainHash {
  let hash = start;
  for (const event of events) hash = chainNext(hash, event);
  return hash;
}

export function chainHex(hash: ChainHash): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString('hex');
}

/** Raw bytes of a chain in hex, or null where the text is no such hash. */
export function parseChainHex(text: unknown): ChainHash | null {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, 'hex') : null;
}
