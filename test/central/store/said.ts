/** What an agent says of itself, and what cannot be taken in, as the receive loop gives it to a store: each alone. */
import type { QuarantineMessage } from '../../../src/central/store/kept.ts';
import type { IngestStore, Work } from '../../../src/central/store/store.ts';
import type { StateMessage } from '../../../src/contract/message.ts';

type Ingest = Pick<IngestStore, 'ingestAll'>;

export function saveState(store: Ingest, agent: string, message: StateMessage, at: string): Promise<void> {
  return written(store, { type: 'state', agent, message, heard: at }, at);
}

/** `at` null: when it said so is not known. */
export function saveHealth(
  store: Ingest,
  agent: string,
  health: Readonly<Record<string, unknown>>,
  at: string | null,
  now = at ?? new Date().toISOString(),
): Promise<void> {
  return written(store, { type: 'health', agent, health, heard: at }, now);
}

export function quarantine(store: Ingest, message: QuarantineMessage, at: string): Promise<void> {
  return written(store, { type: 'quarantine', message }, at);
}

async function written(store: Ingest, work: Work, now: string): Promise<void> {
  const [outcome] = await store.ingestAll([work], now);
  if (outcome?.type === 'failed') throw outcome.error;
}
