/**
 * The program under fault of `schema`: central's store is made as it was at the migration `from`, with rows in its tables, and
 * is then opened by the real program, which brings it up to date. Its argument is a `SchemaPlan` in JSON. Says `a N` when N rows
 * are to be found from now on, and `m 1` before the opening that is under fault.
 */
import { writeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { Migrator } from 'kysely/migration';
import { openStore } from '../../src/central/open-store.ts';
import { fillOldStore } from './old-store.ts';

export interface SchemaPlan {
  readonly path: string;
  /** null: there is no store yet. */
  readonly from: string | null;
  readonly rows: number;
}

const plan = JSON.parse(process.argv[2] ?? '') as SchemaPlan;
const url = `sqlite:${plan.path}`;

if (plan.from !== null) {
  await migrateTo(plan.from);
  const file = new Database(plan.path);
  file.pragma('synchronous = FULL');
  fillOldStore(file, plan.rows);
  file.close();
  writeSync(1, `a ${plan.rows}\n`);
}
writeSync(1, 'm 1\n');
const store = await openStore({ url });
await store.close();

/** As the program of that time left it: what comes behind its migrations is not for this one to do. */
async function migrateTo(from: string): Promise<void> {
  const toLatest = Migrator.prototype.migrateToLatest;
  const thatFar = new Error(`the schema is that of ${from}`);
  Migrator.prototype.migrateToLatest = async function (this: Migrator) {
    const { error = thatFar } = await this.migrateTo(from);
    return { error };
  };
  try {
    await openStore({ url }).catch(({ cause }: Error) => {
      if (cause !== thatFar) throw cause;
    });
  } finally {
    Migrator.prototype.migrateToLatest = toLatest;
  }
}
