/**
 * The version of each detector: of what it decides, given its settings. Whoever changes a decision raises it, so that an event
 * tells by which rules it was made; the test of this file notices.
 */

export type DetectorKind = 'shake' | 'place' | 'silence' | 'battery';

export const DETECTOR_VERSIONS: { readonly [K in DetectorKind]: number } = {
  shake: 2,
  place: 3,
  silence: 1,
  battery: 1,
};
