/** How much of what is stored. */
import { type Kysely, sql } from 'kysely';
import type { StoredVersion } from './fold-status.ts';
import { liveTables } from './model-tables.ts';
import { countSkipped } from './skipped.ts';
import type { Tables } from './tables.ts';

export async function counts(db: Kysely<Tables>) {
  const count = async (table: 'event' | 'conflict' | 'gap') => {
    const found = await db
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<number>().as('n'))
      .executeTakeFirstOrThrow();
    return found.n;
  };
  // Arrivals are gapless, so the counters tell the number of events without a scan.
  const { arrived } = await db
    .selectFrom('shard')
    .select(sql<number>`coalesce(sum(next_arrival - 1), 0)`.as('arrived'))
    .executeTakeFirstOrThrow();
  const { noted } = await db
    .selectFrom('quarantine_tally')
    .select(sql<number>`coalesce(sum(noted), 0)`.as('noted'))
    .where('kind', '<>', 'conflict')
    .executeTakeFirstOrThrow();
  return {
    events: Number(arrived),
    conflicts: await count('conflict'),
    quarantined: Number(noted),
    gaps: await count('gap'),
    skipped: await countSkipped(db, (await liveTables(db)).name),
  };
}

export async function versions(db: Kysely<Tables>): Promise<readonly StoredVersion[]> {
  const rows = await db
    .selectFrom('event')
    .select((eb) => [
      'type',
      'version',
      eb.fn.countAll<number>().as('n'),
      eb.fn.min('time').as('first'),
      eb.fn.max('time').as('last'),
    ])
    .groupBy(['type', 'version'])
    .orderBy('type')
    .orderBy('version')
    .execute();
  return rows.map(({ n, ...row }) => ({ ...row, events: Number(n) }));
}
