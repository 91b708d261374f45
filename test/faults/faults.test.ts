/** A short selection of `npm run faults`: what it finds here in seconds it need not find in minutes. */
import { describe, expect, it } from 'vitest';
import { mosquittoPath, requireServer } from '../servers.ts';
import { agentIo } from './agent-io.ts';
import { blockedLoop } from './blocked-loop.ts';
import { centralIo } from './central-io.ts';
import { confirmation } from './confirmation.ts';
import { diskFull } from './disk-full.ts';
import { faketime, findFaketime } from './faketime.ts';
import { createTally, type Scenario, scenarioSeed, whyBad } from './frame.ts';
import { godown } from './godown.ts';
import { halfOpen } from './half-open.ts';
import { idWrap } from './id-wrap.ts';
import { findStrace, ioErrors } from './io-errors.ts';
import { kill } from './kill.ts';
import { malformed } from './malformed.ts';
import { memoryLimit, whyNoGroup } from './memory-limit.ts';
import { MUTATIONS } from './mutants.ts';
import { nemesis } from './nemesis.ts';
import { powerLoss } from './power-loss.ts';
import { ptyUnplug, whyNoPty } from './pty-unplug.ts';
import { readOnly } from './read-only.ts';
import { findCompiler } from './recording.ts';
import { runScenario, SCENARIOS } from './run-faults.ts';
import { schema } from './schema.ts';
import { slowDisk } from './slow-disk.ts';
import { whyNoSmallDisk } from './small-disk.ts';
import { storeCuts } from './store-cuts.ts';

function smallDisk(): string | null {
  return whyNoSmallDisk('ext4') === null ? 'ext4' : null;
}

async function rowsOf(scenario: Scenario, seconds: number, count: number) {
  const outcome = await runScenario(scenario, { seed: 1, count, tell: () => undefined }, seconds * 1_000);
  expect(outcome.failed).toBeNull();
  expect(outcome.rows.flatMap((row) => whyBad(row) ?? [])).toEqual([]);
  return outcome.rows;
}

it('gives scenarios and neighbouring seeds their own stretch of seeds', () => {
  const stretch = 1_000;
  const starts = SCENARIOS.flatMap(({ name }) => Array.from({ length: 20 }, (_, seed) => scenarioSeed(seed, name)));
  const sorted = starts.sort((a, b) => a - b);
  const steps = sorted.slice(1).map((start, i) => start - (sorted[i] ?? 0));
  expect(Math.min(...steps)).toBeGreaterThan(stretch);
});

