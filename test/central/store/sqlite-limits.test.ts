/** What takes many messages to fill. The code is the same for every database, and so are its limits. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_CONFLICTS_OF_AGENT } from '../../../src/central/store/conflicts.ts';
import { MAX_GAP_ROWS } from '../../../src/central/store/gaps.ts';
import type { Kept } from '../../../src/central/store/kept.ts';
import {
  MAX_MESSAGE_BYTES,
  MAX_QUARANTINE,
  MAX_QUARANTINE_BYTES,
  MAX_QUARANTINE_BYTES_OF_AGENT,
  MAX_QUARANTINE_OF_AGENT,
} from '../../../src/central/store/quarantine.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { MAX_BATCH_EVENTS } from '../../../src/contract/envelope.ts';
import { lostData, MAX_LOST_RANGES } from '../../../src/contract/lost.ts';
import type { SeqRange } from '../../../src/contract/message.ts';
import { freshStore } from '../engines/fresh.ts';
import { createWriter, epochId, meowing, NOW, type Writer } from './events.ts';
import { quarantine, saveState } from './said.ts';

let store: Store;

beforeEach(async () => {
  store = await freshStore();
});
afterEach(() => store.close());

const known = (agent: string) => saveState(store, agent, { state: 'online', session: 1, version: '1' }, NOW);
const put = (agent: string, text: string | Buffer, now = NOW) =>
  quarantine(
    store,
    { agent, topic: `t/${agent}`, payload: Buffer.from(text), kind: 'unreadable', reason: 'is no JSON' },
    now,
  );
const all = (): Promise<readonly Kept[]> => store.quarantined({ after: 0, limit: 10_000 });

describe('the quarantine of the store', () => {
  it('lets an agent that floods push out only its own, and counts what goes', async () => {
    for (const agent of ['porch', 'shed']) await known(agent);
    for (let i = 0; i < 3; i += 1) await put('shed', `shed ${i}`);
    for (let i = 0; i < MAX_QUARANTINE_OF_AGENT + 10; i += 1) await put('porch', `porch ${i}`);
    const kept = await all();
    expect(kept.filter(({ agent }) => agent === 'shed')).toHaveLength(3);
    expect(kept.filter(({ agent }) => agent === 'porch')).toHaveLength(MAX_QUARANTINE_OF_AGENT);
    expect(kept.find(({ agent }) => agent === 'porch')?.no).toBe(14);
    const dropped = [{ agent: 'porch', kind: 'unreadable', messages: 10 }];
    expect((await store.quarantineTally()).dropped).toEqual(dropped);
  });

  it('lets whoever has most go first when all together are too many', async () => {
    const floods = Array.from({ length: MAX_QUARANTINE / MAX_QUARANTINE_OF_AGENT }, (_, i) => `flood${i}`);
    for (const agent of [...floods, 'shed']) await known(agent);
    await put('shed', 'the only one');
    for (const agent of floods) for (let i = 0; i < MAX_QUARANTINE_OF_AGENT; i += 1) await put(agent, `${agent} ${i}`);
    const tally = await store.quarantineTally();
    expect([tally.messages, tally.dropped.map((one) => one.messages)]).toEqual([MAX_QUARANTINE, [1]]);
    expect((await all())[0]).toMatchObject({ agent: 'shed' });
  });

  it('keeps within its bytes, of one agent and of all', async () => {
    const agents = Array.from({ length: 5 }, (_, i) => `a${i}`);
    for (const agent of agents) {
      await known(agent);
      for (let i = 0; i < 18; i += 1) await put(agent, Buffer.alloc(MAX_MESSAGE_BYTES, `${agent} ${i} `));
      const own = (await all()).filter((kept) => kept.agent === agent).length;
      expect(own * MAX_MESSAGE_BYTES).toBeLessThanOrEqual(MAX_QUARANTINE_BYTES_OF_AGENT);
    }
    expect((await store.quarantineTally()).bytes).toBe(MAX_QUARANTINE_BYTES);
    const { messages, dropped } = await store.quarantineTally();
    expect(messages + dropped.reduce((sum, one) => sum + one.messages, 0)).toBe(90);
  }, 30_000);
});

describe('conflicts', () => {
  it('beyond the limit of one agent are counted, and leave room for those of others', async () => {
    const ingest = async (agent: string, n: number, collar: string) => {
      const writer = meowing(agent, epochId(n), 500, collar);
      return store.ingest(writer.batch(1, 500), NOW);
    };
    for (const [agent, n] of [
      ['porch', 1],
      ['shed', 2],
    ] as const)
      await ingest(agent, n, 'C0FFEE01');
    let unkept = 0;
    for (let i = 0; i < MAX_CONFLICTS_OF_AGENT / 500 + 1; i += 1) {
      unkept += (await ingest('porch', 1, `COPY${i}`)).unkept;
    }
    expect(unkept).toBe(500);
    expect((await store.counts()).conflicts).toBe(MAX_CONFLICTS_OF_AGENT);
    expect(await ingest('shed', 2, 'COPY')).toMatchObject({ conflicts: 500, unkept: 0 });
    expect((await store.quarantineTally()).dropped).toEqual([{ agent: 'porch', kind: 'conflict', messages: 500 }]);
  }, 30_000);
});

describe('what is told as lost', () => {
  /** As many single numbers as an event may tell, from a number on. */
  const tellSingles = (writer: Writer, from: number) => {
    const ranges = Array.from({ length: MAX_LOST_RANGES }, (_, i): SeqRange => [from + 2 * i, from + 2 * i]);
    for (const lost of lostData(writer.epoch, ranges, from % 2 === 0 ? 'sensors' : 'batteries'))
      writer.add('history.lost', null, lost, 1);
  };

  it('may fill a batch, and another between what the first one told: that is far below the limit', async () => {
    const porch = createWriter('porch', epochId(1));
    for (const first of [10_000, 10_001]) {
      for (let i = 0; i < MAX_BATCH_EVENTS; i += 1) tellSingles(porch, first + i * 2 * MAX_LOST_RANGES);
    }
    for (let at = 1; at < porch.events.length; at += MAX_BATCH_EVENTS) {
      const batch = porch.batch(at, at + MAX_BATCH_EVENTS - 1);
      expect(await store.ingest(batch, NOW)).toMatchObject({ inserted: MAX_BATCH_EVENTS });
    }
    expect(await store.counts()).toMatchObject({ gaps: 2 * MAX_BATCH_EVENTS * MAX_LOST_RANGES });
  }, 120_000);

  it('keeps central busy within a limit, however little it takes to tell all of it again', async () => {
    const porch = createWriter('porch', epochId(1));
    const full = 20;
    for (let i = 0; i < full; i += 1) tellSingles(porch, 10_000 + i * 2 * MAX_LOST_RANGES);
    const [fromSeq, toSeq] = [10_000, 10_000 + full * 2 * MAX_LOST_RANGES];
    const gaps = 2 * full * MAX_LOST_RANGES;
    const again = Math.ceil(MAX_GAP_ROWS / gaps);
    const lost = { epoch: porch.epoch, fromSeq, toSeq, count: toSeq - fromSeq + 1, reason: 'all of it' };
    for (let i = 0; i < again + 1; i += 1) porch.add('history.lost', null, lost, 2);
    await store.ingest(porch.batch(1, full + 1), NOW);
    await expect(store.ingest(porch.batch(full + 2, full + again + 1), NOW)).rejects.toMatchObject({ code: 'REFUSED' });
    expect(await store.counts()).toMatchObject({ events: full + 1 });
    // In pieces it is taken: nobody is shut out.
    expect(await store.ingest(porch.batch(full + 2, full + 9), NOW)).toMatchObject({ inserted: 8 });
  }, 120_000);
});
