import { describe, expect, test } from 'vitest';
import type { EventLog } from '../../../src/agent/log/event-log.ts';
import { levels } from '../log/log-fixture.ts';
import { startSession } from './session-rig.ts';

const wrong = new Uint8Array(32).fill(7);
const other = '01a20867-068a-70da-b9ee-759f41bde6a8';

/** Counts how often trimming was held. */
function holds(): { count: number; readonly prepare: (log: EventLog) => void } {
  const held = {
    count: 0,
    prepare(log: EventLog) {
      log.holdTrimming = () => void held.count++;
    },
  };
  return held;
}

/** One event in each of two further epochs. */
async function threeEpochs(log: EventLog): Promise<void> {
  for (const reason of ['one', 'two']) {
    await log.startEpoch(reason);
    await log.append(levels(1));
  }
}

describe('a mark of central', () => {
  test('is kept where it moves, with the store that it comes from, and clears the trouble', async () => {
    const { log, marks, status, clock, stored } = await startSession({ events: 5 });
    status.lastError = 'trouble';
    await stored(0);
    expect([marks, status.lastConfirmed, status.lastError]).toEqual([[[0, 'first']], null, null]);
    clock.nowMs = Date.parse('2026-11-23T06:00:00.000Z');
    await stored(3);
    await stored(3);
    expect([marks.slice(1), status.lastConfirmed]).toEqual([[[3, 'first']], '2026-11-23T06:00:00.000Z']);
    expect([log.incarnation, log.epochs()[0]?.storedSeq]).toEqual(['first', 3]);
  });

  test('is not heard where the word of the broker is enough', async () => {
    const { marks, status, stored } = await startSession({ events: 5, rules: { confirm: 'broker' }, acks: false });
    status.lastError = 'trouble';
    await stored(3);
    expect([marks, status.lastError]).toEqual([[], 'trouble']);
  });

  test('for an epoch that is not here is told once and changes nothing', async () => {
    const { marks, lines, status, stored } = await startSession({ events: 5 });
    status.lastError = 'trouble';
    await stored(3, { epoch: other });
    await stored(4, { epoch: other });
    const text = `central confirms epoch ${other}, which this log does not have: ignored`;
    expect([lines, marks, status.lastError]).toEqual([[{ level: 'warn', fields: {}, text }], [], 'trouble']);
  });

  test('for an epoch that has begun this moment waits for the next look at the log', async () => {
    const { log, marks, hear, settled } = await startSession({ events: 5 });
    await settled();
    const heads = log.epochs.bind(log);
    log.chainAt = async () => wrong;
    log.epochs = () => [...heads(), { epoch: other, firstSeq: 1, lastSeq: 2, storedSeq: 0 }];
    const message = { incarnation: 'first', epoch: other, seq: 1, chain: wrong, need: [] };
    hear({ type: 'stored', message });
    await new Promise((resolve) => setImmediate(resolve));
    log.epochs = heads;
    await settled();
    expect(marks).toEqual([]);
  });

  test('whose chain the log does not know any more is believed', async () => {
    const { log, marks, stored } = await startSession({ events: 5 });
    const chainAt = log.chainAt.bind(log);
    log.chainAt = async (epoch, seq) => (seq === 2 ? null : chainAt(epoch, seq));
    await stored(2, { chain: wrong });
    expect(marks).toEqual([[2, 'first']]);
  });
});

describe('central that comes', () => {
  const online = (fresh: boolean) => ({ type: 'central', online: true, fresh }) as const;

  test('is asked about everything, at once and then not more often than it can answer', async () => {
    const { syncs, clock, hear, stored, settled } = await startSession({ events: 5, rules: { stalledAfterMs: 1e9 } });
    await stored(5);
    expect(syncs).toHaveLength(1);
    hear(online(true));
    await settled();
    expect(syncs).toHaveLength(2);
    await stored(5);
    hear(online(true), online(true));
    await settled();
    clock.nowMs += 299;
    await settled();
    expect(syncs).toHaveLength(2);
    clock.nowMs += 1;
    await settled();
    expect(syncs).toHaveLength(3);
  });

  test('is not asked again where it was there already, or goes', async () => {
    const { syncs, hear, stored, settled } = await startSession({ events: 5 });
    await stored(5);
    hear(online(false), { type: 'central', online: false, fresh: true });
    await settled();
    expect(syncs).toHaveLength(1);
  });
});

