/**
 * Whom central believes: looks at every message before it reaches the store. An agent that has a key must sign with it, and
 * an agent whose keys are all revoked is not heard at all. Reads the keys anew for each message, so that what a person decides
 * holds from the next message on. What a signature proves says `contract/signature.ts`.
 */
import type { Logger } from 'pino';
import type { SyncMessage } from '../contract/message.ts';
import { encodePublicKey, keyIdOf, provesBatch, provesSync } from '../contract/signature.ts';
import type { SortedBatch } from '../contract/sorted-batch.ts';
import type { CentralConfig } from './config.ts';
import type { AgentKey, KeyStore } from './store/key-store.ts';
import type { Received } from './subscriber/message.ts';

export interface TrustParts {
  readonly store: KeyStore;
  readonly policy: CentralConfig['trust']['keys'];
  readonly logger: Pick<Logger, 'warn'>;
  readonly clock: () => Date;
}

export type Doubted = 'batch' | 'sync' | 'state' | 'health';

/** What came, or why it is not believed. */
export type Admitted = Received | { readonly type: 'doubted'; readonly what: Doubted; readonly reason: string };

export interface Trust {
  /** Rejects with what the store rejects with. */
  admit(received: Received): Promise<Admitted>;
}

export function createTrust(parts: TrustParts): Trust {
  return {
    async admit(received) {
      if (received.type === 'empty' || received.type === 'unreadable') return received;
      const reason = await doubt(parts, received);
      return reason === null ? received : { type: 'doubted', what: received.type, reason };
    },
  };
}

type Spoken = Extract<Received, { readonly type: Doubted }>;

/** Null: it may be taken in. */
async function doubt(parts: TrustParts, received: Spoken): Promise<string | null> {
  const { store, policy } = parts;
  const agent = received.type === 'batch' ? received.batch.agent : received.agent;
  const keys = await store.keys(agent);
  switch (received.type) {
    case 'batch':
      if (keys.length > 0) return doubtBatch(received.batch, keys);
      return policy === 'required' ? noKey(agent) : null;
    case 'sync':
      if (keys.length > 0) return doubtSync(agent, received.message, keys);
      if (policy === 'required') return noKey(agent);
      return policy === 'first-use' ? await meet(parts, agent, received.message) : null;
    // Not signed: shown, and nothing hangs on it.
    case 'state':
    case 'health':
      return keys.length > 0 && keys.every(isRevoked) ? `${agent} has no key that is not revoked` : null;
  }
}

function doubtBatch(batch: SortedBatch, keys: readonly AgentKey[]): string | null {
  const { agent, proof, chain, chained } = batch;
  if (proof === undefined) return unsigned(agent, keys);
  const key = keys.find(({ keyId }) => keyId === proof.keyId);
  if (key === undefined) return `signed with key ${proof.keyId}, which is not enrolled for ${agent}`;
  if (isRevoked(key)) return `signed with key ${key.keyId} of ${agent}, which is revoked`;
  // A bad item may be the agent's own: its signature tells, as long as what it hashed can be read.
  const proven = chain !== null && chained !== null && provesBatch(key.key, { agent, events: chained, chain }, proof);
  return proven ? null : `the signature of ${agent} does not prove these events`;
}

function doubtSync(agent: string, message: SyncMessage, keys: readonly AgentKey[]): string | null {
  const { proof } = message;
  if (proof === undefined) return unsigned(agent, keys);
  const keyId = keyIdOf(proof.key);
  const key = keys.find((known) => encodePublicKey(known.key) === encodePublicKey(proof.key));
  if (key === undefined) return `signed with key ${keyId}, which is not enrolled for ${agent}`;
  if (isRevoked(key)) return `signed with key ${keyId} of ${agent}, which is revoked`;
  return provesSync(agent, message, proof) ? null : `the signature of ${agent} does not prove this sync`;
}

/** The first signed word of an agent makes its key known. An agent that does not sign is taken as it is. */
async function meet({ store, logger, clock }: TrustParts, agent: string, message: SyncMessage): Promise<string | null> {
  const { proof } = message;
  if (proof === undefined) return null;
  if (!provesSync(agent, message, proof)) return `the signature of ${agent} does not prove this sync`;
  let key: AgentKey | null;
  try {
    key = await store.enrollKey(agent, proof.key, 'first-use', clock().toISOString());
  } catch (error) {
    // One agent too many: a stranger's flood of names stops nobody.
    if (error instanceof Error && 'code' in error && error.code === 'REFUSED') return error.message;
    throw error;
  }
  // Another one was enrolled since we looked: it is that one which decides.
  if (key === null) return doubtSync(agent, message, await store.keys(agent));
  logger.warn(
    { agent, keyId: key.keyId },
    `the first key of ${agent} is taken on trust: compare it with collard agent key`,
  );
  return null;
}

function isRevoked({ revokedAt }: AgentKey): boolean {
  return revokedAt !== null;
}

function unsigned(agent: string, keys: readonly AgentKey[]): string {
  return `unsigned, and ${agent} ${keys.every(isRevoked) ? 'has no key that is not revoked' : 'has an enrolled key'}`;
}

function noKey(agent: string): string {
  return `${agent} has no enrolled key: collard central enroll --agent ${agent} --key KEY`;
}
