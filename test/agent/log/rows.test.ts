import { describe, expect, it } from 'vitest';
import { appendRows, readEvents, write } from '../../../src/agent/log/core.ts';
import { chainOfEpoch } from '../../../src/agent/log/epoch-chain.ts';
import { assertStorable, whyNotStorable } from '../../../src/agent/log/rows.ts';
import { MAX_DATA_BYTES } from '../../../src/contract/envelope.ts';
import type { NewEvent } from '../../../src/contract/event.ts';
import { event, levels, tempPath } from './log-fixture.ts';
import { newCore } from './thin-rig.ts';

describe('an event that cannot be stored', () => {
  const good = event('meow.started', { level: 1 });
  const unsynced = { ...good, clock: 'unsynced', boot: 'b', monoMs: 1 } as const;
  it.each([
    [good, null],
    [unsynced, null],
    [{ ...good, subject: null }, null],
    [{ ...good, type: 'org.\ud800' }, 'text is not well-formed Unicode'],
    [{ ...good, subject: 'collar/\udfff' }, 'text is not well-formed Unicode'],
    [{ ...unsynced, boot: 'b\ud800' }, 'text is not well-formed Unicode'],
    [{ ...good, data: '{"level":"\ud800"}' }, 'text is not well-formed Unicode'],
    [{ ...good, data: '{"level":' }, 'data is not JSON'],
    [{ ...good, data: '{"level":1 }' }, 'data does not survive JSON'],
    [{ ...good, data: '7' }, 'data is not an object'],
    [{ ...good, data: 'null' }, 'data is not an object'],
    [{ ...good, data: '[1]' }, 'data is not an object'],
    [{ ...good, data: `{"text":"${'x'.repeat(MAX_DATA_BYTES)}"}` }, expect.stringContaining('is too long')],
    [{ ...good, data: `{"text":"${'x'.repeat(MAX_DATA_BYTES - 11)}"}` }, null],
    [{ ...good, data: '{"1":2,"0":1}' }, expect.stringContaining('data')],
    [{ ...good, time: '2026-11-23T06:00:00Z' }, 'time is not RFC 3339 in UTC with milliseconds'],
    [{ ...good, time: '2026-02-30T06:00:00.000Z' }, 'time does not survive'],
    [{ ...good, time: '2026-02-29T06:00:00.000Z' }, 'time does not survive'],
    [{ ...good, time: '2028-02-29T06:00:00.000Z' }, null],
    [{ ...good, time: '2026-12-31T23:59:59.999Z' }, null],
    [{ ...good, time: '2026-11-23T24:00:00.000Z' }, 'time does not survive'],
    [{ ...good, time: '2026-11-00T06:00:00.000Z' }, 'time is not RFC 3339 in UTC with milliseconds'],
    [{ ...good, type: '' }, expect.stringContaining('type')],
    [{ ...good, boot: 'b' }, expect.stringContaining('unsynced')],
    [{ ...good, monoMs: 1 }, expect.stringContaining('unsynced')],
    [{ ...unsynced, boot: null }, expect.stringContaining('unsynced')],
    [{ ...unsynced, monoMs: null }, expect.stringContaining('unsynced')],
  ])('%o: %o', (one, why) => expect(whyNotStorable(one)).toEqual(why));
});

describe('rows that are not there', () => {
  it('are told as runs, within what was asked for', () => {
    const core = newCore(tempPath(), 'e');
    write(core, () => appendRows(core, levels(12)));
    for (const [from, to] of [
      [1, 2],
      [5, 5],
      [8, 9],
    ] as const)
      core.rows.remove(from, to);
    const runs = (from: number, to: number) => core.rows.missing(from, to);
    expect(runs(1, 12)).toEqual([
      [1, 2],
      [5, 5],
      [8, 9],
    ]);
    expect(runs(2, 8)).toEqual([
      [2, 2],
      [5, 5],
      [8, 8],
    ]);
    expect([runs(10, 12), runs(5, 5), runs(6, 6), runs(5, 4), runs(12, 14)]).toEqual([
      [],
      [[5, 5]],
      [],
      [],
      [[13, 14]],
    ]);
    core.db.close();
  });
});

it('an event that cannot be stored is refused by name', () => {
  const [good] = levels(1);
  expect(() => assertStorable([good as NewEvent, { ...(good as NewEvent), data: '{' }])).toThrow(
    expect.objectContaining({
      code: 'BAD_EVENT',
      message: 'event collard.meow.started cannot be stored: data is not JSON',
    }),
  );
});

it('an event of an unsynced clock comes back as it went', () => {
  const core = newCore(tempPath(), 'e');
  const [good] = levels(1);
  const unsynced = { ...(good as NewEvent), clock: 'unsynced', boot: 'b-1', monoMs: 12.25 } as const;
  write(core, () => appendRows(core, [good as NewEvent, unsynced, unsynced]));
  const [epoch] = core.epochs;
  const read = epoch === undefined ? [] : [...core.rows.iterate(epoch, 1, 3)];
  expect(read).toEqual([good, unsynced, unsynced].map((one, i) => ({ ...one, epoch: 'e', seq: i + 1 })));
  expect(core.db.prepare('SELECT text FROM word ORDER BY no').pluck().all()).toEqual(['collard.meow.started', 'b-1']);
  core.db.close();
});

describe('damage in a row', () => {
  const damages: readonly [string, string, string][] = [
    ['a time that no date can name', 'UPDATE event SET time = 8640000000000001 WHERE pos = 2', 'event at 2 is damaged'],
    ['a time before all dates', 'UPDATE event SET time = -8640000000000001 WHERE pos = 2', 'event at 2 is damaged'],
    [
      'a type that the dictionary does not hold',
      'UPDATE event SET type = 77 WHERE pos = 2',
      'dictionary has no word 77',
    ],
    [
      'a boot that the dictionary does not hold',
      'UPDATE event SET boot = 78 WHERE pos = 2',
      'dictionary has no word 78',
    ],
  ];
  it.each(damages)('%s is not given as an event', (_, sql, message) => {
    const core = newCore(tempPath(), 'e');
    write(core, () => appendRows(core, levels(3)));
    core.db.exec(sql);
    const [epoch] = core.epochs;
    if (epoch === undefined) throw new Error('no epoch');
    expect(() => readEvents(core.rows, epoch, { from: 1, to: 3, limit: 9, maxBytes: 1e9 })).toThrow(
      expect.objectContaining({ code: 'SQLITE_CORRUPT', message: expect.stringContaining(message) }),
    );
    core.db.close();
  });

  it('has no chain behind a gap, or behind what is no hash', () => {
    const core = newCore(tempPath(), 'e');
    for (let group = 0; group < 2; group += 1) write(core, () => appendRows(core, levels(5)));
    const [epoch] = core.epochs;
    if (epoch === undefined) throw new Error('no epoch');
    const chainAt = (seq: number) => chainOfEpoch(core.rows, core.chains, epoch, seq);
    expect([chainAt(7), chainAt(9)]).not.toContain(null);
    core.db.exec('DELETE FROM event WHERE pos = 8');
    expect(chainAt(7)).not.toBeNull();
    expect([chainAt(8), chainAt(9)]).toEqual([null, null]);
    expect(chainAt(10)).not.toBeNull();
    core.db.exec('UPDATE chain SET hash = zeroblob(31) WHERE pos = 5');
    expect(() => chainAt(7)).toThrow(
      expect.objectContaining({ code: 'SQLITE_CORRUPT', message: "the log's chain at 5 is no hash" }),
    );
    core.db.close();
  });
});
