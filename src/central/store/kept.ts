/** What the store promises of what could not be taken in: messages in quarantine, and events that conflict. */

/** Why a message is in quarantine: unreadable; readable and refused (an epoch of another agent …). */
export type QuarantineKind = 'unreadable' | 'refused' | 'rejected';

/** A message in quarantine, without its payload. */
export interface Kept {
  readonly no: number;
  /** '' where the topic names no agent that is known. */
  readonly agent: string;
  readonly topic: string;
  readonly kind: QuarantineKind;
  readonly reason: string;
  /** When it came first and last, and how often: agents send again. */
  readonly noted: string;
  readonly lastNoted: string;
  readonly times: number;
  readonly bytes: number;
  /** Of a rejected event: the place that it has left empty. */
  readonly place: { readonly epoch: string; readonly seq: number } | null;
}

export interface KeptMessage extends Kept {
  /** Shorter than `bytes` where it was cut. */
  readonly payload: Uint8Array;
}

export interface KeptQuery {
  /** Numbers above this one. */
  readonly after: number;
  readonly limit: number;
  readonly agent?: string;
  readonly kind?: QuarantineKind;
}

export interface QuarantineTally {
  /** What is held now. */
  readonly messages: number;
  readonly bytes: number;
  /** All that ever came, each time that it came. */
  readonly noted: number;
  /** What had to go for room. */
  readonly dropped: readonly {
    readonly agent: string;
    readonly kind: QuarantineKind | 'conflict';
    readonly messages: number;
  }[];
}

/** An event whose number belongs to another one. */
export interface Conflict {
  readonly agent: string;
  readonly epoch: string;
  readonly seq: number;
  readonly noted: string;
  /** The event in JSON. */
  readonly body: string;
}

export interface ConflictQuery {
  /** How many to leave out. */
  readonly after: number;
  readonly limit: number;
  readonly agent?: string;
}

/** A message that cannot be taken in: kept within limits, and counted. */
export interface QuarantineMessage {
  readonly agent: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly kind: 'unreadable' | 'refused';
  readonly reason: string;
}

export interface QuarantineStore {
  quarantined(query: KeptQuery): Promise<readonly Kept[]>;
  quarantinedMessage(no: number): Promise<KeptMessage | null>;
  quarantineTally(): Promise<QuarantineTally>;
  /** It was tried again in vain. */
  stillRefused(no: number, reason: string, now: string): Promise<void>;
  /** Is it a rejected event for which its gap stands still, and no event is in its place? Then nothing else holds it. */
  isOnlyCopy(no: number): Promise<boolean>;
  /** Resolves to how many there were. */
  dropQuarantined(no: number | 'all'): Promise<number>;
  conflicting(query: ConflictQuery): Promise<readonly Conflict[]>;
}
