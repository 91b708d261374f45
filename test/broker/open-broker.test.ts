import { describe, expect, test } from 'vitest';
import { discoverSchema } from '../../src/broker/address.ts';
import { BEHIND_MS, openBrokers } from '../../src/broker/open-broker.ts';
import type { LinkOptions, MqttLink } from '../../src/lib/mqtt-link.ts';

const never = new AbortController().signal;
const link = { clientId: 'c', cleanStart: true, sessionExpirySeconds: 0, keepaliveSeconds: 1 };
const options = (names: string): LinkOptions => ({
  ...link,
  url: names.replace(/\w+/g, 'mqtt://$&'),
  connectTimeoutMs: 1,
  incomingLimit: 1,
});
const failure = (code: string, text: string) => Object.assign(new Error(text), { code });

/** Brokers that do what the script says: 'up', or the error that they answer. */
function house(script: Record<string, 'up' | Error>) {
  const tried: string[] = [];
  const clock = { nowMs: 0 };
  let end: () => void = () => undefined;
  const open = openBrokers({
    discover: discoverSchema.parse({}),
    random: Math.random,
    monoNow: () => clock.nowMs,
    openLink: async ({ url }) => {
      const name = url.replace('mqtt://', '');
      tried.push(name);
      const answer = script[name] ?? expect.unreachable(name);
      if (answer !== 'up') throw answer;
      const ended = new Promise<Error | null>((resolve) => {
        end = () => resolve(null);
      });
      return { ended } as MqttLink;
    },
  });
  return {
    script,
    clock,
    /** Who was tried at this opening. */
    async round(url: string): Promise<string> {
      tried.length = 0;
      await open(options(url), never).catch(() => undefined);
      return tried.join(' ');
    },
    open: (url: string, signal = never) => open(options(url), signal),
    async endLink() {
      end();
      await Promise.resolve();
    },
  };
}

const down = failure('UNREACHABLE', 'down');

describe('several brokers', () => {
  test('the first that lets us in is taken', async () => {
    const { round } = house({ a: down, b: 'up', c: 'up' });
    expect(await round('a b c')).toBe('a b');
  });

  test('one that failed, or whose link ended however, stands behind the others for a while', async () => {
    const { round, endLink, clock, script } = house({ a: 'up', b: 'up', c: down });
    expect(await round('a b c')).toBe('a');
    await endLink();
    expect(await round('a b c')).toBe('b');
    await endLink();
    expect(await round('a b c')).toBe('c a');
    script.a = down;
    clock.nowMs = BEHIND_MS - 1;
    expect(await round('a b c')).toBe('a b');
    clock.nowMs = BEHIND_MS;
    expect(await round('a b c')).toBe('b');
    script.a = 'up';
    clock.nowMs = 2 * BEHIND_MS;
    expect(await round('a b c')).toBe('a');
  });

  test('one that is left because the work is done has not failed', async () => {
    const { open, round, endLink } = house({ a: 'up', b: 'up' });
    const done = new AbortController();
    await open('a b', done.signal);
    done.abort();
    await endLink();
    expect(await round('a b')).toBe('a');
  });

  test('where all failed, all are tried again, the one that failed first before the rest', async () => {
    const { round } = house({ a: down, b: down });
    expect([await round('a b'), await round('a b'), await round('b a')]).toEqual(['a b', 'a b', 'a b']);
  });

  test('one alone fails with its own error, several with what each said', async () => {
    const wrong = failure('REFUSED', 'wrong password');
    const { open } = house({ a: down, b: wrong, c: wrong });
    await expect(open('a')).rejects.toBe(down);
    await expect(open('a b')).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: 'none of 2 brokers: down; wrong password',
    });
    await expect(open('b c')).rejects.toMatchObject({ code: 'REFUSED', message: 'none of 2 brokers: wrong password' });
  });

  test('who stops waiting does not try the next', async () => {
    const stop = new AbortController();
    const { open } = house({ a: down, b: 'up' });
    stop.abort(new Error('stopped'));
    await expect(open('a b', stop.signal)).rejects.toThrow('stopped');
  });
});
