/** Keys for tests, and batches that are signed with them. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type ChainHash, chainOver, chainStart } from '../../src/contract/chain.ts';
import type { EventBatch } from '../../src/contract/envelope.ts';
import type { SyncMessage } from '../../src/contract/message.ts';
import { type Extent, keyIdOf, type SigningKey, signBatch, signSync } from '../../src/contract/signature.ts';

export function newKey(): SigningKey {
  return asSigningKey(generateKeyPairSync('ed25519').privateKey);
}

export function keyOf(d: string, x: string): SigningKey {
  return asSigningKey(createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x }, format: 'jwk' }));
}

function asSigningKey(privateKey: KeyObject): SigningKey {
  const publicKey = Buffer.from(privateKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  return { privateKey, publicKey, keyId: keyIdOf(publicKey) };
}

/** The batch with its proof; `before` of a batch from seq 1 on is known. */
export function signed(key: SigningKey, batch: EventBatch, before?: ChainHash): EventBatch {
  const start = chainStart(batch.agent, batch.events[0]?.epoch ?? '');
  return { ...batch, proof: signBatch(key, batch, before ?? start) };
}

export function signedSync(key: SigningKey, agent: string, extent: Extent): SyncMessage {
  return { ...extent, proof: signSync(key, agent, extent) };
}

/** A batch whose events may begin anywhere. */
export function chained(agent: string, events: EventBatch['events'], before: ChainHash): EventBatch {
  return { agent, events, chain: chainOver(before, events) };
}
