/** What the detector of shakes sees of a collar, for who watches it: how strong it moves, how sure it is, and where its borders lie. */
import type { LiveMeasure } from '../../contract/live.ts';
import type { Reading } from '../decoder/reading.ts';
import { edgesOfLate } from './edges.ts';
import { HOLD_G, type ShakeState } from './shake.ts';
import { ownShake, SHAKE_DEFAULTS, type ShakeSettings } from './shake-settings.ts';
import { ODDS_OFF, ODDS_ON } from './shaking.ts';

export interface ShakeView {
  readonly measure: LiveMeasure;
  /** Dynamic acceleration in g, smoothed; where a collar tells none often enough, its own shake level, or edges of late. */
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
  /** A shake begins at a level that the collar tells itself, or at so many edges. */
  readonly onLevel: number;
  readonly onEdges: number;
}

/** After its newest reading. */
export function viewShake({ shaking, edges, burst }: ShakeState, newest: Reading): ShakeView {
  const { window, odds } = shaking;
  const sinceMs = burst === null || burst.spent ? null : burst.startMs;
  // Acceleration that comes as seldom as that of a RuuviTag shows no shake: what comes with it does.
  const tellsElse = newest.edges !== undefined || newest.shake !== undefined;
  if (tellsElse ? window.count > 0 : window.samples > 0)
    return { measure: 'acceleration', level: window.levelG, odds, sinceMs };
  if (newest.edges === undefined) return { measure: 'level', level: newest.shake ?? 0, odds: null, sinceMs };
  return { measure: 'edges', level: edgesOfLate(edges, newest.atMs), odds: null, sinceMs };
}

/** Of one collar: it may have settings of its own. */
export function shakeBorders(settings: ShakeSettings, collar: string): ShakeBorders {
  const {
    sensitivity,
    levelOn = SHAKE_DEFAULTS.levelOn,
    edgesOn = SHAKE_DEFAULTS.edgesOn,
  } = ownShake(settings, collar);
  return {
    onOdds: ODDS_ON,
    offOdds: ODDS_OFF,
    holdG: HOLD_G / sensitivity,
    onLevel: levelOn / sensitivity,
    onEdges: edgesOn / sensitivity,
  };
}

/** The border of the level in the measure of the collar. */
export function levelBorder({ holdG, onLevel, onEdges }: ShakeBorders, measure: LiveMeasure): number {
  return measure === 'acceleration' ? holdG : measure === 'level' ? onLevel : onEdges;
}
