/** Cats as a table for people. */
import type { CatRow } from '../central/store/store.ts';
import { safe, table } from './output.ts';

export function catList(cats: readonly CatRow[]): string {
  if (cats.length === 0) return 'no cats: collard cat add NAME --collar ID';
  const rows = cats.map((cat) => [
    String(cat.id),
    safe(cat.name),
    safe(cat.location ?? '-'),
    cat.isMeowed ? 'shaking' : cat.silent ? 'silent' : '',
    cat.collar === null ? '-' : safe(cat.collar),
    cat.lastSeen ?? '-',
    String(cat.meowsToday),
  ]);
  return table(['id', 'name', 'location', 'now', 'collar', 'last seen', 'meows today'], rows);
}
