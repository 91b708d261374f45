/**
 * How often a word of central may begin a new epoch. The first at once, for a card that was copied or restored; the further ones
 * ever later, so that who forges such words cannot use up the epochs that central takes of one agent.
 */

const FIRST_WAIT_MS = 60_000;
const MAX_WAIT_MS = 24 * 3_600_000;

export interface EpochGate {
  /** True: a new epoch may begin now, and is counted. */
  pass(): boolean;
}

/** `monoNow`: monotonic milliseconds. One gate for the life of the process. */
export function createEpochGate(monoNow: () => number): EpochGate {
  let openAt = Number.NEGATIVE_INFINITY;
  let waitMs = FIRST_WAIT_MS;
  return {
    pass() {
      const now = monoNow();
      if (now < openAt) return false;
      openAt = now + waitMs;
      waitMs = Math.min(2 * waitMs, MAX_WAIT_MS);
      return true;
    },
  };
}
