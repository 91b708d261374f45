/** Digests of the models: for each cat over its rows in the order of their keys, and over all cats by number. */
import { createHash } from 'node:crypto';
import type { FactKey } from '../models/model.ts';
import type { Db } from './agents.ts';
import type { ModelTables } from './model-tables.ts';
import type { CatTable, MeowingTable } from './tables.ts';

const PAGE_ROWS = 5_000;
/** Text that is hashed at once: many small updates cost more than what they hash. */
const HASHED_CHARS = 8_192;

/** From which key on a cat is left out, and its row of `cat` with it: something arrived there that not all have seen. */
export type Horizon = ReadonlyMap<number, FactKey>;

/** What a model says of its cats, wherever it is kept. */
export interface ModelRows {
  catIds(): Promise<readonly number[]>;
  /** Null where nothing is known of it. */
  cat(catId: number): Promise<CatTable | null>;
  /** In the order of their keys, in pages. */
  meowing(catId: number): AsyncIterable<readonly MeowingTable[]>;
}

export interface CatHash {
  add(row: MeowingTable): void;
  /** In hex; null where nothing was hashed. */
  end(cat: CatTable | null): string | null;
}

/** Over the rows of one cat below its horizon. */
export function createCatHash(horizon: FactKey | undefined): CatHash {
  const hash = createHash('sha256');
  let text = '';
  let isEmpty = true;
  const add = (line: string) => {
    text += line;
    isEmpty = false;
    if (text.length < HASHED_CHARS) return;
    hash.update(text);
    text = '';
  };
  return {
    add(row) {
      if (horizon !== undefined && row.key >= horizon) return;
      add(lineOf(row));
    },
    end(cat) {
      if (horizon === undefined && cat !== null) add(`${JSON.stringify(catFields(cat))}\n`);
      return isEmpty ? null : hash.update(text).digest('hex');
    },
  };
}

export async function catHashes(model: ModelRows, horizon: Horizon): Promise<ReadonlyMap<number, string>> {
  const hashes = new Map<number, string>();
  for (const catId of await model.catIds()) {
    const hash = createCatHash(horizon.get(catId));
    for await (const rows of model.meowing(catId)) for (const row of rows) hash.add(row);
    const hex = hash.end(await model.cat(catId));
    if (hex !== null) hashes.set(catId, hex);
  }
  return hashes;
}

/** Over all cats. */
export function modelDigest(hashes: ReadonlyMap<number, string>): string {
  const hash = createHash('sha256');
  for (const [catId, hex] of [...hashes].sort(([a], [b]) => a - b)) hash.update(`${catId} ${hex}\n`);
  return hash.digest('hex');
}

/** The rows of a version. */
export function tableRows(db: Db, tables: ModelTables): ModelRows {
  return {
    async catIds() {
      const cats = await db.selectFrom(tables.cat).select('id').execute();
      const changes = await db.selectFrom(tables.meowing).select('cat_id').distinct().execute();
      return [...new Set([...cats.map(({ id }) => id), ...changes.map(({ cat_id }) => cat_id)])].sort((a, b) => a - b);
    },
    async cat(catId) {
      const row = await db.selectFrom(tables.cat).selectAll().where('id', '=', catId).executeTakeFirst();
      // All that it ever had was taken back: as if it had never been.
      return row === undefined || row.key === '' ? null : row;
    },
    async *meowing(catId) {
      for (let key = ''; ; ) {
        const page = db.selectFrom(tables.meowing).selectAll().where('cat_id', '=', catId).where('key', '>', key);
        const rows = await page.orderBy('key').limit(PAGE_ROWS).execute();
        yield rows;
        if (rows.length < PAGE_ROWS) return;
        key = rows.at(-1)?.key ?? key;
      }
    },
  };
}

/** As `meowingFields`, without their names: there are many. */
function lineOf(row: MeowingTable): string {
  const { cat_id, key, id, timestamp, location, event_type, old_value, new_value } = row;
  return `${JSON.stringify([cat_id, key, id, timestamp, location, event_type, old_value, new_value])}\n`;
}

/** What of a row is compared: all that people can query, and where it stands. Not the text of the state. */
export function catFields(row: CatTable): Record<string, unknown> {
  const { state: _state, ...fields } = row;
  return fields;
}

export function meowingFields(row: MeowingTable): Record<string, unknown> {
  const { cat_id, key, id, timestamp, location, event_type, old_value, new_value } = row;
  return { cat_id, key, id, timestamp, location, event_type, old_value, new_value };
}
