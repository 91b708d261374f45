import { describe, expect, it } from 'vitest';
import { write } from '../../../src/agent/log/core.ts';
import { event, tempPath } from './log-fixture.ts';
import { newCore } from './thin-rig.ts';

describe('events as rows', () => {
  it.each([1, 7, 8, 9, 16, 23, 24, 100])('%i in one go are all there, in order', (count) => {
    const core = newCore(tempPath(), 'e');
    const unsynced = { clock: 'unsynced', boot: 'b', monoMs: 1.5 } as const;
    const events = Array.from({ length: count }, (_, i) => ({
      ...event(i % 3 === 0 ? 'meow.started' : 'battery.low', { level: i }),
      ...(i % 5 === 0 ? unsynced : {}),
    }));
    write(core, () => core.rows.insert(11, events));
    const span = { no: 1, epoch: 'e', agent: 'porch', base: 10 };
    expect([...core.rows.iterate(span, 1, 1_000)]).toEqual(
      events.map((one, i) => ({ ...one, epoch: 'e', seq: 1 + i })),
    );
    core.db.close();
  });

  it('knows no number of a word that was rolled back', () => {
    const core = newCore(tempPath(), 'e');
    const some = Array.from({ length: 8 }, (_, i) => event('meow.started', { level: i }));
    const broken = () => {
      core.rows.insert(11, some);
      core.rows.insert(11, some);
    };
    expect(() => core.db.transaction(broken)()).toThrow('UNIQUE');
    core.rows.forget();
    // It gets the number that was given back.
    write(core, () => core.rows.insert(11, [event('battery.low', { percent: 3 }), ...some]));
    const span = { no: 1, epoch: 'e', agent: 'porch', base: 10 };
    const types = [...core.rows.iterate(span, 11, 19)].map(({ type }) => type);
    expect(types).toEqual(['collard.battery.low', ...some.map(({ type }) => type)]);
    core.db.close();
  });
});
