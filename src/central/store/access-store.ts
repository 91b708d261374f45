/** What the store promises of those who may use page and API: one password, the sessions it opened, tokens. Only hashes are kept. */

/** `command` may read, too. */
export type Scope = 'read' | 'command';

export interface TokenRow {
  readonly name: string;
  readonly scope: Scope;
  readonly created: string;
  /** To the minute; null: never. */
  readonly lastUsed: string | null;
}

export interface SessionRow {
  readonly openedMs: number;
  /** When it was last used, to the minute. */
  readonly seenMs: number;
}

/** Read by every process that serves, at every request: what one of them or a command changes holds for all at once. */
export interface AccessStore {
  /** As `password.ts` wrote it; null where none is set. */
  passwordHash(): Promise<string | null>;
  /** Null takes it away. All sessions end with it, in the same transaction. */
  setPassword(hash: string | null): Promise<void>;
  /**
   * `passwordHash`: the one that was just verified; false, and no session, where it is another by now. Beyond `MAX_SESSIONS` the
   * one that was not used for longest ends.
   */
  openSession(id: string, passwordHash: string, nowMs: number): Promise<boolean>;
  session(id: string): Promise<SessionRow | null>;
  seeSession(id: string, nowMs: number): Promise<void>;
  endSession(id: string): Promise<void>;
  /** Rejects with code TOKEN_EXISTS or TOO_MANY_TOKENS. */
  addToken(token: { readonly name: string; readonly scope: Scope; readonly hash: string }, now: string): Promise<void>;
  /** By name. */
  tokens(): Promise<readonly TokenRow[]>;
  tokenOf(hash: string): Promise<TokenRow | null>;
  seeToken(hash: string, now: string): Promise<void>;
  /** Was there one of this name? */
  revokeToken(name: string): Promise<boolean>;
}
