import { describe, expect, onTestFinished, test } from 'vitest';
import { findBySrv, inTurn, type SrvRecord } from '../../src/broker/srv.ts';
import { freePort, requireServer } from '../servers.ts';
import { dnsmasqPath, startDns } from './servers.ts';

const never = new AbortController().signal;
const record = (name: string, priority: number, weight: number): SrvRecord => ({ name, port: 1, priority, weight });
const names = (records: readonly SrvRecord[], random: () => number) =>
  inTurn(records, random)
    .map(({ name }) => name)
    .join('');

describe('the order of SRV records', () => {
  test('is by priority, whatever the weight', () => {
    const records = [record('c', 20, 60_000), record('a', 0, 0), record('b', 10, 1)];
    for (const chance of [0, 0.5, 0.999]) expect(names(records, () => chance)).toBe('abc');
  });

  test('is by chance among equals, as often as the weight says', () => {
    const records = [record('a', 0, 1), record('b', 0, 3), record('z', 0, 0)];
    const first = { a: 0, b: 0, z: 0 };
    const draws = 500;
    for (let i = 0; i < draws; i++) {
      const turn = inTurn(records, () => i / draws);
      first[(turn[0]?.name ?? 'z') as keyof typeof first]++;
      expect(turn).toHaveLength(3);
    }
    // Of 0 to 4, one draw is of the one without weight, one of a, three of b.
    expect(first).toEqual({ z: 100, a: 100, b: 300 });
  });

  test('leaves out the target that says that there is no such service', () => {
    expect(names([record('', 0, 0), record('.', 0, 0)], () => 0)).toBe('');
  });
});

describe.skipIf(!requireServer('dnsmasq', dnsmasqPath, 'dnsmasq-base'))('over a DNS server', () => {
  async function dns(...lines: string[]) {
    const server = await startDns(lines);
    onTestFinished(() => server.kill());
    return {
      server,
      find: (plain = false, domain = 'example.test') =>
        findBySrv(domain, { plain, dns: server.address }, () => 0, never),
    };
  }

  test('brokers with TLS come first, in turn, and plain ones only where they are asked for', async () => {
    const { find } = await dns(
      'srv-host=_secure-mqtt._tcp.example.test,b2.example.test,8884,20,0',
      'srv-host=_secure-mqtt._tcp.example.test,b1.example.test,8883,10,0',
      'srv-host=_mqtt._tcp.example.test,b1.example.test,1883,0,0',
      'host-record=b1.example.test,127.0.0.1',
      'host-record=b2.example.test,127.0.0.2,fd00::2',
    );
    const secure = [
      { url: 'mqtts://127.0.0.1:8883', name: 'b1.example.test' },
      { url: 'mqtts://127.0.0.2:8884', name: 'b2.example.test' },
      { url: 'mqtts://[fd00::2]:8884', name: 'b2.example.test' },
    ];
    expect(await find()).toEqual(secure);
    expect(await find(true)).toEqual([...secure, { url: 'mqtt://127.0.0.1:1883', name: 'b1.example.test' }]);
  });

  test('a target outside of the domain needs a certificate of the domain', async () => {
    const { find } = await dns(
      'srv-host=_secure-mqtt._tcp.example.test,evil-example.test,8883,0,0',
      'host-record=evil-example.test,127.0.0.1',
    );
    expect(await find()).toEqual([{ url: 'mqtts://127.0.0.1:8883', name: 'example.test' }]);
  });

  test('no such record is no broker, and what changes is seen the next time', async () => {
    const { server, find } = await dns();
    expect(await find(true)).toEqual([]);
    await server.restart([
      'srv-host=_secure-mqtt._tcp.example.test,example.test,8883,0,0',
      'host-record=example.test,127.0.0.1',
    ]);
    expect(await find()).toEqual([{ url: 'mqtts://127.0.0.1:8883', name: 'example.test' }]);
  });

  test('a server that is away is a failure, and no answer', async () => {
    const away = `127.0.0.1:${await freePort()}`;
    const find = findBySrv('example.test', { plain: false, dns: away }, () => 0, never);
    await expect(find).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
