/** What the detector of shakes sees of a collar, for who watches it: how strong it moves, how sure it is, and where its borders lie. */
import { HOLD_G, LEVEL_ON, type ShakeSettings, type ShakeState } from './shake.ts';
import { ODDS_OFF, ODDS_ON } from './shaking.ts';

export interface ShakeView {
  /** Dynamic acceleration in g, smoothed; where a collar tells no acceleration, its own shake level. */
  readonly level: number;
  /** Log-odds that it shakes now; null without acceleration. */
  readonly odds: number | null;
  /** Since when, or null. */
  readonly sinceMs: number | null;
}

export interface ShakeBorders {
  /** A shake begins above these odds, and goes on above those … */
  readonly onOdds: number;
  readonly offOdds: number;
  /** … while it is at least so strong, in g. */
  readonly holdG: number;
  /** The same for a level that the collar tells itself. */
  readonly onLevel: number;
}

/** `told`: the shake level of the newest reading, where it has one. */
export function viewShake({ shaking, burst }: ShakeState, told: number | undefined): ShakeView {
  const { window, odds } = shaking;
  const moves = window.samples > 0;
  return {
    level: moves ? window.levelG : (told ?? 0),
    odds: moves ? odds : null,
    sinceMs: burst === null || burst.spent ? null : burst.startMs,
  };
}

export function shakeBorders({ sensitivity }: Pick<ShakeSettings, 'sensitivity'>): ShakeBorders {
  return { onOdds: ODDS_ON, offOdds: ODDS_OFF, holdG: HOLD_G / sensitivity, onLevel: LEVEL_ON / sensitivity };
}
