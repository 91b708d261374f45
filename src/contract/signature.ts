/**
 * Who wrote a history: Ed25519 over the head of a chain. What a signature proves, and when:
 *
 * * A batch is proven by itself. Its last event carries `signature` over (agent, epoch, seq, chain), and `chainbefore`, the
 *   chain before its first event. Central hashes the events onto `chainbefore`; where that gives the signed `chain`, nobody but
 *   the holder of the key can have written them: any other event, order or `chainbefore` would be another SHA-256. So it does
 *   not matter whether what came before has arrived.
 * * Everything below is proven when the mark reaches the batch with an intact chain (`chain_ok`), also what was taken unsigned.
 * * A `sync` is signed as a whole: what it says of `firstSeq` makes gaps.
 * * State, health and answers are not signed; neither says anything of events.
 *
 * A statement is the UTF-8 of a JSON array that begins with its kind, so that none can be taken for another.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { type ChainHash, chainHex, chainOver, parseChainHex } from './chain.ts';
import type { StoredEvent } from './event.ts';

const HEAD = 'collard/head/1';
const SYNC = 'collard/sync/1';
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** The raw 32 bytes of an Ed25519 public key. */
export type PublicKey = Uint8Array;

/** The key of an agent with its private half. */
export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: PublicKey;
  readonly keyId: string;
}

/** What the last event of a signed batch carries beside `chain`. */
export interface BatchProof {
  /** chain before the first event of the batch. */
  readonly before: ChainHash;
  readonly signature: Uint8Array;
  readonly keyId: string;
}

/** What a signed `sync` carries. */
export interface SyncProof {
  readonly key: PublicKey;
  readonly signature: Uint8Array;
}

/** Where a history begins and ends, by `sync`. */
export interface Extent {
  readonly epoch: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** chain at `lastSeq`. */
  readonly chain: ChainHash;
}

/** A run of events with the chain at its end. */
export interface ChainedEvents {
  readonly agent: string;
  readonly events: readonly StoredEvent[];
  readonly chain: ChainHash;
}

/** Names a key where the key itself is too long: 16 hex digits of its SHA-256. */
export function keyIdOf(key: PublicKey): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 16);
}

export function signBatch(key: SigningKey, batch: ChainedEvents, before: ChainHash): BatchProof {
  return { before, signature: sign(null, headOf(batch), key.privateKey), keyId: key.keyId };
}

export function signSync(key: SigningKey, agent: string, extent: Extent): SyncProof {
  return { key: key.publicKey, signature: sign(null, syncOf(agent, extent), key.privateKey) };
}

/** Did the holder of `key` write exactly these events under these numbers? */
export function provesBatch(key: PublicKey, batch: ChainedEvents, proof: BatchProof): boolean {
  if (!isSigned(key, headOf(batch), proof.signature)) return false;
  return chainHex(chainOver(proof.before, batch.events)) === chainHex(batch.chain);
}

/** Did the holder of the key in `proof` say this? Whether it is the agent's key is for the caller to know. */
export function provesSync(agent: string, extent: Extent, proof: SyncProof): boolean {
  return isSigned(proof.key, syncOf(agent, extent), proof.signature);
}

/** The attributes of the last event. */
export function encodeBatchProof({ before, signature, keyId }: BatchProof): Readonly<Record<string, string>> {
  return { chainbefore: chainHex(before), signature: encodeBase64url(signature), keyid: keyId };
}

/** Null where the event carries no proof, or none that can be read. */
export function decodeBatchProof(event: Readonly<Record<string, unknown>>): BatchProof | null {
  const before = parseChainHex(event.chainbefore);
  const signature = decodeBase64url(event.signature, SIGNATURE_BYTES);
  const { keyid: keyId } = event;
  if (before === null || signature === null || typeof keyId !== 'string' || !/^[0-9a-f]{16}$/.test(keyId)) return null;
  return { before, signature, keyId };
}

export function encodeSyncProof({ key, signature }: SyncProof): Readonly<Record<string, string>> {
  return { key: encodeBase64url(key), signature: encodeBase64url(signature) };
}

export function decodeSyncProof(sync: Readonly<Record<string, unknown>>): SyncProof | null {
  const key = decodeBase64url(sync.key, KEY_BYTES);
  const signature = decodeBase64url(sync.signature, SIGNATURE_BYTES);
  return key === null || signature === null ? null : { key, signature };
}

/** The text of a public key, as agents print it and people pass it on. */
export function encodePublicKey(key: PublicKey): string {
  return encodeBase64url(key);
}

/** Null where the text is no Ed25519 public key. Takes plain base64 too. */
export function parsePublicKey(text: string): PublicKey | null {
  return decodeBase64url(text.trim().replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''), KEY_BYTES);
}

function headOf({ agent, events, chain }: ChainedEvents): Uint8Array {
  const last = events.at(-1);
  return statement([HEAD, agent, last?.epoch ?? '', last?.seq ?? 0, chainHex(chain)]);
}

function syncOf(agent: string, { epoch, firstSeq, lastSeq, chain }: Extent): Uint8Array {
  return statement([SYNC, agent, epoch, firstSeq, lastSeq, chainHex(chain)]);
}

function statement(fields: readonly (string | number)[]): Uint8Array {
  return Buffer.from(JSON.stringify(fields), 'utf8');
}

function isSigned(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: encodeBase64url(key) };
  return verify(null, message, createPublicKey({ key: jwk, format: 'jwk' }), signature);
}

function encodeBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/** One text for the same bytes: what another text decodes to is refused. */
function decodeBase64url(text: unknown, length: number): Uint8Array | null {
  if (typeof text !== 'string' || text.length > 2 * length) return null;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.byteLength === length && bytes.toString('base64url') === text ? bytes : null;
}
