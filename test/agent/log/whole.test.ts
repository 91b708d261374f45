import { expect, it } from 'vitest';
import { appendRows, write } from '../../../src/agent/log/core.ts';
import { assertWhole } from '../../../src/agent/log/whole.ts';
import { tempPath } from './log-fixture.ts';
import { mix, newCore } from './thin-rig.ts';

it('looks upon an untold hole as damage', async () => {
  const path = tempPath();
  const core = newCore(path, 'e');
  write(core, () => appendRows(core, mix(['ended', 'ended', 'ended', 'ended'], 0)));
  write(core, () => core.rows.remove(2, 2));
  expect(() => assertWhole(core)).toThrow(/missing or have changed/);
  core.db.close();
});