describe('another store', () => {
  test('is told, believed at once, and asked about everything', async () => {
    const { log, lines, marks, syncs, names, stored } = await startSession({ events: 15 });
    await stored(15);
    const asked = syncs.length;
    await stored(5, { incarnation: 'second' });
    expect(lines).toEqual([
      {
        level: 'warn',
        fields: { incarnation: 'second' },
        text: 'central is another store than before: it gets what it misses',
      },
    ]);
    expect([marks.at(-1), log.incarnation]).toEqual([[5, 'second'], 'second']);
    expect(syncs).toHaveLength(asked + 1);
    expect(names()).toEqual(['backlog 6-15']);
  });

  test('may be what speaks where the log has marks and knows no store: all is asked about', async () => {
    const saved = { epoch: other, firstSeq: 3, lastSeq: 2, storedSeq: 2 };
    const prepare = (log: EventLog) => {
      const [heads, chainAt] = [log.epochs.bind(log), log.chainAt.bind(log)];
      log.epochs = () => [saved, ...heads()];
      log.chainAt = async (epoch, seq) => (epoch === other ? wrong : chainAt(epoch, seq));
    };
    const { log, syncs, stored, settled } = await startSession({ events: 5, prepare });
    await settled();
    const asked = () => syncs.filter(({ epoch }) => epoch === other).length;
    expect([log.incarnation, asked()]).toEqual([null, 1]);
    await stored(5);
    expect([log.incarnation, asked()]).toEqual(['first', 2]);
    await stored(5);
    expect(asked()).toBe(2);
  });

  test('with the same mark is remembered too', async () => {
    const { marks, stored } = await startSession({ events: 5 });
    await stored(5);
    await stored(5, { incarnation: 'second' });
    expect(marks).toEqual([
      [5, 'first'],
      [5, 'second'],
    ]);
  });

  test('has confirmed nothing of ended epochs until it says so: the marks of the one before do not stand, also on the next link', async () => {
    const { log, stored } = await startSession({ events: 5, prepare: threeEpochs });
    const marks = () => log.epochs().map(({ storedSeq }) => storedSeq);
    const [ended = '', , current = ''] = log.epochs().map(({ epoch }) => epoch);
    await stored(5, { epoch: ended });
    await stored(1, { epoch: current });
    expect(marks()).toEqual([5, 0, 1]);
    await stored(1, { epoch: current, incarnation: 'second' });
    expect(marks()).toEqual([0, 0, 1]);
    await stored(5, { epoch: ended, incarnation: 'second' });
    expect([marks(), log.incarnation]).toEqual([[5, 0, 1], 'second']);
  });

  test('is believed of the ended epoch that it speaks of first', async () => {
    const { log, stored } = await startSession({ events: 5, prepare: threeEpochs });
    const [ended = '', between = ''] = log.epochs().map(({ epoch }) => epoch);
    await stored(5, { epoch: ended });
    await stored(1, { epoch: between });
    await stored(3, { epoch: ended, incarnation: 'second' });
    expect(log.epochs().map(({ storedSeq }) => storedSeq)).toEqual([3, 0, 0]);
  });

  test('and yet another are not heard before a minute has passed; then all is asked anew', async () => {
    const { texts, marks, syncs, clock, stored, settled } = await startSession({
      events: 5,
      rules: { stalledAfterMs: 1e9, syncAfterMs: 1e9 },
    });
    await stored(5);
    await stored(5, { incarnation: 'second' });
    await stored(5, { incarnation: 'second' });
    const [asked, kept] = [syncs.length, marks.length];
    clock.nowMs += 59_999;
    await stored(2, { incarnation: 'third' });
    await stored(2, { incarnation: 'fourth' });
    expect([syncs.length, marks.length]).toEqual([asked, kept]);
    expect(texts().filter((text) => text.includes('several'))).toEqual([
      'several stores speak as central: one at a time is heard',
    ]);
    clock.nowMs += 1;
    await settled();
    expect(syncs.length).toBe(asked + 1);
    await stored(2, { incarnation: 'third' });
    expect(marks.at(-1)).toEqual([2, 'third']);
  });
});

