import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type FoundHead, type Head, MAX_ENDED, openHeadWitness } from '../../../src/agent/log/head-witness.ts';
import { tempPath } from './log-fixture.ts';

const HEAD: Head = {
  version: 1,
  agent: 'porch',
  epoch: '01a20867-068a-70da-b9ee-759f41bde6a8',
  no: 1,
  base: 0,
  previous: '',
  lastSeq: 0,
  storedSeq: 0,
  chain: 'ab'.repeat(32),
};

/** No epoch before it. */
const ALONE = [[], () => null] as const;

/** A witness of `count` records with lastSeq 1 to `count`. */
function noted(count: number, path = tempPath()): string {
  const witness = openHeadWitness(path);
  for (let lastSeq = 1; lastSeq <= count; lastSeq += 1) witness.note({ ...HEAD, lastSeq }, ...ALONE);
  witness.close();
  return path;
}

function found(path: string): FoundHead | null {
  const witness = openHeadWitness(path);
  witness.close();
  return witness.found;
}

describe('the witness of a log', () => {
  it('says nothing where its sectors cannot be read, and why', () => {
    const path = tempPath();
    // Nothing is mapped at these places: reads and writes fail as those of a bad sector do.
    symlinkSync('/proc/self/mem', `${path}.head`);
    const witness = openHeadWitness(path);
    expect(witness.found).toBeNull();
    expect(witness.unreadable).toMatchObject({
      code: 'EIO',
      message: expect.stringMatching(/^log .*events\.db\.head: EIO.*: look at the disk/),
    });
    witness.note(HEAD, ...ALONE);
    witness.close();
    expect(openHeadWitness(noted(1)).unreadable).toBeNull();
  });

  it('knows nothing at first, and then its newest record, over reopenings', () => {
    const path = tempPath();
    expect(found(path)).toBeNull();
    for (const count of [1, 2, 3, 8]) expect(found(noted(count, path))).toMatchObject({ ...HEAD, lastSeq: count });
    expect(statSync(`${path}.head`).size).toBe(4_096 + 512);
    expect(statSync(`${path}.head`).mode & 0o777).toBe(0o600);
  });

  it('holds the longest names and numbers that there can be', () => {
    const path = tempPath();
    const witness = openHeadWitness(path);
    const most = Number.MAX_SAFE_INTEGER;
    const numbers = { no: 9_999, base: most, lastSeq: most, storedSeq: most };
    const head = { ...HEAD, agent: 'x'.repeat(64), previous: HEAD.epoch, closed: HEAD.chain, ...numbers };
    witness.note(head, ...ALONE);
    witness.close();
    expect(found(path)).toMatchObject(head);
  });

  it('knows how the newest epochs before ended, each with its newest mark', () => {
    const path = tempPath();
    const before = Array.from({ length: MAX_ENDED + 3 }, (_, i) => {
      const no = i + 1;
      return { epoch: `epoch ${no}`, no, base: 10 * i, lastSeq: 10, storedSeq: 0 };
    });
    const asked: number[] = [];
    const chainAtEnd = (no: number) => {
      asked.push(no);
      return HEAD.chain;
    };
    const head = { ...HEAD, no: before.length + 1 };
    const witness = openHeadWitness(path);
    for (let i = 0; i < 2; i += 1) witness.note(head, before, chainAtEnd);
    const marked = before.map((end) => (end.no === 7 ? { ...end, storedSeq: 4 } : end));
    witness.note(head, marked, chainAtEnd);
    witness.close();
    const nameless = openHeadWitness(tempPath());
    nameless.note(head, before.slice(0, 1), () => null);
    nameless.close();
    const newest = marked.slice(-MAX_ENDED);
    expect(asked).toEqual(newest.map(({ no }) => no));
    expect(found(path)?.ended).toMatchObject(newest.map((end) => ({ ...end, agent: 'porch', chain: HEAD.chain })));
    // At the places of these stand epochs of a log that was here before.
    const other = openHeadWitness(path);
    other.note({ ...HEAD, no: 9 }, ...ALONE);
    other.close();
    expect(found(path)?.ended?.map(({ no }) => no)).toEqual([4, 5, 6, 7, 8]);
    const stranger = openHeadWitness(path);
    stranger.note({ ...HEAD, agent: 'shed', no: 99 }, ...ALONE);
    stranger.close();
    expect(found(path)?.ended).toEqual([]);
  });

  it('keeps the lowest mark of an epoch that was disowned, over reopenings, until another has its number', () => {
    const path = tempPath();
    const head = { ...HEAD, no: 2 };
    const ended = (storedSeq: number, disowned?: true) => ({
      ...{ epoch: 'ended', no: 1, base: 0, lastSeq: 10, storedSeq },
      ...(disowned ? { disowned } : {}),
    });
    const noted = (...before: readonly ReturnType<typeof ended>[]) => {
      const witness = openHeadWitness(path);
      for (const one of before) witness.note(head, [one], () => HEAD.chain);
      witness.close();
      return found(path)?.ended.map(({ epoch, storedSeq, disowned }) => [epoch, storedSeq, disowned ?? false]);
    };
    expect(noted(ended(3), ended(4))).toEqual([['ended', 4, false]]);
    expect(noted(ended(4, true), ended(10, true))).toEqual([['ended', 4, true]]);
    expect(noted(ended(10))).toEqual([['ended', 4, true]]);
    expect(noted(ended(0), ended(10))).toEqual([['ended', 0, true]]);
    expect(noted({ ...ended(10), epoch: 'another' })).toEqual([['another', 10, false]]);
    expect(noted(ended(10, true))).toEqual([['ended', 10, true]]);
  });

  it('says nothing for a record that was torn or changed anywhere, and goes by the one before it', () => {
    const path = noted(5);
    const sound = readFileSync(`${path}.head`);
    // The fifth lies at the second place, the fourth at the first.
    for (let at = 4_096; at < sound.length - 1; at += 7) {
      const bent = Buffer.from(sound);
      bent[at] = (bent[at] ?? 0) ^ 1;
      writeFileSync(`${path}.head`, bent);
      expect(found(path)?.lastSeq).toBe(4);
    }
    for (const length of [4_096 + 511, 4_096, 513]) {
      writeFileSync(`${path}.head`, sound.subarray(0, length));
      expect(found(path)?.lastSeq).toBe(4);
    }
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(9_000), Buffer.alloc(9_000, 0xff)]) {
      writeFileSync(`${path}.head`, bytes);
      expect(found(path)).toBeNull();
    }
  });

  it('is closed once however often it is told to, and no disk error of its own stops the log', () => {
    const path = tempPath();
    const witness = openHeadWitness(path);
    witness.close();
    witness.close();
    // Its descriptor is gone: each write fails, and says nothing.
    for (let i = 0; i < 3; i += 1) witness.note(HEAD, ...ALONE);
    expect(found(path)).toBeNull();
  });

  it('that cannot be made is an error of the disk', () => {
    const path = `${tempPath()}/no/such/folder`;
    expect(() => openHeadWitness(path)).toThrow(
      expect.objectContaining({ code: 'ENOENT', message: expect.stringContaining(`log ${path}.head: `) }),
    );
  });
});
