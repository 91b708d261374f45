/** What several centrals that share a store ask of it: who may write what, who is there, and how far each shard has come. */

export interface Claim {
  /** Null: one more than the highest so far. */
  readonly token: number | null;
  /** For people. */
  readonly owner: string;
}

export interface WorkerRow {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** Where its page is. */
  readonly http: string;
  readonly version: string;
  readonly startedAt: string;
  readonly heardAt: string;
}

export interface ShardRow {
  readonly shard: number;
  /** Null: a central that runs alone, or nobody yet. */
  readonly owner: string | null;
  readonly token: number;
  /** Events that are stored; that are in their agents' order; that the models have seen. */
  readonly arrived: number;
  readonly positioned: number;
  readonly projected: number;
  /** The time of the first event that the models have not seen, or null. */
  readonly oldestWaiting: string | null;
  readonly epochs: readonly {
    readonly agent: string;
    readonly epoch: string;
    readonly mark: number;
    /** The highest seq that is known to exist. */
    readonly highestSeq: number;
  }[];
}

export interface SharedStore {
  /**
   * From now on only this token, or a higher one, writes events of the shard. Resolves to the token. Rejects with code FENCED where
   * a higher one is there.
   */
  takeShard(shard: number, claim: Claim): Promise<number>;
  /** The same for what one process does for all: fold, tell, retain. */
  takeLead(claim: Claim): Promise<number>;
  /** No token in the store is higher. */
  highestToken(): Promise<number>;
  /** Changes whenever any process has stored or folded something that people see. */
  pulse(): Promise<string>;
  /** Notes that this one is there, and forgets those that were not for a day. */
  saveWorker(worker: WorkerRow): Promise<void>;
  removeWorker(id: string): Promise<void>;
  status(): Promise<StoreStatus>;
}

/** What `collard central status` shows. */
export interface StoreStatus {
  readonly lead: { readonly owner: string | null; readonly token: number } | null;
  readonly workers: readonly WorkerRow[];
  /** Those that were ever written to. */
  readonly shards: readonly ShardRow[];
}
