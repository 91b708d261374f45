/** What the API answers, as far as the page shows it. */

export interface Alert {
  readonly rule: string;
  readonly since: string;
  readonly text: string;
}

export interface Cat {
  readonly id: number;
  readonly name: string;
  readonly isMeowed: boolean;
  readonly location: string | null;
  readonly locationSince: string | null;
  readonly confidence?: number;
  readonly collar: string | null;
  readonly lastHeard: string | null;
  readonly meowsToday: number;
  readonly batteryLow: boolean;
  readonly silent: boolean;
  readonly alerts?: readonly Alert[];
}

export interface CatsAnswer {
  readonly simulated: boolean;
  readonly cats: readonly Cat[];
}

export interface PicturesAnswer {
  readonly pictures: readonly { readonly catId: number; readonly version: string }[];
}

export interface Source {
  readonly source?: unknown;
  readonly state?: unknown;
  readonly reason?: unknown;
  readonly readings?: unknown;
  readonly discarded?: unknown;
  readonly lostSamples?: unknown;
  readonly perSecond?: unknown;
  readonly lastReading?: unknown;
  readonly usb?: unknown;
}

/** The health message comes from the agent: every part of it may be missing or of another type. */
export interface Agent {
  readonly agent: string;
  readonly state: 'online' | 'offline' | 'unknown';
  readonly version: string;
  readonly signed: 'unsigned' | 'verified' | 'first-use' | 'revoked';
  readonly lastHeard: string | null;
  readonly lastStored: string | null;
  readonly health: Readonly<Record<string, unknown>> | null;
  readonly epochs: readonly {
    readonly epoch: string;
    readonly mark: number;
    readonly highestSeq: number;
    readonly missing: number;
    readonly chainOk: boolean;
  }[];
  readonly conflicts: number;
  readonly gaps: number;
  readonly quarantined: number;
}

export interface Unassigned {
  readonly collar: string;
  readonly lastSeen: string;
  readonly agent: string;
}

export interface AgentsAnswer {
  readonly simulated: boolean;
  readonly agents: readonly Agent[];
  readonly unassigned: readonly Unassigned[];
}

export interface CloudEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  readonly time: string;
  /** Absent where it is a corrected event told of by itself. */
  readonly clock?: 'synced' | 'unsynced';
  /** What the clock said before it was set: the time was corrected. */
  readonly originaltime?: string;
  readonly seq: number;
  readonly revoked?: boolean;
  /** The cat that it was given to. */
  readonly reassignedto?: number;
  /** Id and reason of the event that corrects it. */
  readonly correctedby?: string;
  readonly correction?: string;
  /** Of a sighting by which several agents together gave a cat its place. */
  readonly fusedcat?: number;
  readonly fusedfrom?: string;
  readonly fusedto?: string;
  readonly fusedpercent?: number;
  readonly fusedagents?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventsAnswer {
  readonly events: readonly CloudEvent[];
  readonly next: string;
}

/** Counts of one cat in one hour or day; `from` with the offset of the zone. */
export interface StatsRow {
  readonly from: string;
  readonly catId: number;
  readonly events: number;
}

export interface StatsAnswer {
  /** The zone whose hours and days are meant. */
  readonly tz: string;
  readonly rows: readonly StatsRow[];
}

export interface StateAnswer extends CatsAnswer {
  readonly at: string;
}

export interface ModelsAnswer {
  readonly skipped: readonly {
    readonly type: string;
    readonly version: number;
    readonly events: number;
    readonly needed: boolean;
    readonly reason: string;
  }[];
  readonly webhooks: { readonly waiting: number; readonly dead: number; readonly dropped: number };
  readonly stopped: { readonly id: string; readonly agent: string; readonly reason: string } | null;
}

export interface Gap {
  readonly epoch: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  /** Null: awaited. */
  readonly reason: string | null;
  readonly noted: string | null;
}

export interface CentralAnswer {
  readonly shared: boolean;
  readonly concerns: readonly string[];
  readonly workers: readonly {
    readonly id: string;
    readonly host: string;
    readonly version: string;
    readonly heardAt: string;
    readonly isThere: boolean;
    readonly leads: boolean;
    readonly shards: number;
  }[];
  readonly shards: readonly {
    readonly shard: string;
    readonly worker: string | null;
    readonly arrived: number;
    readonly positioned: number;
    readonly projected: number;
    readonly waiting: number;
    readonly awaited: number;
    readonly epochs: readonly { readonly agent: string }[];
  }[];
}

export interface Rule {
  readonly rule: 'shaking' | 'still' | 'silent' | 'battery';
  /** Of this cat alone. */
  readonly own: boolean;
  readonly meows?: number;
  readonly seconds?: number;
  readonly withinMinutes?: number;
  readonly hours?: number;
}

export interface ActivityAnswer {
  readonly rules: readonly Rule[];
}

/** An event that does not count for a cat any more. */
export interface Corrected {
  readonly id: string;
  readonly timestamp: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly correction: { readonly by: string; readonly catId: number | null; readonly reason: string };
}

export interface HistoryAnswer {
  readonly corrected: readonly Corrected[];
}

/** Start and end in milliseconds after `fromMs`; null: not ended. */
export type ComparedShake = readonly [startMs: number, endMs: number | null];

export interface ComparedChange {
  readonly what: 'added' | 'removed' | 'moved';
  readonly before: ComparedShake | null;
  readonly after: ComparedShake | null;
}

/** What other settings would have made of kept readings. */
export interface Compared {
  readonly collar: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly coveredMs: number;
  readonly levels: readonly number[];
  readonly past: readonly ComparedShake[];
  readonly anew: readonly ComparedShake[];
  readonly changes: readonly ComparedChange[];
  readonly added: number;
  readonly removed: number;
  readonly moved: number;
  readonly same: number;
  readonly own: Readonly<Record<string, number>>;
}

/** The last minute of a collar, in the clock of its agent. */
export interface LiveTrace {
  readonly nowMs: number;
  readonly columnMs: number;
  readonly measure: 'acceleration' | 'level' | 'edges' | null;
  readonly borders: { readonly onOdds: number | null; readonly offOdds: number | null; readonly level: number };
  readonly columns: readonly {
    readonly no: number;
    readonly level: number;
    readonly odds: number | null;
    readonly shaking: boolean;
  }[];
  readonly bursts: readonly { readonly startMs: number; readonly endMs: number | null }[];
  readonly rateHz: number | null;
  readonly restG: number | null;
  readonly warnings: readonly string[];
}
