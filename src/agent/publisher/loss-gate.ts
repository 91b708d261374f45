/** How often a word of central may have a loss told: of each epoch so often, so that who forges such words cannot fill the log. */

export const TELL_EVERY_MS = 60_000;

export interface LossGate {
  /** True: what is missing of this epoch may be told now, and that is counted. */
  pass(epoch: string): boolean;
}

/** `monoNow`: monotonic milliseconds. One gate for the life of the process. */
export function createLossGate(monoNow: () => number): LossGate {
  const toldAt = new Map<string, number>();
  return {
    pass(epoch) {
      const now = monoNow();
      if (now - (toldAt.get(epoch) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return false;
      toldAt.set(epoch, now);
      return true;
    },
  };
}
