/**
 * What fencing is for, by the oracle of the fault runs: two owners of a shard, one of which falls asleep in its transaction. Without the
 * fence, as many programs go by a lease alone, the mark goes back; with it the other one waits, and who comes too late is refused.
 */
import { type CompiledQuery, Kysely } from 'kysely';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../../../src/central/open-store.ts';
import type { SqlDialect, StoreAdapter } from '../../../../src/central/store/dialect.ts';
import type { Holdings } from '../../../../src/central/store/fence.ts';
import { createIngest } from '../../../../src/central/store/ingest.ts';
import { openDialect } from '../../../../src/central/store/open-dialect.ts';
import type { Tables } from '../../../../src/central/store/tables.ts';
import { chainHex } from '../../../../src/contract/chain.ts';
import { shardOf } from '../../../../src/contract/topic.ts';
import { compareAll, EVENTS, type EventRow, heldOf, MARKS, type MarkRow } from '../../../faults/nemesis-oracle.ts';
import { freshUrl, rowsOf } from '../../engines/fresh.ts';
import { epochId, meowing, NOW } from '../events.ts';

const EPOCH = epochId(1);
const LAST = 20;
const shard = shardOf('porch');
const porch = meowing('porch', EPOCH, LAST);

/** A fence that is off: no row is locked, and all have the same token. */
async function openOwner(url: string, fenced: boolean, token: number, asleep = async () => undefined) {
  const dialect = await openDialect(url, undefined);
  const db = new Kysely<Tables>({ dialect: { ...dialect.kysely, ...changed(dialect, fenced, asleep) } });
  onTestFinished(() => db.destroy());
  const holdings: Holdings = { owner: `owner ${token}`, tokens: new Map([[shard, fenced ? token : 1]]) };
  return createIngest(db, holdings, () => 'incarnation');
}

/** Falls asleep once, after it has read how far the epoch is and before it writes that down. */
function changed({ kysely }: SqlDialect, fenced: boolean, asleep: () => Promise<unknown>) {
  let hasSlept = false;
  return {
    createDriver() {
      const driver = kysely.createDriver();
      const acquireConnection: typeof driver.acquireConnection = async (options) => {
        const connection = await driver.acquireConnection(options);
        const ask = connection.executeQuery.bind(connection);
        connection.executeQuery = async <R>(query: CompiledQuery) => {
          const result = await ask<R>(query);
          if (hasSlept || !/^select \* from .epoch. /.test(query.sql)) return result;
          hasSlept = true;
          await asleep();
          return result;
        };
        return connection;
      };
      return { ...driver, acquireConnection };
    },
    createAdapter() {
      const adapter = kysely.createAdapter() as StoreAdapter;
      return fenced ? adapter : Object.assign(adapter, { words: { ...adapter.words, rowLocks: false } });
    },
  };
}

async function found(url: string): Promise<string | null> {
  const events = await rowsOf(url, EVENTS.replace('?', `'porch'`));
  const marks = await rowsOf(url, MARKS);
  const held = heldOf(events as unknown as EventRow[], [], marks as unknown as MarkRow[]);
  const card = {
    epochs: [{ epoch: EPOCH, firstSeq: 1, lastSeq: LAST }],
    events: porch.events,
    chains: new Map([[EPOCH, chainHex(porch.chain(LAST))]]),
  };
  const { lost, doubled, breach } = compareAll(card, [], held, true);
  expect([lost, doubled]).toEqual([0, 0]);
  return breach;
}

describe('two owners of a shard, one asleep in its transaction', () => {
  /** The first one answers a sync while the second one takes in what has come since. */
  const meet = async (fenced: boolean) => {
    const url = await freshUrl();
    const before = await openStore({ url, shared: true });
    onTestFinished(() => before.close());
    await before.takeShard(shard, { token: 1, owner: 'first' });
    const second = await openOwner(url, fenced, 2);
    let taken: Promise<unknown> = Promise.resolve();
    const takeIn = async () => {
      if (fenced) await before.takeShard(shard, { token: 2, owner: 'second' });
      await second.ingest(porch.batch(11, LAST), NOW);
    };
    const first = await openOwner(url, fenced, 1, async () => {
      taken = takeIn();
      // With the fence it waits for the one that is asleep.
      if (!fenced) await taken;
    });
    await before.ofShard(shard, { token: 1, owner: 'first' }).ingest(porch.batch(1, 10), NOW);
    const sync = { epoch: EPOCH, firstSeq: 1, lastSeq: LAST, chain: porch.chain(LAST) };
    const answered = await first.sync('porch', sync, NOW).then(
      () => 'answered',
      (error: Error & { readonly code?: unknown }) => error.code,
    );
    await taken;
    return { url, answered, again: () => first.sync('porch', sync, NOW) };
  };

  it('leave the marks right where tokens and locks are checked, and who comes too late is refused', async () => {
    const { url, answered, again } = await meet(true);
    // What follows its transaction is refused, where the second one has been as quick.
    expect(['answered', 'FENCED']).toContain(answered);
    await expect(again()).rejects.toMatchObject({ code: 'FENCED' });
    expect(await found(url)).toBeNull();
  });

  it('control: set a mark back where they are not, and the oracle tells', async () => {
    const { url, answered } = await meet(false);
    expect(answered).toBe('answered');
    expect(await found(url)).toBe("central's mark is 10, the card ends at 20");
  });
});
