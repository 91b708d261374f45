import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_KEYS_PER_AGENT } from '../../../src/central/store/keys.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { newKey } from '../../contract/signing.ts';
import { freshStore } from '../engines/fresh.ts';
import { at, NOW } from './events.ts';
import { saveState } from './said.ts';

let store: Store;
beforeEach(async () => {
  store = await freshStore();
});
afterEach(() => store.close());

const [first, second] = [newKey(), newKey()];
const signedOf = async (name: string) => (await store.agents()).find(({ agent }) => agent === name)?.signed;

describe('the keys of an agent', () => {
  test('are enrolled before its first word, and read as they were given', async () => {
    const key = await store.enrollKey('porch', first.publicKey, 'enrolled', NOW);
    expect(key).toEqual({
      agent: 'porch',
      key: Buffer.from(first.publicKey),
      keyId: first.keyId,
      how: 'enrolled',
      since: NOW,
      revokedAt: null,
    });
    expect(await store.keys('porch')).toEqual([key]);
    expect(await store.keys()).toEqual([key]);
    expect(await store.keys('shed')).toEqual([]);
  });

  test('may be several, so that a new card comes before the old one goes', async () => {
    await store.enrollKey('porch', first.publicKey, 'enrolled', at(1));
    await store.enrollKey('porch', second.publicKey, 'enrolled', at(2));
    expect((await store.keys('porch')).map(({ keyId }) => keyId)).toEqual([first.keyId, second.keyId]);
    expect((await store.revokeKeys('porch', first.keyId, at(3))).map(({ keyId }) => keyId)).toEqual([first.keyId]);
    expect((await store.keys('porch')).map(({ revokedAt }) => revokedAt)).toEqual([at(3), null]);
    expect(await signedOf('porch')).toBe('verified');
  });

  test('are revoked once, one or all, and only of that agent', async () => {
    for (const agent of ['porch', 'shed']) {
      for (const { publicKey } of [first, second]) await store.enrollKey(agent, publicKey, 'enrolled', NOW);
    }
    expect(await store.revokeKeys('porch', 'ffffffffffffffff', at(1))).toEqual([]);
    expect(await store.revokeKeys('porch', null, at(2))).toHaveLength(2);
    expect(await store.revokeKeys('porch', null, at(3))).toEqual([]);
    expect((await store.keys('porch')).map(({ revokedAt }) => revokedAt)).toEqual([at(2), at(2)]);
    expect((await store.keys('shed')).map(({ revokedAt }) => revokedAt)).toEqual([null, null]);
  });

  test('come by first use only where there never was one, revoked ones included', async () => {
    expect(await store.enrollKey('porch', first.publicKey, 'first-use', NOW)).toMatchObject({ how: 'first-use' });
    expect(await store.enrollKey('porch', second.publicKey, 'first-use', NOW)).toBeNull();
    await store.revokeKeys('porch', null, NOW);
    expect(await store.enrollKey('porch', second.publicKey, 'first-use', NOW)).toBeNull();
    expect(await store.enrollKey('porch', first.publicKey, 'first-use', NOW)).toBeNull();
    expect(await store.keys('porch')).toHaveLength(1);
  });

  test('are made of a first use and of a revoked key by the word of a person', async () => {
    await store.enrollKey('porch', first.publicKey, 'first-use', NOW);
    await store.revokeKeys('porch', null, at(1));
    await store.enrollKey('porch', first.publicKey, 'enrolled', at(2));
    expect(await store.keys('porch')).toEqual([
      expect.objectContaining({ how: 'enrolled', since: at(2), revokedAt: null }),
    ]);
  });

  test(`are at most ${MAX_KEYS_PER_AGENT}`, async () => {
    for (let n = 0; n < MAX_KEYS_PER_AGENT; n += 1) {
      await store.enrollKey('porch', newKey().publicKey, 'enrolled', NOW);
    }
    await expect(store.enrollKey('porch', first.publicKey, 'enrolled', NOW)).rejects.toMatchObject({
      code: 'TOO_MANY_KEYS',
    });
    expect(await store.enrollKey('shed', first.publicKey, 'enrolled', NOW)).toMatchObject({ agent: 'shed' });
  });

  test('say with the agent what is expected of it', async () => {
    await saveState(store, 'porch', { state: 'online', session: 1, version: '1' }, NOW);
    expect(await signedOf('porch')).toBe('unsigned');
    await store.enrollKey('porch', first.publicKey, 'first-use', NOW);
    expect(await signedOf('porch')).toBe('first-use');
    await store.enrollKey('porch', first.publicKey, 'enrolled', NOW);
    expect(await signedOf('porch')).toBe('verified');
    await store.revokeKeys('porch', null, NOW);
    expect(await signedOf('porch')).toBe('revoked');
  });
});
