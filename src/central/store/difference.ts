/** Where two models differ first. */
import type { FactKey } from '../models/model.ts';
import { catFields, type ModelRows, meowingFields } from './digest.ts';
import type { Difference } from './replay-store.ts';
import type { MeowingTable } from './tables.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Of the cats whose hashes differ, the first by number. Null: the hashes are the same. */
export function firstCat(live: ReadonlyMap<number, string>, rebuilt: ReadonlyMap<number, string>): number | null {
  const ids = [...new Set([...live.keys(), ...rebuilt.keys()])].filter((id) => live.get(id) !== rebuilt.get(id));
  return ids.length === 0 ? null : Math.min(...ids);
}

/** The first row of a cat, below its horizon, that only one side has or that both have otherwise. */
export async function firstDifference(
  live: ModelRows,
  rebuilt: ModelRows,
  catId: number,
  horizon: FactKey | undefined,
): Promise<Difference | null> {
  const [a, b] = [rowsOf(live, catId, horizon), rowsOf(rebuilt, catId, horizon)];
  for (;;) {
    const [one, other] = [(await a.next()).value ?? null, (await b.next()).value ?? null];
    if (one === null && other === null) break;
    // One of them has a row that the other has not: the one that comes first.
    const isOurs = one !== null && (other === null || one.key <= other.key);
    const isTheirs = other !== null && (one === null || other.key <= one.key);
    const [ours, theirs] = [isOurs ? meowingFields(one) : null, isTheirs ? meowingFields(other) : null];
    const at = isOurs ? one : other;
    const found = at === null ? null : difference('meowing', catId, ours, theirs, at);
    if (found !== null) return found;
  }
  if (horizon !== undefined) return null;
  const [one, other] = [await live.cat(catId), await rebuilt.cat(catId)];
  return difference('cat', catId, one && catFields(one), other && catFields(other), null);
}

async function* rowsOf(
  model: ModelRows,
  catId: number,
  horizon: FactKey | undefined,
): AsyncGenerator<MeowingTable, undefined> {
  for await (const rows of model.meowing(catId)) {
    for (const row of rows) if (horizon === undefined || row.key < horizon) yield row;
  }
}

function difference(
  model: Difference['model'],
  catId: number,
  live: Fields | null,
  rebuilt: Fields | null,
  at: MeowingTable | null,
): Difference | null {
  const place = { model, catId, timestamp: at?.timestamp ?? null, event: at?.id ?? null };
  if (live === null || rebuilt === null) return live === rebuilt ? null : { ...place, live, rebuilt };
  const columns = Object.keys(live).filter((column) => live[column] !== rebuilt[column]);
  if (columns.length === 0) return null;
  const only = (fields: Fields) => Object.fromEntries(columns.map((column) => [column, fields[column]]));
  return { ...place, live: only(live), rebuilt: only(rebuilt) };
}
