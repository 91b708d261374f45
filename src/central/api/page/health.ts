/** Parts of a health message: it comes from an agent, so any of them may be missing or of another type. */
import type { Agent, Source } from './types.ts';

/** Discards that are no fault of anything. */
const HARMLESS = ['comment', 'no-reading', 'duplicate'];

export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

export function timeOf(value: unknown): string | null {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : null;
}

export function sourcesOf({ sources }: NonNullable<Agent['health']>): readonly Source[] {
  const told: readonly unknown[] = Array.isArray(sources) ? sources : [];
  return told.filter((one): one is Source => typeof one === 'object' && one !== null);
}

/** What of a source could not be read, by reason. */
export function faultsOf({ discarded }: Source): [reason: string, count: number][] {
  if (typeof discarded !== 'object' || discarded === null) return [];
  return Object.entries(discarded).filter(
    (entry): entry is [string, number] => !HARMLESS.includes(entry[0]) && (numberOf(entry[1]) ?? 0) > 0,
  );
}
