/** What a fault of the nemesis is. Each does its harm, heals it, and says whether it is proved to have happened. */
import type { House } from './house.ts';
import type { Card, Replaced } from './nemesis-oracle.ts';

/** At most one fault at a time for each. */
export type Target = 'agent' | 'broker' | 'central' | 'agent-link' | 'central-link' | 'marks';

/** What faults leave behind for later ones and for the oracle. */
export interface Past {
  /** A copy of the log as it was, and how far it went. */
  cardBackup: { readonly path: string; readonly card: Card } | null;
  storeBackup: { readonly path: string; readonly mark: number } | null;
  readonly replaced: Replaced[];
}

export interface Fault {
  readonly name: string;
  readonly target: Target;
  /** How often, against the others. */
  readonly weight: number;
  /** False: it found nothing to harm, and is not counted. */
  run(house: House, past: Past, random: () => number): Promise<boolean>;
}

/** Mostly short, now and then up to 20 s. */
export function someMs(random: () => number): number {
  const kind = random();
  if (kind < 0.6) return 100 + random() * 500;
  if (kind < 0.9) return 600 + random() * 1_900;
  if (kind < 0.98) return 2_500 + random() * 3_500;
  return 6_000 + random() * 14_000;
}
