import { expect, it } from 'vitest';
import { fullBatches } from '../../../src/agent/publisher/batch-limit.ts';
import { openPlan } from '../../../src/agent/publisher/plan.ts';
import type { PlanRules } from '../../../src/agent/publisher/plan-state.ts';
import { apply, type Session, sizeTrouble } from '../../../src/agent/publisher/session-state.ts';

const stuck = { epoch: 'e', seq: 7, bytes: 9_000 };

it('says which size or event a broker seems to drop, and nothing where it drops none', () => {
  const limit = fullBatches(20);
  expect(sizeTrouble(limit)).toBeNull();
  expect(sizeTrouble({ ...limit, missedBytes: 5_000 })).toMatch(/drop messages above 5000 bytes: raise its/);
  expect(sizeTrouble({ ...limit, missedBytes: 5_000, stuck })).toMatch(/drop event e\/7 alone \(9000 bytes\): raise/);
});

it('tells an event that does not come through alone once', () => {
  const rules = { confirm: 'store', batchEvents: 20 } as PlanRules;
  const lines: string[] = [];
  const session = {
    rules,
    plan: openPlan([], rules, 0, { ...fullBatches(20), stuck }),
    sizes: { limit: null, isTold: false },
    told: new Set<string>(),
    logger: { warn: (_: object, text: string) => void lines.push(text) },
    monoNow: () => 0,
    ring: () => undefined,
  } as unknown as Session;
  for (let i = 0; i < 3; i += 1) apply(session, { type: 'log', epochs: [] });
  expect(lines).toEqual([expect.stringContaining('event e/7 alone')]);
});
