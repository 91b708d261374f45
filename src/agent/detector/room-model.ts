/**
 * What a calibration has learnt: the rooms of a home as spots, each with the strength at which every receiver hears a collar
 * there, and how a collar goes from spot to spot. A room is more than one spot because strength changes within it as much as
 * between rooms. Small: at most MAX_SPOTS², some kilobytes as JSON.
 */

/** Sightings of so long count as one look: their mean for each receiver. */
export const LOOK_MS = 250;
/** Spots of all rooms together: a look costs their number squared. */
export const MAX_SPOTS = 96;
export const MAX_ROOMS = 32;
export const MAX_MODEL_RECEIVERS = 32;

export interface Spot {
  /** Which of the rooms. */
  readonly room: number;
  /** Strength at each receiver. */
  readonly dbm: readonly number[];
}

export interface RoomModel {
  readonly version: 1;
  /** Names as readings have them: the sensor, or the place where a place has only one. */
  readonly receivers: readonly string[];
  readonly rooms: readonly string[];
  readonly spots: readonly Spot[];
  /** Standard deviation of a look at each receiver, in dB. */
  readonly spreadDb: readonly number[];
  /** Chance to be at each spot (column) one look after each spot (row). Rows sum to 1. */
  readonly moves: readonly (readonly number[])[];
}
