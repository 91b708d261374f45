/** When an agent's health is told on one link: at its start, when something has changed that people wait for, and from time to time. */
import type { Session } from './session-state.ts';

export interface HealthReport {
  /** Looked at often: it costs nothing. */
  isDue(): boolean;
  /** Resolves when it was handed to the link. Rejects with what the log rejects with. */
  tell(): Promise<void>;
}

export function createHealthReport(session: Session): HealthReport {
  const { publisher, status, healthEveryMs, monoNow } = session;
  let toldAt = Number.NEGATIVE_INFINITY;
  let { stalled, conflicting } = status;
  return {
    isDue: () =>
      status.stalled !== stalled || status.conflicting !== conflicting || monoNow() - toldAt >= healthEveryMs,
    async tell() {
      if (status.stalled !== stalled) {
        session.logger.warn(
          { queue: status.queue },
          status.stalled ? 'the backlog is stalled' : 'the backlog moves again',
        );
      }
      [toldAt, stalled, conflicting] = [monoNow(), status.stalled, status.conflicting];
      publisher.publishHealth(await session.health()).then(session.ring, session.ring);
    },
  };
}
