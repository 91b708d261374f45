/** How long a memory card lasts at what the log writes. Pure; a rule of thumb, and said as one. */

/** Cards of the shops bear so many full writes, and a small write of ours costs the card several times its size. */
const FULL_WRITES = 500;
const WRITE_AMPLIFICATION = 8;
/** What an agent writes while it starts says nothing about its days. */
const MEASURED_FOR_MS = 120_000;
const DAY_MS = 86_400_000;

export interface Wear {
  readonly bytesADay: number;
  /** Null where the size of the card is not known, or nothing is written. */
  readonly years: number | null;
}

/** Null as long as it was not measured for long enough. */
export function wearOf(writtenBytes: number, uptimeMs: number, cardBytes: number | null): Wear | null {
  if (uptimeMs < MEASURED_FOR_MS) return null;
  const bytesADay = (writtenBytes * DAY_MS) / uptimeMs;
  const days = cardBytes === null ? Number.NaN : (cardBytes * FULL_WRITES) / (bytesADay * WRITE_AMPLIFICATION);
  return { bytesADay, years: Number.isFinite(days) ? days / 365.25 : null };
}

/** As people say it: nobody knows what a card does in a hundred years. */
export function yearsText(years: number): string {
  if (years < 1) return monthsText(Math.max(1, Math.round(years * 12)));
  if (years < 10) return `${years.toFixed(1)} years`;
  return years > 50 ? 'over 50 years' : `${Math.round(years)} years`;
}

function monthsText(months: number): string {
  return months === 1 ? '1 month' : `${months} months`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** 1 234 567 → `1.2 MB`. */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1_000, unit + 1];
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)}\u00a0${UNITS[unit]}`;
}
