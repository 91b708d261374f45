/** What the store promises of a database that goes away and comes back. */

/**
 * Every function may reject with code STORE_AWAY: the database cannot be reached or cannot write now. Whether what was under way is
 * stored is not known then.
 */
export interface RecoverableStore {
  /**
   * Aborted, with an error of code STORE_FAILED, once what is stored cannot be trusted any more: a flush failed, or what was read back is
   * damaged. All that is asked of the store from then on is rejected with it; only another process may look at what there is.
   */
  readonly lost: AbortSignal;
  /** After STORE_AWAY: resolves once the database is there again, whichever it is. Rejects with STORE_AWAY where it is not. */
  recover(): Promise<void>;
  /**
   * It was put back or copied, and its own marks may not tell: from now on it is another incarnation, to which it resolves. Agents send
   * what it misses once they hear that from a central that was started since; what central says itself is of a new epoch at once.
   */
  restored(): Promise<string>;
}
