/** A battery that runs out → battery.low, once; told again only after it has been charged. */
import type { Reading } from '../decoder/reading.ts';
import type { Detection } from './detection.ts';

export interface BatterySettings {
  readonly lowPercent: number;
}

/** Charged: so much above the limit. A cold battery that warms up gains less. */
const CHARGED_PERCENT = 10;

/** Belongs to the detector: a state handed in is given away. */
export interface BatteryState {
  low: boolean;
}

/** Adds what it decides to `out`. */
export function batteryReading(
  state: BatteryState,
  reading: Reading,
  settings: BatterySettings,
  out: Detection[],
): void {
  const { collar, atMs, batteryPercent: percent } = reading;
  if (percent === undefined) return;
  // Near 100 % a full battery must still count as charged.
  if (percent >= Math.min(settings.lowPercent + CHARGED_PERCENT, 100)) state.low = false;
  else if (percent <= settings.lowPercent && !state.low) {
    state.low = true;
    out.push({ type: 'battery.low', collar, atMs, percent });
  }
}
