/** Reads a log beside the agent that writes it: for `collard events` and `collard verify`. */
import { type EpochState, loadEpochs, readEvents } from './core.ts';
import { chainOfEpoch } from './epoch-chain.ts';
import type { EpochHead, LogReader } from './event-log.ts';
import { logError } from './log-error.ts';
import { openLogFileReadOnly } from './log-file.ts';
import { createChains, createRows } from './rows.ts';

export interface OpenLogReader extends LogReader {
  readonly agent: string;
  /** As the file stands at this call. */
  epochs(): readonly EpochHead[];
  close(): void;
}

/** Throws LOG_MISSING, LOG_FOREIGN, LOG_NEWER or the disk's code. */
export function openLogReader(path: string): OpenLogReader {
  const db = openLogFileReadOnly(path);
  const rows = createRows(db);
  const chains = createChains(db);
  const epochs = () => loadEpochs(db, rows, chains);
  const agent = epochs().at(-1)?.agent;
  if (agent === undefined) {
    db.close();
    throw logError('LOG_MISSING', `log ${path} is empty: has the agent ever run?`);
  }
  const find = (epoch: string): EpochState | undefined => epochs().find((e) => e.epoch === epoch);
  return {
    agent,
    epochs: () => epochs().map(({ epoch, firstSeq, lastSeq, storedSeq }) => ({ epoch, firstSeq, lastSeq, storedSeq })),
    async read(epoch, from, to, limit, maxBytes) {
      const span = find(epoch);
      return span === undefined ? [] : readEvents(rows, span, { from, to, limit, maxBytes });
    },
    async chainAt(epoch, seq) {
      const span = find(epoch);
      return span === undefined ? null : chainOfEpoch(rows, chains, span, seq);
    },
    close: () => {
      db.close();
    },
  };
}
