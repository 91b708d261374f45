/** The lines that the receive loop tells of its agents, and that all loops tell of their store: each once. */
import type { Logger } from 'pino';
import type { IngestResult } from './store/store.ts';

/** What is remembered as told. */
const MAX_TOLD = 1_000;

export function tellDoubt(logger: Logger, topic: string, reason: string, told: Set<string>): void {
  once(told, `doubt ${topic} ${reason}`, () => logger.warn({ topic }, `left out: ${reason}`));
}

export function tellTrouble(logger: Logger, agent: string, result: IngestResult, told: Set<string>): void {
  const { epoch, seq } = result.stored;
  if (!result.chainOk) {
    once(told, `chain ${epoch}`, () =>
      logger.error(
        { agent, epoch, seq },
        `the histories of ${agent} differ: collard verify --agent ${agent} tells where`,
      ),
    );
  }
  const { rejected, waiting } = result;
  if (rejected > 0) {
    once(told, `rejected ${agent} ${epoch}`, () =>
      logger.warn(
        { agent, epoch, rejected },
        `${agent} sends events that are none: collard quarantine list shows them`,
      ),
    );
  }
  if (waiting > 0) {
    once(told, `waiting ${agent} ${epoch}`, () =>
      logger.error(
        { agent, epoch, waiting },
        `no more events of ${agent} that are none can be kept: it keeps them. Look at: collard quarantine list`,
      ),
    );
  }
  if (result.unkept > 0) {
    once(told, `unkept ${agent}`, () =>
      logger.error(
        { agent, epoch },
        `${agent} sends more events under known numbers than can be kept: some are dropped`,
      ),
    );
  }
  if (result.conflicts > 0) {
    const { conflicts } = result;
    once(told, `conflict ${epoch}`, () =>
      logger.error({ agent, epoch, conflicts }, `${agent} sends other events under known numbers: is its card a copy?`),
    );
  }
}

/** For a store in a file: its loops wait for it, for a minute or two, and then one of them ends central. */
export function tellHeld(logger: { warn(fields: object, message: string): void }, url: string): () => void {
  const told = new Set<string>();
  const path = url.replace(/^sqlite:/, '');
  const fix = `end it, or central will end: fuser ${path} tells which`;
  return () =>
    once(told, 'held', () => logger.warn({ store: path }, `another program holds the store ${path}: ${fix}`));
}

/** What had to go for want of room before it was stored or sent. */
export type Dropped = 'incoming' | 'outbox';

const DROPPED: Readonly<Record<Dropped, string>> = {
  incoming:
    'messages came faster than they are stored, and some had no room: agents send their events again. Is the disk or the database slow?',
  outbox:
    'more messages wait for the broker than there is room for, and the oldest are left out: agents ask for their answers again. Is the broker away or slow?',
};

export interface DropParts {
  readonly logger: Pick<Logger, 'warn'>;
  readonly dropped?: (where: Dropped, messages: number) => void;
}

/** Takes a total that only rises: counts what came to it since it was last given, and tells the first. */
export function droppedSince(
  { logger, dropped }: DropParts,
  where: Dropped,
  told: Set<string>,
): (total: number) => void {
  let counted = 0;
  return (total) => {
    if (total <= counted) return;
    dropped?.(where, total - counted);
    counted = total;
    once(told, `dropped ${where}`, () => logger.warn({ messages: total }, DROPPED[where]));
  };
}

export function once(told: Set<string>, key: string, tell: () => void): void {
  if (told.has(key)) return;
  if (told.size >= MAX_TOLD) told.clear();
  told.add(key);
  tell();
}