describe('a mark above the log', () => {
  test('begins a new epoch, and what is not confirmed of the old one is kept and sent once', async () => {
    const held = holds();
    const { log, epoch, lines, names, stored } = await startSession({ events: 5, ...held });
    await stored(800);
    const next = log.epochs().at(-1)?.epoch;
    expect([log.epochs().length, held.count, names()]).toEqual([2, 1, ['backlog 1-5']]);
    expect(lines).toEqual([
      {
        level: 'error',
        fields: {},
        text: `central holds events of epoch ${epoch} up to 800, this log ends at 5: what is missing here is there`,
      },
      {
        level: 'error',
        fields: { epoch, next, reason: 'mark above the log' },
        text: 'a new epoch begins: mark above the log',
      },
    ]);
  });

  test('settles the old one when central has named what came, by a chain that is ours', async () => {
    const { log, epoch, marks, names, clock, stored, settled } = await startSession({ events: 5 });
    const asked = async () => {
      clock.nowMs += 1_001;
      await settled();
    };
    const chain = (await log.chainAt(epoch, 5)) ?? wrong;
    await stored(800, { batch: null });
    await asked();
    // Another history under the same numbers; numbers that we never gave; a chain that nobody knows any more.
    await stored(800, { batch: { from: 1, to: 5, chain: wrong } });
    await asked();
    await stored(800, { batch: { from: 1, to: 9, chain } });
    await asked();
    const chainAt = log.chainAt.bind(log);
    log.chainAt = async (of, seq) => (seq === 5 ? null : chainAt(of, seq));
    await stored(800, { batch: { from: 1, to: 5, chain } });
    log.chainAt = chainAt;
    expect(marks).toEqual([]);
    await asked();
    await stored(800, { batch: { from: 1, to: 5, chain } });
    await asked();
    await stored(800, { batch: null });
    expect(marks).toEqual([[5, 'first']]);
    expect(names().length).toBeGreaterThan(1);
  });

  test('where all was confirmed puts nothing at stake: a new epoch begins and no more is said', async () => {
    const held = holds();
    const { log, texts, stored } = await startSession({ events: 5, ...held });
    await stored(5);
    await stored(800);
    expect([log.epochs().length, held.count, texts()]).toEqual([2, 0, ['a new epoch begins: mark above the log']]);
  });

  test('of the next epoch too is left aside for a while: the log goes on in it', async () => {
    const { log, texts, marks, stored } = await startSession({ events: 5 });
    await stored(800);
    const second = log.epochs().at(-1)?.epoch ?? '';
    await log.append(levels(2));
    await stored(900, { epoch: second });
    expect([log.epochs().length, marks]).toEqual([2, []]);
    expect(texts().at(-1)).toBe(
      `a new epoch began not long ago: what central says of ${second} (mark above the log) is left aside for a while`,
    );
  });

  test('of an epoch that is closed begins no other', async () => {
    const { log, epoch, marks, clock, stored, settled } = await startSession({
      events: 5,
      prepare: async (log) => {
        await log.startEpoch('test');
        await log.append(levels(2));
      },
    });
    await stored(800);
    await settled();
    expect(log.epochs()).toHaveLength(2);
    // Quiet for a while, then asked, then answered: nothing of it waits any more.
    clock.nowMs += 1_000;
    await settled();
    await stored(800);
    expect([marks.at(-1), log.epochs()[0]?.epoch, log.epochs()[0]?.storedSeq]).toEqual([[5, 'first'], epoch, 5]);
  });
});

