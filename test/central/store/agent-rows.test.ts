/** What is told of agents, few or many. */
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../src/central/open-store.ts';
import { PAGE_RUNS } from '../../../src/central/store/missing.ts';
import type { AgentRow, Store } from '../../../src/central/store/store.ts';
import { MAX_RUNS, missingRanges } from '../../../src/central/store/walk.ts';
import { newKey } from '../../contract/signing.ts';
import { freshUrl, insertRows } from '../engines/fresh.ts';
import { at, createWriter, epochId, meowing, NOW } from './events.ts';
import { type LoggedReader, openLogged } from './logged.ts';
import { quarantine, saveHealth, saveState } from './said.ts';

const KEY = newKey().publicKey;

/** Fills an empty store, closes it, and looks at it. */
async function withStore<T>(
  fill: (store: Store, url: string) => Promise<void>,
  look: (logged: LoggedReader) => Promise<T>,
): Promise<T> {
  const url = await freshUrl();
  const store = await openStore({ url });
  await fill(store, url);
  await store.close();
  const logged = await openLogged(url);
  try {
    return await look(logged);
  } finally {
    await logged.close();
  }
}

const nameOf = (n: number) => `agent${String(n).padStart(2, '0')}`;

/** Agent n, of one of three kinds: all is there, a hole, a loss. Of some more is told. Resolves to what is to be told of it. */
async function addAgent(store: Store, n: number): Promise<Partial<AgentRow>> {
  const agent = nameOf(n);
  const [older, epoch] = [epochId(2 * n), epochId(2 * n + 1)];
  const writer = createWriter(agent, epoch);
  for (let seq = 1; seq <= 12; seq += 1) writer.add('meow.started', `collar/C${n}`, { level: 1 }, 100 * n + seq);
  await store.ingest(meowing(agent, older, 2).batch(1, 2), NOW);
  await store.ingest(writer.batch(1, 3), NOW);
  const kind = n % 3;
  if (kind === 1) await store.ingest(writer.batch(7, 8), NOW);
  if (kind === 2) await store.sync(agent, { epoch, firstSeq: 8, lastSeq: 12, chain: writer.chain(12) }, NOW);
  const conflicts = n % 2;
  if (conflicts === 1) {
    await store.ingest(meowing(agent, epoch, 12, 'OTHER').batch(2, 2), NOW);
    await store.enrollKey(agent, KEY, 'enrolled', NOW);
    await saveHealth(store, agent, { queue: n }, at(n));
  }
  const quarantined = n % 4;
  for (let i = 0; i < quarantined; i += 1) {
    const payload = Buffer.from(`${agent} ${i}`);
    await quarantine(store, { agent, topic: `t/${agent}`, payload, reason: 'no', kind: 'refused' }, NOW);
  }
  return {
    agent,
    signed: conflicts === 1 ? 'verified' : 'unsigned',
    lastEvent: at(100 * n + (kind === 1 ? 8 : 3)),
    health: conflicts === 1 ? { queue: n } : null,
    epochs: [
      { epoch: older, mark: 2, highestSeq: 2, missing: 0, chainOk: true },
      { epoch, mark: 3, highestSeq: [3, 8, 12][kind] ?? 0, missing: [0, 3, 5][kind] ?? 0, chainOk: true },
    ],
    conflicts,
    gaps: kind === 2 ? 1 : 0,
    quarantined,
  };
}

describe('rows of agents', () => {
  it('tell each what is its own, in as many queries for 30 agents as for 3', async () => {
    const made: number[] = [];
    for (const count of [3, 30]) {
      const expected: Partial<AgentRow>[] = [];
      const fill = async (store: Store) => {
        // Not in the order of their names.
        for (let n = count; n >= 1; n -= 1) expected.unshift(await addAgent(store, n));
        await saveState(store, 'zero', { state: 'online', session: 7, version: '1' }, NOW);
      };
      await withStore(fill, async ({ reader, queriesOf }) => {
        let rows: readonly AgentRow[] = [];
        const queries = await queriesOf(async () => {
          rows = await reader.agents();
        });
        made.push(queries.length);
        expect(rows).toMatchObject([...expected, { agent: 'zero', state: 'online', lastEvent: null, epochs: [] }]);
        expect(rows.at(-1)).toMatchObject({ conflicts: 0, gaps: 0, quarantined: 0, signed: 'unsigned', health: null });
      });
    }
    expect(made[1]).toBe(made[0]);
  });

  it('count what is missing as the answers to agents tell it, over pages of runs and past what is looked at', async () => {
    // The first epoch has more runs than a page, and others more than are looked at. The second page ends within the last epoch.
    const runs = [PAGE_RUNS + 7, MAX_RUNS - 100, MAX_RUNS + 7, MAX_RUNS, MAX_RUNS - 2, MAX_RUNS - 1];
    const lastSeq = 99_999;
    const fill = async (store: Store, url: string) => {
      for (let n = 1; n <= runs.length; n += 1) {
        const { agent, epoch, chain, batch } = meowing(nameOf(n), epochId(n), 1);
        await store.ingest(batch(1, 1), NOW);
        await store.sync(agent, { epoch, firstSeq: 1, lastSeq, chain: chain(1) }, NOW);
      }
      const logged = await openLogged(url);
      const epochs = await logged.db
        .selectFrom('epoch')
        .selectAll()
        .where('highest_seq', '=', lastSeq)
        .orderBy('no')
        .execute();
      await logged.close();
      const rows = epochs.flatMap(({ no }, e) =>
        Array.from({ length: runs[e] ?? 0 }, (_, i) => {
          return { epoch_no: no, from_seq: 5 * i + 2, to_seq: 5 * i + 3 };
        }),
      );
      await insertRows(url, 'island', rows);
      // Some overlap what is there: it came after all. One epoch has as many as are looked at, of which one is below the mark.
      const last = epochs.at(-1)?.no ?? 0;
      const lost = rows
        .filter(({ epoch_no }, i) => epoch_no === last || i % 5 === 0)
        .map((row) => ({ ...row, to_seq: row.to_seq + 1 }));
      lost.push({ epoch_no: last, from_seq: 1, to_seq: 1 });
      const more = { reason: 'lost', noted: NOW };
      await insertRows(
        url,
        'gap',
        lost.map((row) => ({ ...row, ...more })),
      );
    };
    await withStore(fill, async ({ db, reader }) => {
      const epochs = await db
        .selectFrom('epoch')
        .selectAll()
        .where('highest_seq', '=', lastSeq)
        .orderBy('epoch')
        .execute();
      const wanted: number[] = [];
      for (const epoch of epochs) {
        const ranges = await missingRanges(db, epoch, Number.MAX_SAFE_INTEGER);
        wanted.push(ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0));
      }
      expect(new Set(wanted).size).toBeGreaterThan(2);
      expect((await reader.agents()).map(({ epochs: [epoch] }) => epoch?.missing)).toEqual(wanted);
    });
  });
});
