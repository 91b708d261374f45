import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { openStore } from '../../src/central/open-store.ts';
import { openTape } from '../../src/cli/open-tape.ts';
import type { Question } from '../../src/cli/tape.ts';
import { newEvent } from '../../src/contract/event.ts';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'collard-tape-'));
});

afterEach(() => rmSync(home, { recursive: true }));

const at = (second: number) =>
  ({
    time: new Date(1_700_000_000_000 + second * 1_000).toISOString(),
    clock: 'synced',
    boot: null,
    monoMs: null,
  }) as const;
const meow = (second: number, collar = 'A') =>
  newEvent('meow.started', `collar/${collar}`, { level: second }, at(second));

/** The levels that a tape gives, `limit` at most at a time. */
async function levels(config: string, question: Question, limit: number): Promise<number[]> {
  const tape = await openTape(config, question);
  const found: number[] = [];
  for (;;) {
    const page = await tape.next(limit);
    if (page.length === 0) break;
    found.push(...page.map(({ event }) => JSON.parse(event.data).level ?? 0));
  }
  await tape.close();
  return found;
}

describe('a tape', () => {
  it('goes through a log both ways, over its epochs', async () => {
    const config = join(home, 'agent.yaml');
    const path = join(home, 'events.db');
    writeFileSync(
      config,
      `agent: porch\nsources: [{ serial: /dev/x }]\nlog: { path: ${path} }\nmqtt: { url: "mqtt://127.0.0.1" }\n`,
    );
    const log = await openEventLog(
      { path, agent: 'porch', keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 },
      { when: () => at(0) },
    );
    await log.append(Array.from({ length: 600 }, (_, n) => meow(n, n % 50 === 0 ? 'B' : 'A')));
    await log.startEpoch('test');
    await log.startEpoch('and one without events');
    await log.append([meow(600, 'B')]);
    const all = Array.from({ length: 601 }, (_, n) => n);
    // Broken off after each page: another tape goes on from there, also over the end of an epoch.
    const found: number[] = [];
    for (let place: unknown; ; ) {
      const tape = await openTape(config, { scan: true, ...(place === undefined ? {} : { place }) });
      expect(tape.place()).toEqual(place ?? null);
      const page = await tape.next(150);
      place = JSON.parse(JSON.stringify(tape.place()));
      await tape.close();
      if (page.length === 0) break;
      found.push(...page.map(({ event }) => JSON.parse(event.data).level ?? 0));
    }
    expect(found).toEqual(all);
    for (const limit of [1_000, 7]) {
      expect(await levels(config, { order: 'asc' }, limit)).toEqual(all);
      expect(await levels(config, { order: 'desc' }, limit)).toEqual([...all].reverse());
    }
    const rare = all.filter((n) => n % 50 === 0);
    expect(await levels(config, { collar: 'B', order: 'desc' }, 3)).toEqual([...rare].reverse());
    expect(await levels(config, { collar: 'B', agent: 'porch' }, 3)).toEqual(rare);
    expect(await levels(config, { agent: 'hall' }, 3)).toEqual([]);
    await log.close();
  });

  it('goes through a store by position or by time, both ways', async () => {
    const config = join(home, 'central.yaml');
    const url = `sqlite:${join(home, 'central.db')}`;
    writeFileSync(config, `store: { url: "${url}" }\nmqtt: { url: "mqtt://127.0.0.1" }\n`);
    const store = await openStore({ url });
    const epoch = '01a20867-068a-70da-b9ee-759f41bde6a8';
    const events = [3, 1, 4, 2].map((second, i) => ({ ...meow(second), epoch, seq: i + 1 }));
    await store.ingest({ agent: 'porch', events, chain: null }, at(9).time);
    await store.close();
    for (const limit of [1, 3, 9]) {
      expect(await levels(config, {}, limit)).toEqual([3, 1, 4, 2]);
      expect(await levels(config, { sort: 'time' }, limit)).toEqual([1, 2, 3, 4]);
      expect(await levels(config, { order: 'desc' }, limit)).toEqual([4, 3, 2, 1]);
    }
    const tape = await openTape(config, { sort: 'time', from: at(2).time });
    await tape.next(2);
    expect(await levels(config, { after: tape.cursor() ?? '' }, 9)).toEqual([4]);
    expect(await tape.event(epoch, 2)).toMatchObject({ agent: 'porch', event: { seq: 2 } });
    await tape.close();
  });
});
