/** How forwarding goes, over all links: for health, the page and the log lines. */
import type { LogReader } from '../log/event-log.ts';

export interface ForwardStatus {
  link: 'connecting' | 'online' | 'stopped';
  /** What the last link spoke. */
  protocol: '5' | '3.1.1';
  session: number;
  /** Why the last link failed or ended, or why the broker refuses events; null once events have got through again. */
  lastError: string | null;
  /** Wall time of the last confirmation, RFC 3339, or null. */
  lastConfirmed: string | null;
  /** Central holds another history of an epoch: nothing is trimmed until the next start. */
  conflicting: boolean;
  /** Events that are larger than this broker takes. They stay in the log. */
  oversize: number;
  /** Batches that the broker acknowledged, and refused, since the start. */
  acknowledged: number;
  refusals: number;
  /** How often something was confirmed since the start. */
  confirmations: number;
  /** Links opened since the start. */
  links: number;
  /** Events in the log that nobody has confirmed, over all epochs. */
  readonly queue: number;
  /** The stored mark of the current epoch. */
  readonly storedSeq: number;
  /** Something waits, and nothing has been confirmed for `stalledAfterMs`, with or without a link. */
  readonly stalled: boolean;
  /** Something was confirmed just now. */
  confirmed(): void;
  /** Notices that something began to wait. */
  look(): void;
  /** The loop has gone round once more, with or without a link. */
  wentRound(): void;
}

export interface StatusPorts {
  readonly log: Pick<LogReader, 'epochs'>;
  readonly stalledAfterMs: number;
  readonly monoNow: () => number;
  /** Wall clock in milliseconds since 1970. */
  readonly now: () => number;
  readonly wentRound?: () => void;
}

export function createForwardStatus({ log, stalledAfterMs, monoNow, now, wentRound }: StatusPorts): ForwardStatus {
  let waited = false;
  let progressAt = monoNow();
  const queueOf = () =>
    log
      .epochs()
      .reduce((sum, { firstSeq, lastSeq, storedSeq }) => sum + lastSeq - Math.max(storedSeq, firstSeq - 1), 0);
  const status: ForwardStatus = {
    link: 'connecting',
    protocol: '5',
    session: 0,
    lastError: null,
    lastConfirmed: null,
    conflicting: false,
    oversize: 0,
    acknowledged: 0,
    confirmations: 0,
    refusals: 0,
    links: 0,
    get queue() {
      return queueOf();
    },
    get storedSeq() {
      return log.epochs().at(-1)?.storedSeq ?? 0;
    },
    get stalled() {
      status.look();
      return waited && monoNow() - progressAt >= stalledAfterMs;
    },
    confirmed() {
      progressAt = monoNow();
      status.confirmations++;
      status.lastConfirmed = new Date(now()).toISOString();
    },
    look() {
      const waits = queueOf() > 0;
      if (waits && !waited) progressAt = monoNow();
      waited = waits;
    },
    wentRound: () => wentRound?.(),
  };
  return status;
}