describe('the log under faults', () => {
  it('keeps what it acknowledged over kill -9', async () => {
    const [row] = await rowsOf(kill, 10, 20);
    expect(row).toMatchObject({ lost: 0, doubled: 0 });
    expect(row?.acked).toBeGreaterThan(0);
  }, 60_000);

  it.skipIf(!requireServer('gcc', findCompiler()))(
    'keeps what it acknowledged over power cuts under every model, and the controls do not',
    async () => {
      const rows = await rowsOf(powerLoss, 100, 900);
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

it.skipIf(!requireServer('gcc', findCompiler()) || !requireServer('mosquitto', mosquittoPath))(
  'an agent on a slow card loses no byte of its port; with the log in the reading thread it does',
  async () => {
    const rows = await rowsOf(slowDisk, 1, 1);
    expect(rows.map(({ control }) => control)).toEqual([false, false, true]);
  },
  300_000,
);

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('agent, broker and central under faults', () => {
  it('lose and double nothing under the nemesis, and come back', async () => {
    const rows = await rowsOf(nemesis, 20, 30);
    for (const row of rows) expect(row).toMatchObject({ lost: 0, doubled: 0 });
    expect(rows.reduce((sum, { injected }) => sum + injected, 0)).toBeGreaterThan(5);
  }, 180_000);
});

it.skipIf(!requireServer('mosquitto', mosquittoPath))(
  'only what central has committed is safe: who believes less loses',
  async () => {
    const rows = await rowsOf(confirmation, 60, 1);
    expect(rows.map(({ control, lost }) => control === lost > 0)).toEqual([true, true, true, true]);
  },
  180_000,
);

it('message ids never wrap over those in use', async () => {
  const [ours, theirs] = await rowsOf(idWrap, 1, 1);
  expect(ours).toMatchObject({ control: false, lost: 0 });
  expect(theirs).toMatchObject({ control: true, lost: 4_465 });
}, 90_000);

it.skipIf(!requireServer('mosquitto', mosquittoPath))(
  'a link on which nothing comes any more is found in time',
  async () => {
    const [row] = await rowsOf(halfOpen, 8, 16);
    expect(row?.injected).toBeGreaterThanOrEqual(16);
  },
  60_000,
);

it.skipIf(!requireServer('strace', findStrace()) || !requireServer('mosquitto', mosquittoPath))(
  'the agent bears the failure of any call to its files',
  async () => {
    const rows = await rowsOf(agentIo, 90, 9);
    expect(rows.reduce((sum, { injected }) => sum + injected, 0)).toBeGreaterThanOrEqual(9);
  },
  120_000,
);

it.skipIf(!requireServer('strace', findStrace()))(
  'central bears the failure of any call to its files, and answers nothing behind it',
  async () => {
    const rows = await rowsOf(centralIo, 90, 9);
    expect(rows.reduce((sum, { injected }) => sum + injected, 0)).toBeGreaterThanOrEqual(9);
  },
  240_000,
);

it.skipIf(!requireServer('pty', whyNoPty() === null ? '/dev/ptmx' : null))(
  'a receiver that is pulled out is noticed, and read again when it is back',
  async () => {
    const rows = await rowsOf(ptyUnplug, 20, 3);
    for (const row of rows) expect(row.injected).toBeGreaterThanOrEqual(3);
  },
  120_000,
);

it.skipIf(!requireServer('faketime', findFaketime()) || !requireServer('mosquitto', mosquittoPath))(
  'a clock that jumps disturbs neither what is decided nor what is sent',
  async () => {
    const [row] = await rowsOf(faketime, 60, 5);
    expect(row).toMatchObject({ injected: 5, lost: 0, doubled: 0 });
  },
  120_000,
);

it.skipIf(!requireServer('mosquitto', mosquittoPath))(
  'an agent that runs out of memory is started again and loses nothing',
  async () => {
    const rows = await rowsOf(memoryLimit, 60, 2);
    // The kernel's limit where it can be set by this test, and V8's.
    expect(rows).toHaveLength(whyNoGroup() === null ? 2 : 1);
    for (const row of rows) expect(row).toMatchObject({ lost: 0, doubled: 0 });
  },
  180_000,
);

it.skipIf(!requireServer('gcc', findCompiler()))(
  'a schema that is made or brought up to date is whole after a cut, and so is what was there',
  async () => {
    const rows = await rowsOf(schema, 150, 400);
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

it.skipIf(!requireServer('mosquitto', mosquittoPath))(
  'a program whose event loop stood still goes on by itself and loses nothing',
  async () => {
    const [row] = await rowsOf(blockedLoop, 120, 2);
    expect(row).toMatchObject({ lost: 0, doubled: 0 });
    expect(row?.injected).toBeGreaterThanOrEqual(2);
    expect(row?.acked).toBeGreaterThan(0);
  },
  240_000,
);

describe('a row of the table', () => {
  const sound = { acked: 5, lost: 0, doubled: 0, recoveryMs: 1, breach: null };

  it('bounds at 95 % what never happened in n runs by 3 / n', () => {
    const tally = createTally('a fault');
    for (let i = 0; i < 300; i += 1) tally.add(sound, '');
    expect(tally.row()).toMatchObject({ injected: 300, acked: 1_500, lost: 0, bound: 0.01 });
    expect(whyBad(tally.row())).toBeNull();
  });

  it('is bad where one run lost something, and names what reproduces it', () => {
    const tally = createTally('a fault');
    tally.add({ ...sound, lost: 1 }, 'seed 7');
    expect(tally.row().bound).toBeNull();
    expect(whyBad(tally.row())).toBe('seed 7: 1 lost, 0 doubled');
  });

  it('is bad where all runs together show what none of them does', () => {
    const tally = createTally('a fault');
    tally.add(sound, '');
    tally.fail('too slow');
    expect(tally.row()).toMatchObject({ injected: 1, losing: 1, bound: null });
    expect(whyBad(tally.row())).toBe('too slow');
  });

  it('is bad where a control lost nothing, and where nothing was injected', () => {
    const control = createTally('a control', true);
    control.add(sound, '');
    expect(whyBad(control.row())).toMatch(/oracle is blind/);
    expect(whyBad(createTally('a fault').row())).toMatch(/no fault was injected/);
  });
});
