import { describe, expect, test } from 'vitest';
import { type DiscoverConfig, discoverSchema } from '../../src/broker/address.ts';
import { admit, reach } from '../../src/broker/endpoint.ts';

const rules = (more: Partial<DiscoverConfig> = {}) => discoverSchema.parse(more);
const admitted = (url: string, more: Partial<DiscoverConfig> = {}, name?: string) => {
  const result = admit({ url, ...(name === undefined ? {} : { name }) }, 'srv://example.org', rules(more));
  return result.ok ? result.endpoint : result.reason;
};
const from = 'srv://example.org';

describe('a broker that was found', () => {
  test('with TLS may hear the password, since it shows a certificate of the right name first', () => {
    expect(admitted('mqtts://b:8883')).toEqual({ url: 'mqtts://b:8883', from, mayHearPassword: true });
    expect(admitted('wss://b/mqtt', {}, 'b.example.org')).toMatchObject({ servername: 'b.example.org' });
    expect(admitted('mqtts://b', { name: 'mine' }, 'b.example.org')).toMatchObject({ servername: 'mine' });
  });

  test.each(['mqtt://b:1883', 'ws://b/mqtt'])('without TLS (%s) is one only where that is allowed', (url) => {
    expect(admitted(url)).toMatch(/has no TLS/);
    expect(admitted(url, { plainPassword: true })).toMatch(/has no TLS/);
    expect(admitted(url, { plain: true })).toEqual({ url, from, mayHearPassword: false });
    expect(admitted(url, { plain: true, plainPassword: true })).toMatchObject({ mayHearPassword: true });
  });

  test.each([
    ['', 'no URL'],
    ['broker', 'no URL'],
    ['http://b', 'no URL of a broker'],
    ['file:///etc/passwd', 'names no host'],
    ['srv://example.org', 'no URL of a broker'],
    ['mqtts://', 'names no host'],
    ['mqtts://me:secret@b', 'user name or password'],
    ['mqtts://me@b', 'user name or password'],
    [`mqtts://${'b'.repeat(500)}`, 'no URL'],
  ])('is none if it is %j, and no secret is told', (url, reason) => {
    expect(admitted(url, { plain: true })).toContain(reason);
    expect(admitted(url, { plain: true })).not.toContain('secret');
  });

  test('is told user name and password only where it may hear them', () => {
    const options = { username: 'porch', password: 'secret', ca: 'pem' };
    const plain = { url: 'mqtt://b', from, mayHearPassword: false };
    expect(reach(options, plain)).toEqual({ url: 'mqtt://b', ca: 'pem' });
    const sure = { url: 'mqtts://b', from, servername: 'c', mayHearPassword: true };
    expect(reach(options, sure)).toEqual({ ...options, url: 'mqtts://b', servername: 'c' });
  });
});
