import { expect, test } from 'vitest';
import { createLoginLimit, MAX_TRIES } from '../../../src/central/api/login-limit.ts';
import { createLogin, isHere, type LoginParts, MAX_CHECKS } from '../../../src/central/broker/login.ts';

const account = { name: 'porch', may: 'agent', password: 'right' } as const;
const own = { username: 'collard-central', password: 'nobody knows' };
const guest = (username?: string, password?: string, address = '192.0.2.7') => ({
  username,
  password: password === undefined ? undefined : Buffer.from(password),
  address,
});

function login(changes: Partial<LoginParts> = {}) {
  let looks = 0;
  const enter = createLogin({
    accounts: [account],
    openHere: true,
    isPassword: async (password, hash) => {
      looks += 1;
      return password === hash;
    },
    nobody: async () => 'a hash that fits nothing',
    limit: createLoginLimit(() => 0),
    own,
    ...changes,
  });
  return { enter, looks: () => looks };
}

test('an account comes in by its password, and again without a second look at it', async () => {
  const { enter, looks } = login();
  expect(await enter(guest('porch', 'right'))).toEqual({ ok: true, member: account });
  expect(await enter(guest('porch', 'right'))).toEqual({ ok: true, member: account });
  expect(looks()).toBe(1);
  expect(await enter(guest('porch', 'wrong'))).toMatchObject({ ok: false, reason: 'wrong user name or password' });
  expect(looks()).toBe(2);
});

test('a name that is not there costs a look like any other, and is told no differently', async () => {
  const { enter, looks } = login();
  expect(await enter(guest('shed', 'right'))).toMatchObject({ ok: false, reason: 'wrong user name or password' });
  expect(looks()).toBe(1);
});

test('without an account only this machine comes in, and only where that is wanted', async () => {
  const { enter } = login();
  expect(await enter(guest(undefined, undefined, '::ffff:127.0.0.1'))).toMatchObject({
    ok: true,
    member: { may: 'all' },
  });
  expect(await enter(guest())).toMatchObject({ ok: false, reason: 'no user name and password' });
  expect(await enter(guest('porch', undefined, '127.0.0.1'))).toMatchObject({ ok: false });
  const closed = login({ openHere: false });
  expect(await closed.enter(guest(undefined, undefined, '127.0.0.1'))).toMatchObject({ ok: false });
});

test('central has a name and a password of its own, good on this machine only', async () => {
  const { enter, looks } = login({ openHere: false });
  expect(await enter(guest(own.username, own.password, '127.0.0.1'))).toMatchObject({
    ok: true,
    member: { may: 'all' },
  });
  expect(await enter(guest(own.username, own.password))).toMatchObject({ ok: false });
  expect(await enter(guest(own.username, 'guessed', '::1'))).toMatchObject({ ok: false });
  expect(looks()).toBe(0);
});

test('wrong passwords of an address are counted, and who is known still comes in', async () => {
  const { enter } = login();
  await enter(guest('porch', 'right'));
  for (let i = 0; i < MAX_TRIES; i += 1) await enter(guest('porch', `wrong ${i}`));
  expect(await enter(guest('porch', 'right'))).toMatchObject({ ok: true });
  expect(await enter(guest('porch', 'wrong'))).toMatchObject({
    ok: false,
    reason: expect.stringContaining('too many'),
  });
  expect(await enter(guest('porch', 'wrong', '192.0.2.8'))).toMatchObject({ reason: 'wrong user name or password' });
});

test('one password is looked at at a time, and only so many wait', async () => {
  let running = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const { enter } = login({
    isPassword: async () => {
      most = Math.max(most, ++running);
      await gate.promise;
      running -= 1;
      return true;
    },
    limit: { take: () => null, forget: () => undefined },
  });
  const waiting = Array.from({ length: MAX_CHECKS }, (_, i) => enter(guest('porch', `${i}`)));
  expect(await enter(guest('porch', 'one more'))).toMatchObject({ ok: false, why: 'busy' });
  gate.resolve();
  expect((await Promise.all(waiting)).every(({ ok }) => ok)).toBe(true);
  expect(most).toBe(1);
});

test.each([
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['10.0.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['', false],
])('%s is on this machine: %s', (address, here) => {
  expect(isHere(address)).toBe(here);
});
