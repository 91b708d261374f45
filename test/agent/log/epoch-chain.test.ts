import { describe, expect, it, onTestFinished } from 'vitest';
import { addEpoch, appendRows, type EpochState, type LogCore, loadCore, write } from '../../../src/agent/log/core.ts';
import { assertStart, assertTail, beginAt, chainAtLast, chainOfEpoch } from '../../../src/agent/log/epoch-chain.ts';
import { chainHex, chainNext, chainStart } from '../../../src/contract/chain.ts';
import { tempPath } from './log-fixture.ts';
import { mix, newCore } from './thin-rig.ts';

/** Three groups of four events. */
function newLog(): { readonly core: LogCore; readonly epoch: EpochState } {
  const core = newCore(tempPath(), 'e');
  for (let group = 0; group < 3; group += 1)
    write(core, () => appendRows(core, mix(['ended', 'ended', 'ended', 'ended'], group * 4)));
  onTestFinished(() => void core.db.close());
  const [epoch] = core.epochs;
  if (epoch === undefined) throw new Error('no epoch');
  return { core, epoch };
}

const hex = (hash: Uint8Array | null) => (hash === null ? null : chainHex(hash));

describe('the chain of an epoch', () => {
  it('is that of its events from its start on, and unknown before and behind', () => {
    const { core, epoch } = newLog();
    let truth = chainStart('porch', 'e');
    const known = (seq: number) => hex(chainOfEpoch(core.rows, core.chains, epoch, seq));
    expect(known(0)).toBe(chainHex(truth));
    for (const event of [...core.rows.iterate(epoch, 1, 12)]) {
      truth = chainNext(truth, event);
      expect(known(event.seq)).toBe(chainHex(truth));
    }
    expect([known(-1), known(13)]).toEqual([null, null]);
    expect(hex(chainAtLast(core.chains, epoch))).toBe(chainHex(truth));
    expect(hex(chainAtLast(core.chains, { ...epoch, lastSeq: 0 }))).toBe(known(0));
  });

  it('ends with its epoch, though events of another one lie behind', () => {
    const { core, epoch } = newLog();
    write(core, () => addEpoch(core, 'f', 0, 'test'));
    write(core, () => appendRows(core, mix(['ended', 'ended'], 0)));
    const second = core.epochs[1] as EpochState;
    const known = (one: EpochState, seq: number) => hex(chainOfEpoch(core.rows, core.chains, one, seq));
    expect([known(epoch, 12) === null, known(epoch, 13), known(epoch, 14)]).toEqual([false, null, null]);
    const [first] = [...core.rows.iterate(second, 13, 13)];
    expect(known(second, 1)).toBe(first && chainHex(chainNext(chainStart('porch', 'f'), first)));
    expect([known(second, 0), known(second, -1)]).toEqual([chainHex(chainStart('porch', 'f')), null]);
    expect(hex(chainAtLast(core.chains, second))).toBe(known(second, 2));
    // Its oldest event goes, and nothing of the epoch before.
    const cut = chainOfEpoch(core.rows, core.chains, second, 1);
    core.rows.remove(13, 13);
    if (cut !== null) core.chains.save(13, cut);
    beginAt(core, second, 14);
    expect([second.firstSeq, core.chains.range(0, 20).map(({ pos }) => pos)]).toEqual([2, [4, 8, 12, 13, 14]]);
    assertStart(core.chains, second, core.path);
    assertTail(core.rows, core.chains, second, core.path);
  });

  it('goes on from the last hash before the oldest event that is held', () => {
    const { core, epoch } = newLog();
    const hashes = [6, 8, 12].map((seq) => hex(chainOfEpoch(core.rows, core.chains, epoch, seq)));
    const atCut = chainOfEpoch(core.rows, core.chains, epoch, 6);
    core.rows.remove(1, 6);
    if (atCut !== null) core.chains.save(6, atCut);
    beginAt(core, epoch, 7);
    expect([epoch.firstSeq, core.chains.range(0, 12).map(({ pos }) => pos)]).toEqual([7, [6, 8, 12]]);
    expect([6, 8, 12].map((seq) => hex(chainOfEpoch(core.rows, core.chains, epoch, seq)))).toEqual(hashes);
    expect(hex(chainOfEpoch(core.rows, core.chains, epoch, 5))).toBeNull();
    assertStart(core.chains, epoch, core.path);
  });
});

describe('the start of an epoch', () => {
  it('is damaged where hashes are left of events before it', () => {
    const { core, epoch } = newLog();
    assertStart(core.chains, epoch, core.path);
    assertStart(core.chains, { ...epoch, firstSeq: 5 }, core.path);
    expect(() => assertStart(core.chains, { ...epoch, firstSeq: 6 }, core.path)).toThrow(
      expect.objectContaining({ code: 'SQLITE_CORRUPT', message: `log ${core.path}: its oldest events are missing` }),
    );
    assertStart(core.chains, { ...epoch, base: 12, firstSeq: 1, lastSeq: 0 }, core.path);
  });
});

describe('the end of an epoch', () => {
  const mismatch = 'the newest events do not match their chain';
  it.each([
    ["UPDATE event SET data = '{}' WHERE pos = 12", mismatch],
    ["UPDATE event SET data = '{}' WHERE pos = 9", mismatch],
    ['UPDATE chain SET hash = zeroblob(32) WHERE pos = 12', mismatch],
    ['DELETE FROM event WHERE pos = 10', mismatch],
    ['DELETE FROM chain WHERE pos = 12', 'events without a chain at its end'],
  ])('is damaged after %s', (sql, message) => {
    const { core, epoch } = newLog();
    assertTail(core.rows, core.chains, epoch, core.path);
    core.db.exec(sql);
    expect(() => loadCore(core.db, core.path, 'porch')).toThrow(
      expect.objectContaining({ code: 'SQLITE_CORRUPT', message: `log ${core.path}: ${message}` }),
    );
  });

  it('says nothing where no event is held there', () => {
    const { core, epoch } = newLog();
    core.db.exec('DELETE FROM event WHERE pos > 8');
    assertTail(core.rows, core.chains, epoch, core.path);
    core.db.exec('DELETE FROM event; DELETE FROM chain');
    assertTail(core.rows, core.chains, { ...epoch, lastSeq: 0 }, core.path);
  });

  it('is looked at from the hash before it only', () => {
    const { core, epoch } = newLog();
    core.db.exec("UPDATE event SET data = '{}' WHERE pos = 8");
    assertTail(core.rows, core.chains, epoch, core.path);
  });
});

describe('a row of the table of epochs', () => {
  it.each([
    ["id = x'0102'", 'epoch 1'],
    ["agent = x'07'", 'epoch 1'],
    ['base = 0.5', 'epoch 1'],
  ])('with %s is damaged', (sql, which) => {
    const { core } = newLog();
    // STRICT keeps such values out; a flipped bit does not ask.
    core.db.unsafeMode();
    core.db.exec(`PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT', ')'), 'INTEGER NOT NULL', 'NOT NULL') WHERE name = 'epoch';
      PRAGMA writable_schema = RESET`);
    core.db.exec(`UPDATE epoch SET ${sql}`);
    expect(() => loadCore(core.db, core.path, 'porch')).toThrow(
      expect.objectContaining({ code: 'SQLITE_CORRUPT', message: `${which} of the log is damaged` }),
    );
  });
});
