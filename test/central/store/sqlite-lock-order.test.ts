/** Rows that a server locks, and in which order, over a scripted wire. In the files of SQLite, since no server is asked. */
import { Kysely } from 'kysely';
import { expect, it } from 'vitest';
import { openDialect } from '../../../src/central/store/open-dialect.ts';
import { createServerDriver } from '../../../src/central/store/server-driver.ts';
import type { Work } from '../../../src/central/store/store.ts';
import type { Tables } from '../../../src/central/store/tables.ts';
import { writeWorks } from '../../../src/central/store/write-works.ts';
import { shardOf } from '../../../src/contract/topic.ts';
import { epochId, meowing, NOW } from './events.ts';

/** What is asked of the wire until the works are written one by one. */
async function askedBefore(works: readonly Work[]): Promise<readonly string[]> {
  const asked: string[] = [];
  const run = async (text: string, values: readonly unknown[]) => {
    if (text.startsWith('savepoint')) throw Object.assign(new Error('enough'), { code: 'STORE_AWAY' });
    asked.push(/from "shard".* for update$/.test(text) ? `lock ${values[0]}` : text);
    const [shard] = values;
    return { rows: [{ shard, next_arrival: 1, next_position: 1, token: 0, owner: null }], affected: 0 };
  };
  const driver = createServerDriver({
    name: 'scripted',
    hurried: () => false,
    meaningOf: () => 'away',
    wires: { take: async () => ({ run, release: () => undefined }), end: async () => undefined },
  });
  const { kysely } = await openDialect('postgres://collard@localhost/collard', undefined);
  const db = new Kysely<Tables>({
    dialect: {
      createDriver: () => driver,
      createAdapter: () => kysely.createAdapter(),
      createQueryCompiler: () => kysely.createQueryCompiler(),
      createIntrospector: (of) => kysely.createIntrospector(of),
    },
  });
  await expect(writeWorks(db, works, null, NOW)).rejects.toMatchObject({ code: 'STORE_AWAY' });
  return asked;
}

const agents = ['porch', 'shed', 'attic', 'barn'];
const batchOf = (agent: string): Work => ({ type: 'batch', batch: meowing(agent, epochId(1), 2).batch(1, 2) });
const syncOf = (agent: string): Work => {
  const { chain } = meowing(agent, epochId(1), 2);
  return { type: 'sync', agent, message: { epoch: epochId(1), firstSeq: 1, lastSeq: 2, chain: chain(2) } };
};

it('the shards of a transaction are locked in the order of their numbers, each once, before anything is written', async () => {
  const shards = agents.map(shardOf);
  expect(new Set(shards).size).toBe(4);
  const sorted = shards.toSorted((a, b) => a - b);
  expect(sorted).not.toEqual(shards);
  const works = agents.flatMap((agent, i) => (i % 2 === 0 ? [batchOf(agent), batchOf(agent)] : [syncOf(agent)]));
  expect(await askedBefore(works)).toEqual(['begin', ...sorted.map((shard) => `lock ${shard}`), 'rollback']);
});

it('one shard alone is locked by who writes it, and words that belong to none lock none', async () => {
  const state = (agent: string): Work => {
    return { type: 'state', agent, message: { state: 'online', session: 1, version: '1' }, heard: NOW };
  };
  expect(await askedBefore([batchOf('porch'), syncOf('porch'), state('shed')])).toEqual(['begin', 'rollback']);
});
