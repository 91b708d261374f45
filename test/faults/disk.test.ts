/** A short selection of `npm run faults`: disks and their power. What it finds here in seconds it need not find in minutes. */
import { describe, expect, it } from 'vitest';
import { requireServer } from '../servers.ts';
import { centralIo } from './central-io.ts';
import { diskFull } from './disk-full.ts';
import { godown } from './godown.ts';
import { findStrace, ioErrors } from './io-errors.ts';
import { kill } from './kill.ts';
import { malformed } from './malformed.ts';
import { MUTATIONS } from './mutants.ts';
import { powerLoss } from './power-loss.ts';
import { readOnly } from './read-only.ts';
import { findCompiler } from './recording.ts';
import { rowsOf } from './rows-of.ts';
import { schema } from './schema.ts';
import { whyNoSmallDisk } from './small-disk.ts';
import { storeCuts } from './store-cuts.ts';

function smallDisk(): string | null {
  return whyNoSmallDisk('ext4') === null ? 'ext4' : null;
}

describe('the log under faults', () => {
  it('keeps what it acknowledged over kill -9', async () => {
    const [row] = await rowsOf(kill, 10, 20);
    expect(row).toMatchObject({ lost: 0, doubled: 0 });
    expect(row?.acked).toBeGreaterThan(0);
  }, 60_000);

  it.skipIf(!requireServer('gcc', findCompiler()))(
    'keeps what it acknowledged over power cuts under every model, and the controls do not',
    async () => {
      const rows = await rowsOf(powerLoss, 100, 600);
      expect(rows.filter((row) => row.control)).toHaveLength(6);
      for (const row of rows.filter(({ control }) => !control)) expect(row.injected).toBeGreaterThan(20);
    },
    240_000,
  );

  it('starts again from spoilt files, and tells what it put aside', async () => {
    const [row] = await rowsOf(malformed, 15, 200);
    expect(row?.injected).toBeGreaterThanOrEqual(MUTATIONS.length);
    expect(row).toMatchObject({ lost: 0 });
    expect(row?.acked).toBeGreaterThan(0);
    expect(row?.notes.some((note) => note.includes('put aside'))).toBe(true);
  }, 90_000);
});

describe.skipIf(!requireServer('a small disk of its own', smallDisk(), 'e2fsprogs, as root'))(
  'the log on a disk',
  () => {
    it('that somebody fills goes on or says why not, and loses nothing untold', async () => {
      for (const row of await rowsOf(diskFull, 30, 3)) expect(row).toMatchObject({ lost: 0, doubled: 0 });
    }, 120_000);

    it('that is read-only at a start, or turns so, ends and has what it acknowledged', async () => {
      const [row] = await rowsOf(readOnly, 20, 4);
      expect(row).toMatchObject({ lost: 0, doubled: 0 });
      expect(row?.acked).toBeGreaterThan(0);
    }, 90_000);

    it('whose power is cut has what it acknowledged; with synchronous=NORMAL it has not', async () => {
      const rows = await rowsOf(godown, 40, 12);
      expect(rows.filter(({ control }) => control).length).toBeGreaterThan(0);
      for (const row of rows.filter(({ control }) => !control)) expect(row).toMatchObject({ lost: 0, doubled: 0 });
    }, 120_000);
  },
);

it.skipIf(!requireServer('strace', findStrace()))(
  'the log bears the failure of any call to its files',
  async () => {
    for (const row of await rowsOf(ioErrors, 60, 15)) expect(row).toMatchObject({ lost: 0, doubled: 0 });
  },
  120_000,
);

it.skipIf(!requireServer('gcc', findCompiler()))(
  'a schema that is made or brought up to date is whole after a cut, and so is what was there',
  async () => {
    const rows = await rowsOf(schema, 150, 300);
    expect(rows.filter(({ control }) => control)).toHaveLength(1);
    for (const row of rows) expect(row.injected).toBeGreaterThan(0);
  },
  240_000,
);

it.skipIf(!requireServer('gcc', findCompiler()))(
  'what central has answered is in its store after a cut that destroys sectors, and with psow=1 it is not',
  async () => {
    const rows = await rowsOf(storeCuts, 240, 60);
    expect(rows.map(({ control }) => control)).toEqual([false, false, true]);
  },
  360_000,
);

it.skipIf(!requireServer('strace', findStrace()))(
  'central bears the failure of any call to its files, and answers nothing behind it',
  async () => {
    const rows = await rowsOf(centralIo, 90, 6);
    expect(rows.reduce((sum, { injected }) => sum + injected, 0)).toBeGreaterThanOrEqual(6);
  },
  240_000,
);
