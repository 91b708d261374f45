/** What the store promises of keys. Asked by the receive loop about every message, written by the API. */
import type { PublicKey } from '../../contract/signature.ts';

/** A public key of an agent. */
export interface AgentKey {
  readonly agent: string;
  readonly key: PublicKey;
  readonly keyId: string;
  readonly how: 'enrolled' | 'first-use';
  /** When it was enrolled. */
  readonly since: string;
  readonly revokedAt: string | null;
}

/** Who may sign as whom. */
export interface KeyStore {
  /** Of one agent or of all, revoked ones too. */
  keys(agent?: string): Promise<readonly AgentKey[]>;
  /**
   * Null: by first use where there is a key already, revoked or not; nothing is changed. A person's word enrols a revoked key
   * again. Rejects with code `TOO_MANY_KEYS`, or `REFUSED` beyond the limit of agents.
   */
  enrollKey(agent: string, key: PublicKey, how: AgentKey['how'], now: string): Promise<AgentKey | null>;
  /** One key, or all where `keyId` is null. Resolves to those that were valid until now. */
  revokeKeys(agent: string, keyId: string | null, now: string): Promise<readonly AgentKey[]>;
}
