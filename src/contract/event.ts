/** What an event is, on both sides. The unit that is stored, hashed, sent and folded. */

export type ClockQuality = 'synced' | 'unsynced';

/** What decided an event. Absent where a person did, or an agent of before there was a name for it. */
interface Decided {
  /** `<version>/<hash of its settings>` of the detector, such as `1/5f3a9c2e`. */
  readonly detector?: string;
}

/** Of what a person or a program told central: `page` for who had logged in, else the name of a token. */
interface Commanded {
  readonly by?: string;
}

/** What each type of event says. All values survive JSON parse and stringify: finite numbers, no integer-like keys. */
export interface EventData {
  readonly 'cat.named': Commanded & {
    readonly catId: number;
    readonly oldName: string | null;
    readonly newName: string;
  };
  readonly 'collar.assigned': Commanded & { readonly catId: number; readonly collar: string };
  readonly 'cat.moved': Decided &
    Commanded & {
      readonly from: string | null;
      readonly to: string;
      readonly confidence?: number;
      readonly catId?: number;
    };
  /**
   * What a receiver heard of a collar of late, or a motion sensor that saw it: for central, which weighs those of all agents together.
   * Sent only where `fusion` is on.
   */
  readonly 'collar.sighted': Sighting;
  readonly 'meow.started': Decided & { readonly level: number };
  readonly 'meow.ended': Decided & {
    readonly durationMs: number;
    readonly peakG: number;
    readonly readings: number;
    readonly place: string | null;
  };
  readonly 'collar.silent': Decided & { readonly lastSeen: string };
  readonly 'collar.heard': Decided & { readonly lastSeen: string };
  readonly 'battery.low': Decided & { readonly percent: number };
  readonly 'sensor.failed': { readonly source: string; readonly reason: string };
  readonly 'sensor.recovered': { readonly source: string; readonly reason: string };
  readonly 'clock.synced': { readonly boot: string; readonly offsetMs: number };
  readonly 'history.lost': {
    readonly epoch: string;
    readonly fromSeq: number;
    readonly toSeq: number;
    readonly count: number;
    readonly reason: string;
    /** Lengths from `fromSeq` on: lost, not lost, lost, …, lost. Absent: everything up to `toSeq` is lost. See `lost.ts`. */
    readonly runs?: readonly number[];
  };
  /** Central holds another history of this epoch up to `seq`: a new epoch has begun, and what differs lies with it as conflicts. */
  readonly 'history.conflict': { readonly epoch: string; readonly seq: number; readonly reason: string };
  /** What the watchdog found: `key` names the rule with its limits, so that what is cleared is what was raised. */
  readonly 'alert.raised': AlertData;
  readonly 'alert.cleared': AlertData;
  /** A correction: that event counts as if it had never been. What it may speak of says `correction.ts`. */
  readonly 'event.revoked': Commanded & { readonly epoch: string; readonly seq: number; readonly reason: string };
  /** A correction: that event, told by a collar, was about this cat. */
  readonly 'event.reassigned': Commanded & {
    readonly epoch: string;
    readonly seq: number;
    readonly catId: number;
    readonly reason: string;
  };
}

export interface Sighting {
  /** Where the receiver or the sensor is. */
  readonly place: string;
  /** Its name, where the place has more than one. */
  readonly sensor?: string;
  /** The mean over the time before, in dBm; absent where it tells no strength. */
  readonly rssi?: number;
  /** The length of that time in milliseconds, and how often another sighting comes while it hears the collar. */
  readonly forMs?: number;
  /** A motion sensor: the last one of all knows where the cat is. */
  readonly motion?: true;
}

export interface AlertData {
  readonly catId: number;
  readonly rule: string;
  readonly key: string;
  readonly text: string;
}

export type EventType = keyof EventData;

/**
 * The version that this program writes of each type, and the newest that it reads. Whoever raises one adds the step from the
 * version before (`upcast.ts`) and a body of the new one to the golden ones of the tests.
 */
export const WRITTEN_VERSIONS: { readonly [T in EventType]: number } = {
  'cat.named': 1,
  'collar.assigned': 1,
  'cat.moved': 1,
  'collar.sighted': 1,
  'meow.started': 1,
  'meow.ended': 1,
  'collar.silent': 1,
  'collar.heard': 1,
  'battery.low': 1,
  'sensor.failed': 1,
  'sensor.recovered': 1,
  'clock.synced': 1,
  'history.lost': 1,
  'history.conflict': 1,
  'alert.raised': 1,
  'alert.cleared': 1,
  'event.revoked': 1,
  'event.reassigned': 1,
};

/**
 * An event as it is kept in the agent's log and in the central store. Immutable.
 * `type` is the full CloudEvents type (`collard.meow.ended`): strangers' types are kept as they came.
 */
export interface StoredEvent {
  /** UUIDv7 of the log file that numbered it. */
  readonly epoch: string;
  /** 1, 2, 3 … without a gap in its epoch. */
  readonly seq: number;
  readonly type: string;
  readonly version: number;
  /** `collar/C0FFEE01`, `cat/3`, or null for events of the agent itself. */
  readonly subject: string | null;
  /** RFC 3339 in UTC with milliseconds, when it happened by the clock of the agent at that moment. */
  readonly time: string;
  readonly clock: ClockQuality;
  /** Boot id and milliseconds since boot: both set on unsynced events, else null. */
  readonly boot: string | null;
  readonly monoMs: number | null;
  /** Compact JSON object, the text as it was written or received. */
  readonly data: string;
}

/** An event that is about to be appended: the log gives it epoch and seq. */
export type NewEvent = Omit<StoredEvent, 'epoch' | 'seq'>;

const prefix = 'collard.';

/** `meow.ended` → `collard.meow.ended`; a full type stays as it is. */
export function fullType(type: string): string {
  return type.startsWith(prefix) ? type : prefix + type;
}

/** `collard.meow.ended` → `meow.ended`; a stranger's type stays as it is. */
export function shortType(type: string): string {
  return type.startsWith(prefix) ? type.slice(prefix.length) : type;
}

/** The id of the collar that the event is about, or null. */
export function collarOf(event: Pick<StoredEvent, 'subject'>): string | null {
  return event.subject?.startsWith('collar/') === true ? event.subject.slice('collar/'.length) : null;
}

/** The number of the cat that the event is about by its subject, or null. */
export function catOf(event: Pick<StoredEvent, 'subject'>): number | null {
  // Most are of collars: they cost no more than a look.
  if (event.subject?.startsWith('cat/') !== true) return null;
  const match = /^cat\/(\d{1,15})$/.exec(event.subject);
  return match === null ? null : Number(match[1]);
}

const FULL_TYPES = Object.fromEntries(Object.keys(WRITTEN_VERSIONS).map((type) => [type, fullType(type)])) as Readonly<
  Record<EventType, string>
>;

/** Builds an event of ours from typed data. */
export function newEvent<T extends EventType>(
  type: T,
  subject: string | null,
  data: EventData[T],
  when: Pick<StoredEvent, 'time' | 'clock' | 'boot' | 'monoMs'>,
): NewEvent {
  return { type: FULL_TYPES[type], version: WRITTEN_VERSIONS[type], subject, ...when, data: JSON.stringify(data) };
}
