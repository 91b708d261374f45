/** What takes many messages to fill. The code is the same for every database, and so are its limits. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_CONFLICTS_OF_AGENT } from '../../../src/central/store/conflicts.ts';
import type { Kept } from '../../../src/central/store/kept.ts';
import {
  MAX_MESSAGE_BYTES,
  MAX_QUARANTINE,
  MAX_QUARANTINE_BYTES,
  MAX_QUARANTINE_BYTES_OF_AGENT,
  MAX_QUARANTINE_OF_AGENT,
} from '../../../src/central/store/quarantine.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { freshStore } from '../engines/fresh.ts';
import { epochId, meowing, NOW } from './events.ts';
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
