/** What decides a shake, by the kind of readings that a collar sends; and what one collar has of its own. */
import type { PackedForest } from './forest.ts';

/** Each is absent where it is as ever (SHAKE_DEFAULTS), or as that of all collars. */
export interface OwnShakeSettings {
  /** Above 1: weaker shakes count. Dynamic acceleration, shake levels and edges count so many times. */
  readonly sensitivity?: number | undefined;
  /** So long without shaking ends the burst. A collar that sends less often needs more, else each of its readings is a burst. */
  readonly quietMs?: number | undefined;
  /** A level of the collar's own detector from which a shake begins … */
  readonly levelOn?: number | undefined;
  /** … and the share of it above which it goes on. */
  readonly levelHold?: number | undefined;
  /** So many edges of a vibration switch, or counted movements, are a shake … */
  readonly edgesOn?: number | undefined;
  /** … when they come within this time. One alone goes on with it. */
  readonly edgesMs?: number | undefined;
}

export interface ShakeSettings extends OwnShakeSettings {
  readonly sensitivity: number;
  /** Asked instead of the shipped one: for who trains another. */
  readonly forest?: PackedForest | undefined;
  /** By collar: what it has of its own, in the place of the above. */
  readonly collars?: { readonly [collar: string]: OwnShakeSettings } | undefined;
}

export const SHAKE_DEFAULTS = {
  sensitivity: 1,
  quietMs: 700,
  levelOn: 0.5,
  levelHold: 0.5,
  edgesOn: 3,
  edgesMs: 500,
} as const satisfies OwnShakeSettings;

/** Those of one collar. The same object where it has none of its own: this is asked for each reading. */
export function ownShake(settings: ShakeSettings, collar: string): ShakeSettings {
  const { collars } = settings;
  const own = collars !== undefined && Object.hasOwn(collars, collar) ? collars[collar] : undefined;
  if (own === undefined) return settings;
  return { ...settings, ...own, sensitivity: own.sensitivity ?? settings.sensitivity };
}

/** The same settings, but for what one collar has of its own: `changes` besides what it has already. */
export function giveOwn(settings: ShakeSettings, collar: string, changes: OwnShakeSettings): ShakeSettings {
  const { collars = {} } = settings;
  const before = Object.hasOwn(collars, collar) ? collars[collar] : undefined;
  return { ...settings, collars: { ...collars, [collar]: { ...before, ...changes } } };
}
