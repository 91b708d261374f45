/**
 * What came, into the store: what one look at the queue has is one commit, whoever said it. Only then is it acknowledged to the broker and
 * answered to the agents with `stored`. What cannot be taken in is kept apart, and stops nobody else.
 */
import type { Logger } from 'pino';
import { encodeStored, type StoredMessage } from '../contract/message.ts';
import { agentTopic, parseAgentTopic } from '../contract/topic.ts';
import type { Incoming } from '../lib/mqtt-link.ts';
import type { Group } from './grouping.ts';
import type { IngestResult, IngestStore, Outcome, Work } from './store/store.ts';
import { storeFailed } from './store/store-failed.ts';
import type { Outbox } from './subscriber/outbox.ts';
import { once, tellDoubt, tellTrouble } from './tell.ts';
import type { Doubted } from './trust.ts';

/**
 * What goes into one commit: enough that a flush is shared by many, and so little that nobody waits longer for it than for one full
 * batch. One group may be larger, and is a commit by itself.
 */
export const COMMIT_MESSAGES = 64;
export const COMMIT_BYTES = 256 * 1024;

export interface KeepParts {
  readonly store: Pick<IngestStore, 'ingestAll'>;
  readonly outbox: Outbox;
  readonly logger: Logger;
  readonly clock: () => Date;
  readonly ingested: (result: IngestResult) => void;
  /** A message was not believed. */
  readonly doubted?: (type: Doubted) => void;
}

/**
 * Resolves once all of it is committed, answered and let go. Rejects with STORE_AWAY or STORE_FAILED; then what was committed before is
 * answered, and nothing is let go that is not committed. `told`: what the log has said already.
 */
export async function keepAll(
  parts: KeepParts,
  base: string,
  groups: readonly Group[],
  told: Set<string>,
): Promise<void> {
  for (const some of commitsOf(groups)) await keepTogether(parts, base, some, told);
}

function commitsOf(groups: readonly Group[]): readonly (readonly Group[])[] {
  const commits: Group[][] = [];
  let [count, bytes] = [0, 0];
  for (const group of groups) {
    const size = group.messages.reduce((sum, { payload }) => sum + payload.byteLength, 0);
    count += group.messages.length;
    bytes += size;
    const current = commits.at(-1);
    if (current !== undefined && count <= COMMIT_MESSAGES && bytes <= COMMIT_BYTES) {
      current.push(group);
      continue;
    }
    commits.push([group]);
    [count, bytes] = [group.messages.length, size];
  }
  return commits;
}

async function keepTogether(
  parts: KeepParts,
  base: string,
  groups: readonly Group[],
  told: Set<string>,
): Promise<void> {
  const now = parts.clock().toISOString();
  const works = groups.map((group) => workOf(base, group, now));
  const outcomes = [...(await written(parts, works, now))];
  const refused: { readonly group: Group; readonly reason: string }[] = [];
  let failure: Error | null = null;
  for (const [i, group] of groups.entries()) {
    const outcome = works[i] === null ? undefined : outcomes.shift();
    if (outcome?.type === 'failed') {
      if (isRefused(outcome.error)) refused.push({ group, reason: outcome.error.message });
      else failure ??= outcome.error;
      continue;
    }
    report(parts, base, group, outcome, told);
    letGo(group);
  }
  failure = (await keepApart(parts, base, refused, now, told)) ?? failure;
  if (failure !== null) throw storeFailed(failure);
}

async function written(
  { store }: KeepParts,
  works: readonly (Work | null)[],
  now: string,
): Promise<readonly Outcome[]> {
  const all = works.filter((work) => work !== null);
  if (all.length === 0) return [];
  try {
    return await store.ingestAll(all, now);
  } catch (error) {
    throw storeFailed(error);
  }
}

/** What the store would not have goes into quarantine. Resolves to why it cannot, or null. */
async function keepApart(
  parts: KeepParts,
  base: string,
  refused: readonly { readonly group: Group; readonly reason: string }[],
  now: string,
  told: Set<string>,
): Promise<Error | null> {
  const works = refused.flatMap(({ group, reason }) =>
    group.messages.map((message) => poison(base, message, 'refused', reason)),
  );
  const outcomes = await written(parts, works, now);
  for (const outcome of outcomes) if (outcome.type === 'failed') return outcome.error;
  for (const { group, reason } of refused) {
    tellPoison(parts, group, reason, told);
    letGo(group);
  }
  return null;
}

/** Null: there is nothing to keep. */
function workOf(base: string, { received, messages }: Group, now: string): Work | null {
  // The broker kept retained messages for us: who knows since when.
  const heard = messages.every((message) => message.retained) ? null : now;
  switch (received.type) {
    case 'batch':
      return { type: 'batch', batch: { ...received.batch, topic: messages[0].topic } };
    case 'sync':
      return { type: 'sync', agent: received.agent, message: received.message };
    case 'state':
      return { type: 'state', agent: received.agent, message: received.message, heard };
    case 'health':
      return { type: 'health', agent: received.agent, health: received.health, heard };
    case 'empty':
      return null;
    case 'doubted':
      // What an agent says of itself once a minute would push out the batches.
      if (received.what !== 'batch' && received.what !== 'sync') return null;
      return poison(base, messages[0], 'refused', received.reason);
    case 'unreadable':
      return poison(base, messages[0], 'unreadable', received.reason);
  }
}

function poison(base: string, message: Incoming, kind: 'unreadable' | 'refused', reason: string): Work {
  const { topic, payload } = message;
  const agent = parseAgentTopic(base, topic)?.agent ?? '';
  return { type: 'quarantine', message: { agent, topic, payload, kind, reason } };
}

/** After the commit; `outcome` of what there was to keep. */
function report(parts: KeepParts, base: string, group: Group, outcome: Outcome | undefined, told: Set<string>): void {
  const { received, messages } = group;
  if (received.type === 'doubted') {
    parts.doubted?.(received.what);
    if (outcome === undefined) tellDoubt(parts.logger, messages[0].topic, received.reason, told);
    else tellPoison(parts, group, received.reason, told);
  } else if (received.type === 'unreadable') {
    tellPoison(parts, group, received.reason, told);
  } else if (received.type === 'batch' && outcome?.type === 'ingested') {
    const { agent } = received.batch;
    parts.ingested(outcome.result);
    tellTrouble(parts.logger, agent, outcome.result, told);
    answer(parts, base, agent, outcome.result.stored);
  } else if (received.type === 'sync' && outcome?.type === 'answered') {
    answer(parts, base, received.agent, outcome.stored);
  }
}

function answer({ outbox }: KeepParts, base: string, agent: string, stored: StoredMessage): void {
  const topic = agentTopic(base, agent, 'stored');
  const payload = encodeStored({ ...stored, takesGzip: true });
  // What names its batch says what no later one does.
  if (stored.batch) outbox.put(topic, payload, { retain: false });
  else outbox.put(topic, payload, { retain: false, about: `stored ${stored.epoch}` });
}

function tellPoison({ logger }: KeepParts, { messages }: Group, reason: string, told: Set<string>): void {
  const { topic } = messages[0];
  once(told, `poison ${topic} ${reason}`, () => logger.warn({ topic }, `kept in quarantine: ${reason}`));
}

function letGo({ messages }: Group): void {
  for (const message of messages) message.done();
}

function isRefused(error: Error): boolean {
  return 'code' in error && error.code === 'REFUSED';
}
