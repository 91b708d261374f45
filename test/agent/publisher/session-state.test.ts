import { expect, it } from 'vitest';
import { fullBatches } from '../../../src/agent/publisher/batch-limit.ts';
import { sizeTrouble } from '../../../src/agent/publisher/session-state.ts';

it('says which size or event a broker seems to drop, and nothing where it drops none', () => {
  const limit = fullBatches(20);
  expect(sizeTrouble(limit)).toBeNull();
  expect(sizeTrouble({ ...limit, missedBytes: 5_000 })).toMatch(
    /drop messages above 5000 bytes: raise its message_size_limit/,
  );
  const stuck = { epoch: 'e', seq: 7, bytes: 9_000 };
  expect(sizeTrouble({ ...limit, missedBytes: 5_000, stuck })).toMatch(/drop event e\/7 alone \(9000 bytes\): raise/);
});
