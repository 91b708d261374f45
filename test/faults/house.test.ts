/** A short selection of `npm run faults`: agent, broker and central, and what is between them. */
import { describe, expect, it } from 'vitest';
import { mosquittoPath, requireServer } from '../servers.ts';
import { agentIo } from './agent-io.ts';
import { blockedLoop } from './blocked-loop.ts';
import { confirmation } from './confirmation.ts';
import { faketime, findFaketime } from './faketime.ts';
import { halfOpen } from './half-open.ts';
import { idWrap } from './id-wrap.ts';
import { findStrace } from './io-errors.ts';
import { memoryLimit, whyNoGroup } from './memory-limit.ts';
import { nemesis } from './nemesis.ts';
import { ptyUnplug, whyNoPty } from './pty-unplug.ts';
import { findCompiler } from './recording.ts';
import { rowsOf } from './rows-of.ts';
import { slowDisk } from './slow-disk.ts';

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
    const rows = await rowsOf(agentIo, 90, 6);
    expect(rows.reduce((sum, { injected }) => sum + injected, 0)).toBeGreaterThanOrEqual(6);
  },
  120_000,
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