describe('another history', () => {
  test('is told to the log before its mark is: what is settled there is not held by central', async () => {
    const order: unknown[] = [];
    const prepare = (log: EventLog) => {
      const [disown, saveMark] = [log.disown.bind(log), log.saveMark.bind(log)];
      log.disown = (epoch) => {
        order.push(['disown', epoch]);
        disown(epoch);
      };
      log.saveMark = (epoch, seq, incarnation) => {
        order.push(['mark', seq]);
        saveMark(epoch, seq, incarnation);
      };
    };
    const { clock, epoch, stored, settled } = await startSession({ events: 5, prepare });
    await stored(5, { chain: wrong });
    await settled();
    clock.nowMs += 1_000;
    await settled();
    await stored(5, { chain: wrong });
    expect(order).toEqual([
      ['disown', epoch],
      ['disown', epoch],
      ['mark', 5],
    ]);
  });

  test('holds all trimming and begins an epoch that tells of it', async () => {
    const held = holds();
    const { log, epoch, lines, status, stored, settled } = await startSession({ events: 5, ...held });
    await stored(3, { chain: wrong });
    await settled();
    const next = log.epochs().at(-1)?.epoch ?? '';
    expect([log.epochs().length, held.count, status.conflicting]).toEqual([2, 1, true]);
    const [told] = await log.read(next, 1, 1, 1, 1_000);
    expect(JSON.parse(told?.data ?? '')).toEqual({ epoch, seq: 3, reason: 'chains differ' });
    expect(lines).toEqual([
      {
        level: 'error',
        fields: {},
        text: `central holds another history of epoch ${epoch} up to 3: nothing is trimmed, run collard verify`,
      },
      { level: 'error', fields: { epoch, next, reason: 'chains differ' }, text: 'a new epoch begins: chains differ' },
    ]);
  });

  test('of the next epoch too is left aside for a while: the log goes on in it', async () => {
    const { log, texts, stored, names } = await startSession({ events: 5 });
    await stored(3, { chain: wrong });
    const second = log.epochs().at(-1)?.epoch ?? '';
    await stored(1, { epoch: second, chain: wrong });
    await stored(1, { epoch: second, chain: wrong });
    expect(log.epochs()).toHaveLength(2);
    const told = texts().filter((text) => text.includes('left aside'));
    expect(told).toEqual([
      `a new epoch began not long ago: what central says of ${second} (chains differ) is left aside for a while`,
    ]);
    expect(names()).toEqual(expect.arrayContaining(['backlog 1-5', 'events 1-1']));
  });
});

describe('what central asks for and this log does not hold', () => {
  /** 5 to 8 cannot be read; `told` is what the log was asked to tell. */
  function holed(tells = 4) {
    const told: unknown[] = [];
    return {
      told,
      events: 10,
      rules: { stalledAfterMs: 1e9 },
      prepare(log: EventLog) {
        const read = log.read.bind(log);
        log.read = async (epoch, from, to, limit, maxBytes) =>
          (await read(epoch, from, to, limit, maxBytes)).filter(({ seq }) => seq < 5 || seq > 8);
        log.tellMissing = async (...args) => {
          told.push(args);
          return tells;
        };
      },
    };
  }

  test('is told once central has asked for it again after that, and then not again for a while', async () => {
    const hole = holed();
    const { epoch, lines, clock, syncs, stored, settled } = await startSession(hole);
    await stored(0, { need: [[1, 10]] });
    await stored(4, { need: [[5, 8]] });
    expect(hole.told).toEqual([]);
    const askAgain = async () => {
      const asked = syncs.length;
      clock.nowMs += 1_000;
      await settled();
      expect(syncs).toHaveLength(asked + 1);
      await stored(4, { need: [[5, 8]] });
    };
    await askAgain();
    await askAgain();
    expect(hole.told).toEqual([[epoch, [[5, 8]]]]);
    const text = `central lacks 4 events of epoch ${epoch} that are not in this log: lost, and told`;
    expect(lines).toEqual([{ level: 'error', fields: { epoch, lost: 4 }, text }]);
    clock.nowMs += 60_000;
    await askAgain();
    expect(hole.told).toHaveLength(2);
  });

  test('and tells already is not worth a word', async () => {
    const hole = holed(0);
    const { lines, clock, stored, settled } = await startSession(hole);
    await stored(0, { need: [[1, 10]] });
    clock.nowMs += 1_000;
    await settled();
    await stored(4, { need: [[5, 8]] });
    expect([hole.told.length, lines]).toEqual([1, []]);
  });
});
