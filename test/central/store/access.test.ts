import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_SESSIONS, MAX_TOKENS } from '../../../src/central/store/access.ts';
import type { Store } from '../../../src/central/store/store.ts';
import { freshStore } from '../engines/fresh.ts';
import { at, NOW } from './events.ts';

let store: Store;
beforeEach(async () => {
  store = await freshStore();
});
afterEach(() => store.close());

const hash = (n: number) => n.toString(16).padStart(64, '0');

describe('the password', () => {
  test('is none until one is set, and the last that was set', async () => {
    expect(await store.passwordHash()).toBeNull();
    await store.setPassword('first');
    await store.setPassword('second');
    expect(await store.passwordHash()).toBe('second');
    await store.setPassword(null);
    expect(await store.passwordHash()).toBeNull();
  });

  test('ends all sessions when it changes, and when it goes', async () => {
    for (const next of ['second', null]) {
      await store.setPassword('first');
      await store.openSession(hash(1), 'first', 1);
      await store.setPassword(next);
      expect(await store.session(hash(1))).toBeNull();
    }
  });

  test('that changed while it was looked at opens no session', async () => {
    await store.setPassword('first');
    await store.setPassword('second');
    expect(await store.openSession(hash(1), 'first', 1)).toBe(false);
    expect(await store.session(hash(1))).toBeNull();
    await store.setPassword(null);
    expect(await store.openSession(hash(1), 'second', 1)).toBe(false);
  });
});

describe('a session', () => {
  beforeEach(() => store.setPassword('first'));

  test('is there from its opening to its end', async () => {
    expect(await store.openSession(hash(1), 'first', 1_000)).toBe(true);
    expect(await store.session(hash(1))).toEqual({ openedMs: 1_000, seenMs: 1_000 });
    await store.seeSession(hash(1), 9_000);
    expect(await store.session(hash(1))).toEqual({ openedMs: 1_000, seenMs: 9_000 });
    await store.endSession(hash(1));
    expect(await store.session(hash(1))).toBeNull();
  });

  test(`makes the one go that was not used for longest, beyond ${MAX_SESSIONS}`, async () => {
    for (let n = 0; n < MAX_SESSIONS; n += 1) await store.openSession(hash(n), 'first', n);
    await store.seeSession(hash(0), MAX_SESSIONS);
    await store.openSession(hash(MAX_SESSIONS), 'first', MAX_SESSIONS + 1);
    expect(await store.session(hash(0))).not.toBeNull();
    expect(await store.session(hash(1))).toBeNull();
    expect(await store.session(hash(2))).not.toBeNull();
    expect(await store.session(hash(MAX_SESSIONS))).not.toBeNull();
  });
});

describe('a token', () => {
  test('is found by its hash, and listed without it', async () => {
    await store.addToken({ name: 'phone', scope: 'command', hash: hash(1) }, NOW);
    await store.addToken({ name: 'grafana', scope: 'read', hash: hash(2) }, NOW);
    const phone = { name: 'phone', scope: 'command', created: NOW, lastUsed: null };
    const grafana = { name: 'grafana', scope: 'read', created: NOW, lastUsed: null };
    expect(await store.tokenOf(hash(1))).toEqual(phone);
    expect(await store.tokenOf(hash(3))).toBeNull();
    expect(await store.tokens()).toEqual([grafana, phone]);
    await store.seeToken(hash(2), at(5));
    expect(await store.tokens()).toEqual([{ ...grafana, lastUsed: at(5) }, phone]);
  });

  test('has a name of its own, which is free again once it is revoked', async () => {
    await store.addToken({ name: 'phone', scope: 'read', hash: hash(1) }, NOW);
    const again = () => store.addToken({ name: 'phone', scope: 'command', hash: hash(2) }, NOW);
    await expect(again()).rejects.toMatchObject({ code: 'TOKEN_EXISTS' });
    expect(await store.revokeToken('phone')).toBe(true);
    expect(await store.revokeToken('phone')).toBe(false);
    expect(await store.tokenOf(hash(1))).toBeNull();
    await again();
    expect(await store.tokenOf(hash(2))).toMatchObject({ scope: 'command' });
  });

  test('outlives a change of the password', async () => {
    await store.addToken({ name: 'phone', scope: 'read', hash: hash(1) }, NOW);
    await store.setPassword('first');
    expect(await store.tokenOf(hash(1))).toMatchObject({ name: 'phone' });
  });

  test(`is one of ${MAX_TOKENS} at most`, async () => {
    for (let n = 0; n < MAX_TOKENS; n += 1) await store.addToken({ name: `t${n}`, scope: 'read', hash: hash(n) }, NOW);
    await expect(store.addToken({ name: 'one', scope: 'read', hash: hash(500) }, NOW)).rejects.toMatchObject({
      code: 'TOO_MANY_TOKENS',
    });
  });
});
