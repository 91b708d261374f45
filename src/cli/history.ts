/** Compares what an agent holds with what central has stored, epoch by epoch, by their chains. */
import { type ChainHash, type ChainPoint, chainHex } from '../contract/chain.ts';

/** An agent's log, from its file or over MQTT. */
export interface AgentHistory {
  epochs(): Promise<readonly { readonly epoch: string; readonly firstSeq: number; readonly lastSeq: number }[]>;
  /** Null where the log no longer knows it. */
  chainAt(epoch: string, seq: number): Promise<ChainHash | null>;
}

/** Central's side; `mark`: all up to here is committed. */
export interface StoreHistory {
  /** `expired`: all up to here was deleted for its age, and its chain kept. */
  marks(): Promise<readonly { readonly epoch: string; readonly mark: number; readonly expired?: number }[]>;
  /** `since`: known already, so that only what follows it need be hashed. */
  chainAt(epoch: string, seq: number, since?: ChainPoint, onHashed?: (seq: number) => void): Promise<ChainHash | null>;
}

/** Told how far it is: so many of all events that both have are compared. */
export type OnCompared = (events: number, of: number) => void;

/**
 * agree: all of the log is stored, and the same. missing: stored up to `seq - 1`, the same so far. conflicting: the first
 * difference is at `seq`. expired: one of both has deleted what a comparison at `seq` needs, and `chain` is null; or central has
 * deleted all of it for its age, and the chains prove that it was the same.
 */
export type Status = 'agree' | 'missing' | 'conflicting' | 'expired';

export interface Verdict {
  readonly status: Status;
  readonly epoch: string;
  readonly seq: number;
  /** chain at the highest seq up to which both are proven the same. */
  readonly chain: string | null;
  /** Central's mark and the last seq of the log. */
  readonly stored: number;
  readonly last: number;
}

/** The worst first: this is what the whole comparison says. */
const severity: readonly Status[] = ['conflicting', 'missing', 'expired', 'agree'];

/** Every epoch of the log. Reads central first: what the agent writes meanwhile can only be missing, never too much. */
export async function compareHistories(
  agent: AgentHistory,
  store: StoreHistory,
  onCompared: OnCompared = () => undefined,
): Promise<readonly Verdict[]> {
  const marks = new Map((await store.marks()).map((row) => [row.epoch, row]));
  const verdicts: Verdict[] = [];
  const epochs = await agent.epochs();
  const sharedBy = ({ epoch, lastSeq }: (typeof epochs)[number]) => Math.min(marks.get(epoch)?.mark ?? 0, lastSeq);
  const all = epochs.reduce((sum, epoch) => sum + sharedBy(epoch), 0);
  let before = 0;
  for (const one of epochs) {
    const { mark = 0, expired = 0 } = marks.get(one.epoch) ?? {};
    const onHashed = (seq: number) => onCompared(before + seq, all);
    verdicts.push(await compareEpoch(agent, store, { ...one, mark, expired }, onHashed));
    before += sharedBy(one);
  }
  return verdicts;
}

/** The verdict to tell first: the worst, and of those the oldest; of all that agree the newest. Null: an empty log. */
export function worst(verdicts: readonly Verdict[]): Verdict | null {
  for (const status of severity) {
    const found = verdicts.filter((verdict) => verdict.status === status);
    const told = status === 'agree' ? found.at(-1) : found[0];
    if (told !== undefined) return told;
  }
  return null;
}

interface Span {
  readonly epoch: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly mark: number;
  readonly expired: number;
}

async function compareEpoch(
  agent: AgentHistory,
  store: StoreHistory,
  span: Span,
  onHashed: (seq: number) => void,
): Promise<Verdict> {
  const { epoch, firstSeq, lastSeq, mark, expired } = span;
  const verdict = (status: Status, seq: number, chain: ChainHash | null): Verdict => ({
    status,
    epoch,
    seq,
    chain: chain === null ? null : chainHex(chain),
    stored: mark,
    last: lastSeq,
  });
  const shared = Math.min(mark, lastSeq);
  const theirs = await agent.chainAt(epoch, shared);
  // Of an epoch that central has never heard of there is nothing to compare.
  const ours = shared === 0 ? theirs : await store.chainAt(epoch, shared, undefined, onHashed);
  if (theirs === null || ours === null) return verdict('expired', shared, null);
  if (!same(theirs, ours)) {
    const { seq, chain } = await firstDifference(agent, store, epoch, Math.max(0, firstSeq - 1), shared);
    return verdict('conflicting', seq, chain);
  }
  // Central has more than the log: a card that lost its tail, or a copy of an older one.
  if (mark > lastSeq) return verdict('conflicting', lastSeq + 1, theirs);
  if (lastSeq > mark) return verdict('missing', mark + 1, theirs);
  return verdict(lastSeq > 0 && lastSeq <= expired ? 'expired' : 'agree', lastSeq, theirs);
}

/**
 * Bisects (low, high]: chains are the same up to some seq and differ from there on. Asks the agent once for each halving, and hashes
 * no more at central than twice what lies between.
 */
async function firstDifference(
  agent: AgentHistory,
  store: StoreHistory,
  epoch: string,
  low: number,
  high: number,
): Promise<{ readonly seq: number; readonly chain: ChainHash | null }> {
  const agreed = async (seq: number, since?: ChainPoint): Promise<ChainHash | null> => {
    const [a, b] = [await agent.chainAt(epoch, seq), await store.chainAt(epoch, seq, since)];
    return a !== null && b !== null && same(a, b) ? a : null;
  };
  const proven = await agreed(low);
  // The difference lies before the oldest event that the log still holds.
  if (proven === null) return { seq: Math.max(1, low), chain: null };
  let from: ChainPoint = { seq: low, chain: proven };
  let to = high;
  while (to - from.seq > 1) {
    const middle = Math.floor((from.seq + to) / 2);
    const chain = await agreed(middle, from);
    if (chain === null) to = middle;
    else from = { seq: middle, chain };
  }
  return { seq: to, chain: from.chain };
}

function same(a: ChainHash, b: ChainHash): boolean {
  return Buffer.from(a).equals(b);
}
