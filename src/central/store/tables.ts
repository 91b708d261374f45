/** The tables of the central store, as `migrations.ts` makes them. Flags are 0 or 1, hashes lower-case hex. */

export interface EventTable {
  epoch_no: number;
  seq: number;
  agent_no: number;
  shard: number;
  arrival: number;
  position: number | null;
  type: string;
  version: number;
  subject: string | null;
  /** The cat that the event itself names, by data or subject. */
  cat_id: number | null;
  time: string;
  clock: string;
  boot: string | null;
  mono_ms: number | null;
  data: string;
  /** The time that was received, where `time` is another: the clock was not set, and it is known now what it was. */
  original_time: string | null;
}

export interface EpochTable {
  no: number;
  epoch: string;
  agent_no: number;
  shard: number;
  mark: number;
  mark_chain: string;
  /** The highest seq that is known to exist, held or not. */
  highest_seq: number;
  chain_ok: number;
}

export interface AgentTable {
  no: number;
  name: string;
  state: string;
  session: number;
  version: string;
  last_heard: string | null;
  last_stored: string | null;
  health: string | null;
}

export interface Tables {
  meta: { name: string; value: string };
  agent: AgentTable;
  /** Keys that an agent signs with; revoked ones stay. */
  agent_key: { agent_no: number; public_key: string; how: string; since: string; revoked_at: string | null };
  epoch: EpochTable;
  /** The newest reading of a collar, as an agent's health tells it. */
  heard: { agent_no: number; collar: string; last_heard: string };
  event: EventTable;
  /** `token` only grows: who finds a higher one than its own stops writing. `owner` is for people; null: a central alone. */
  shard: { shard: number; next_arrival: number; next_position: number; token: number; owner: string | null };
  /** Centrals that share this store, as they were when they last said so. */
  worker: WorkerTable;
  /** Cats that changed, and meows that began (`epoch_no` not 0), in commands: the project loop tells of them. */
  untold: { cat_id: number; epoch_no: number; seq: number };
  /** Runs of stored seqs above the mark. They neither touch nor overlap. */
  island: { epoch_no: number; from_seq: number; to_seq: number };
  /** What the agent says its chain is, where it is not proven yet. */
  claim: { epoch_no: number; seq: number; chain: string };
  /** Seqs that will never come, with the reason. */
  gap: { epoch_no: number; from_seq: number; to_seq: number; reason: string; noted: string };
  conflict: { epoch_no: number; seq: number; hash: string; body: string; noted: string };
  quarantine: QuarantineTable;
  /** What came to quarantine, and what of it could not be kept. */
  quarantine_tally: { agent: string; kind: string; noted: number; dropped: number };
  correction: CorrectionTable;
  /** What every `clock.synced` has said, also of those that are no rows any more. */
  clock_sync: { epoch_no: number; seq: number; agent_no: number; boot: string; offset_ms: number };
  unset_clock: UnsetClockTable;
  /** Events that a model leaves out because this program cannot read them: folded as soon as one can. */
  skipped: SkippedTable;
  model_cursor: { model: string; shard: number; arrival: number };
  model_version: ModelVersionTable;
  segment: SegmentTable;
  /** When a watchdog of any process last looked at a cat. */
  cat_check: { cat_id: number; checked_ms: number };
  notice: NoticeTable;
  /** Browsers that are logged in; `id` is the hash of what they hold. */
  login_session: { id: string; opened_ms: number; seen_ms: number };
  api_token: { hash: string; name: string; scope: string; created: string; last_used: string | null };
  /** Of the first version. Later ones have other numbers and the same columns: see `model-tables.ts`. */
  cat_v1: CatTable;
  meowing_v1: MeowingTable;
  checkpoint_v1: { cat_id: number; key: string; state: string };
}

export interface WorkerTable {
  id: string;
  host: string;
  pid: number;
  /** Where its page is. */
  http: string;
  version: string;
  started: string;
  heard: string;
}

/** An event that a target is to be told of. */
export interface NoticeTable {
  target: string;
  epoch_no: number;
  seq: number;
  attempts: number;
  /** When it is tried again; ahead of that, somebody has it. Of one that was given up, when that was. */
  due_ms: number;
  dead: number;
  /** Of the last try. */
  reason: string;
}

export interface CorrectionTable {
  /** The correcting event. */
  by_epoch_no: number;
  by_seq: number;
  /** What it speaks of. */
  epoch_no: number;
  seq: number;
  /** Null: it takes back. */
  cat_id: number | null;
  reason: string;
  /** Of the correcting event: the last one counts. */
  sort_key: string;
  in_force: number;
}

/** Events of one epoch and one start of its machine whose clock was not set: they lie in this span, others between them. */
export interface UnsetClockTable {
  epoch_no: number;
  boot: string;
  agent_no: number;
  from_seq: number;
  to_seq: number;
  /** From here on their times are to be looked at; null: they are as they should be. */
  due_seq: number | null;
}

export interface SkippedTable {
  model: string;
  epoch_no: number;
  seq: number;
  type: string;
  version: number;
  /** Of a type that the model is made of. */
  needed: number;
  reason: string;
}

/** A sealed segment: its events are no rows any more once `done` is 1, and while it is 0 some are. */
export interface SegmentTable {
  epoch_no: number;
  from_seq: number;
  to_seq: number;
  events: number;
  /** chain at `to_seq`; null where it cannot be computed. */
  chain: string | null;
  sha256: string;
  /** Its name in the folder of segments. */
  file: string;
  done: number;
}

export interface QuarantineTable {
  no: number;
  /** '' where the topic names no agent that is known. */
  agent: string;
  topic: string;
  kind: string;
  reason: string;
  noted: string;
  last_noted: string;
  times: number;
  /** As they came, and as they are kept: `payload` in base64. */
  bytes: number;
  kept: number;
  hash: string;
  /** Of a rejected event. */
  epoch_no: number | null;
  seq: number | null;
  payload: string;
}

/** Numbers of versions. The tables of those that are named here exist. */
export interface ModelVersionTable {
  model: string;
  live: number;
  /** The one that was live before, kept as it was then. */
  previous: number | null;
  /** The one that a replay makes. */
  building: number | null;
  /** The replay that makes it: who finds another than itself stops writing. */
  owner: string | null;
  /** How far it has come, in JSON. */
  progress: string | null;
}

export interface CatTable {
  id: number;
  name: string | null;
  is_meowed: number;
  location: string | null;
  location_since: string | null;
  collar: string | null;
  last_seen: string | null;
  battery_low: number;
  silent: number;
  key: string;
  state: string;
}

export interface MeowingTable {
  cat_id: number;
  key: string;
  id: string;
  timestamp: string;
  location: string | null;
  event_type: string;
  old_value: string | null;
  new_value: string | null;
}

/** What of an event a fold looks at. */
export type TimelineRow = Pick<
  EventTable,
  'epoch_no' | 'seq' | 'type' | 'version' | 'subject' | 'time' | 'original_time' | 'data' | 'shard' | 'arrival'
>;

/** One row each: `kysely` types stop here, the rest of the store reads these. */
export type EventRow = EventTable & { /** Corrections in force. */ readonly corrections: number };
