/** How full the batteries of the collars are, as agents say in their health: a stranger's words, of which any may be missing. */
import type { Agent } from './types.ts';

/** Percent by collar; where several agents hear one, the newest word counts. */
export function batteriesOf(agents: readonly Agent[]): ReadonlyMap<string, number> {
  const newest = new Map<string, { readonly at: string; readonly percent: number }>();
  for (const told of agents.flatMap(({ health }) => (Array.isArray(health?.collars) ? health.collars : []))) {
    if (typeof told !== 'object' || told === null) continue;
    const { collar, lastHeard: at, batteryPercent: percent } = told as Readonly<Record<string, unknown>>;
    if (typeof collar !== 'string' || typeof at !== 'string' || typeof percent !== 'number') continue;
    if (percent < 0 || percent > 100 || at < (newest.get(collar)?.at ?? '')) continue;
    newest.set(collar, { at, percent: Math.round(percent) });
  }
  return new Map([...newest].map(([collar, { percent }]) => [collar, percent]));
}
