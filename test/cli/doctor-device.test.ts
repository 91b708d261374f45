/** What doctor asks the system, the broker and certificates; and the bundle. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { featureFindings } from '../../src/cli/doctor-broker.ts';
import { withoutSecrets } from '../../src/cli/doctor-bundle.ts';
import { checkCertificates } from '../../src/cli/doctor-certificates.ts';
import { checkClock, checkRuntime, portFinding } from '../../src/cli/doctor-machine.ts';
import { checkBrokers } from '../../src/cli/doctor-network.ts';
import { checkService } from '../../src/cli/doctor-service.ts';
import { createAuthority } from '../lib/certificates.ts';
import { freePort, mosquittoPath, opensslPath, requireServer, startMosquitto } from '../servers.ts';
import { collard } from './run.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-doctor-device-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mqttOf = (mqtt: object) =>
  agentSchema.parse({ agent: 'a', sources: [{ file: 'x' }], log: { path: 'x' }, mqtt }).mqtt;

describe('the machine', () => {
  test.each([
    ['arm64', 'ok'],
    ['x64', 'ok'],
    ['arm', 'fail'],
    ['ia32', 'fail'],
  ])('a processor that is %s is %s', (arch, result) => {
    expect(checkRuntime('v24.21.0', arch).result).toBe(result);
  });

  test.each([
    [true, 'ok'],
    [false, 'warn'],
    [null, 'ok'],
  ])('where no timesyncd runs and timedatectl says %s, the clock is %s', async (said, result) => {
    expect((await checkClock(join(folder, 'none'), async () => said)).result).toBe(result);
  });

  test('serial0 of a Pi 5 is not what people mean', () => {
    expect(portFinding('/dev/serial0', 'Raspberry Pi 5 Model B Rev 1.0\0')).toMatchObject({
      result: 'warn',
      fix: expect.stringContaining('/dev/ttyAMA0'),
    });
    expect(portFinding('/dev/serial0', 'Raspberry Pi 4 Model B').result).toBe('ok');
    expect(portFinding('/dev/ttyAMA0', 'Raspberry Pi 5').result).toBe('ok');
  });

  const running = {
    LoadState: 'loaded',
    ActiveState: 'active',
    SubState: 'running',
    UnitFileState: 'enabled',
    Result: 'success',
    NRestarts: '0',
    StatusText: 'online (MQTT 5), 0 events wait',
  };
  test.each<[string, object | null, string, string | null]>([
    ['no systemd', null, 'ok', null],
    ['not installed', { LoadState: 'not-found' }, 'ok', null],
    ['a unit with a fault', { LoadState: 'bad-setting' }, 'fail', 'systemd-analyze verify collard-agent.service'],
    ['failed', { ActiveState: 'failed', Result: 'exit-code' }, 'fail', 'journalctl -u collard-agent.service'],
    ['starting again and again', { ActiveState: 'activating', SubState: 'auto-restart' }, 'fail', 'restart'],
    ['stopped', { ActiveState: 'inactive', SubState: 'dead' }, 'warn', 'sudo systemctl start collard-agent.service'],
    ['never started', { ActiveState: 'inactive', UnitFileState: 'disabled' }, 'warn', 'enable --now'],
    ['not enabled', { UnitFileState: 'disabled' }, 'warn', 'sudo systemctl enable collard-agent.service'],
    ['restless', { NRestarts: '7' }, 'warn', 'journalctl'],
    ['stalled', { StatusText: 'STALLED, online (MQTT 5)' }, 'warn', 'journalctl'],
    ['well', {}, 'ok', null],
  ])('a service that is %s', async (_name, changed, result, fix) => {
    const finding = await checkService('agent', async () => changed && { ...running, ...changed });
    expect(finding.result).toBe(result);
    if (fix === null) expect(finding.fix).toBeNull();
    else expect(finding.fix).toContain(fix);
  });
});

describe('the broker', () => {
  const features = { protocol: '5', receiveMaximum: 20, maxPacketBytes: 524_288, retains: true } as const;
  test.each<[string, object, string[]]>([
    ['all that is needed', {}, ['ok']],
    ['no limits', { maxPacketBytes: Number.POSITIVE_INFINITY, receiveMaximum: 65_535 }, ['ok']],
    ['small packets', { maxPacketBytes: 100_000 }, ['warn']],
    ['tiny packets', { maxPacketBytes: 1_024 }, ['fail']],
    ['one at a time', { receiveMaximum: 1 }, ['warn']],
    ['nothing retained', { retains: false }, ['fail']],
    ['nothing at all', { retains: false, receiveMaximum: 1, maxPacketBytes: 1_024 }, ['fail', 'warn', 'fail']],
    ['MQTT 3.1.1', { protocol: '3.1.1', retains: false }, ['ok']],
  ])('with %s', (_name, changed, results) => {
    const findings = featureFindings({ ...features, ...changed });
    expect(findings.map(({ result }) => result)).toEqual(results);
    expect(findings.filter(({ result, fix }) => result !== 'ok' && fix === null)).toEqual([]);
  });

  describe.skipIf(!requireServer('mosquitto', mosquittoPath))('that is real', () => {
    const check = async (url: string, name: string) =>
      (await checkBrokers(mqttOf({ url, username: name, password: 'x' }), false, name)).map(
        ({ check, result, message }) => `${check} ${result} ${message}`,
      );

    test('tells its limits, and who may write where', async () => {
      const acl = join(folder, 'acl');
      writeFileSync(acl, 'pattern write collard/v1/+/%u/response/+\n');
      chmodSync(acl, 0o644);
      const port = await freePort();
      const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'max_packet_size 100000'];
      const bound = await startMosquitto([...lines, `acl_file ${acl}`]);
      onTestFinished(() => bound.stop());
      const found = await check(bound.url, 'porch');
      expect(found).toContainEqual(expect.stringMatching(/^broker ok .* answers MQTT 5$/));
      expect(found).toContainEqual(expect.stringMatching(/^features warn MQTT 5, packets of 100000 bytes, 20 at once/));
      expect(found).toContain("rights ok porch may write its own topics, and nobody else's");
      const open = await startMosquitto(['retain_available false']);
      onTestFinished(() => open.stop());
      const all = await check(open.url, 'porch');
      expect(all).toContain('rights warn whoever is let in may write in the name of any agent');
      expect(all).toContainEqual(expect.stringMatching(/^features fail .* nothing retained/));
    });

    test('refuses what an agent writes', async () => {
      const acl = join(folder, 'acl-none');
      writeFileSync(acl, 'user nobody\ntopic read x\n');
      chmodSync(acl, 0o644);
      const port = await freePort();
      const closed = await startMosquitto([`listener ${port} 127.0.0.1`, 'allow_anonymous true', `acl_file ${acl}`]);
      onTestFinished(() => closed.stop());
      expect(await check(closed.url, 'porch')).toContain('rights fail the broker refuses what porch writes');
    });
  });
});

describe.skipIf(!requireServer('openssl', opensslPath))('certificates', () => {
  const now = Date.parse('2026-11-26T12:00:00Z');
  test('are looked at for their time, and for their key', () => {
    const authority = createAuthority();
    onTestFinished(() => authority.remove());
    const results = (tls: object, at = now) =>
      checkCertificates(tls, at).map(({ result, message }) => `${result} ${message}`);
    const good = authority.issue('porch.example');
    expect(results({})).toEqual([]);
    expect(results(good)).toEqual(['ok mqtt.cert (porch.example) is valid until 2049-01-01']);
    expect(results(authority.issue('old', '20200101000000Z', '20260101000000Z'))).toEqual([
      'fail mqtt.cert (old) was valid until 2026-01-01',
    ]);
    expect(results(authority.issue('soon', '20200101000000Z', '20261206120000Z'))).toEqual([
      'warn mqtt.cert (soon) is valid for 10 more days, until 2026-12-06',
    ]);
    // A Pi without a clock.
    expect(results(good, Date.parse('1970-01-01T00:00:00Z'))[0]).toBe(
      'fail mqtt.cert (porch.example) is not valid before 2020-01-01',
    );
    expect(results({ ...good, key: authority.issue('x').key })[1]).toBe('fail mqtt.key is not the key of mqtt.cert');
    expect(results({ cert: good.cert })[1]).toBe('fail mqtt.cert is given without mqtt.key');
    expect(results({ ...good, key: 'nonsense' })[1]).toMatch(/^fail mqtt\.key or mqtt\.cert cannot be read/);
    expect(results({ ca: 'nonsense' })[0]).toBe('fail mqtt.ca holds no certificate');
    expect(results({ ca: authority.ca + authority.ca }).length).toBe(2);
  });

  test.skipIf(!requireServer('mosquitto', mosquittoPath))("the broker's own is shown with its end", async () => {
    const authority = createAuthority();
    onTestFinished(() => authority.remove());
    const own = mkdtempSync(join(folder, 'tls-'));
    const { cert, key } = authority.issue('127.0.0.1');
    for (const [name, text] of Object.entries({ ca: authority.ca, cert, key })) {
      writeFileSync(join(own, name), text);
    }
    const port = await freePort();
    const tls = [`certfile ${join(own, 'cert')}`, `keyfile ${join(own, 'key')}`];
    const broker = await startMosquitto([`listener ${port} 127.0.0.1`, 'allow_anonymous true', ...tls]);
    onTestFinished(() => broker.stop());
    const findings = await checkBrokers(mqttOf({ url: `mqtts://127.0.0.1:${port}`, ca: join(own, 'ca') }), false);
    expect(findings.map(({ check, message }) => `${check} ${message}`)).toContain(
      "tls the broker's certificate (127.0.0.1) is valid until 2049-01-01",
    );
  });
});

describe('the bundle', () => {
  test('holds findings, masked settings, machine and ports, for its owner alone', async () => {
    const own = mkdtempSync(join(folder, 'bundle-'));
    mkdirSync(join(own, 'data'));
    const file = join(own, 'agent.yaml');
    const capture = join(own, 'capture.jsonl');
    writeFileSync(capture, '');
    const url = `mqtt://127.0.0.1:${await freePort()}`;
    const settings = {
      agent: 'porch',
      sources: [{ file: capture }],
      log: { path: join(own, 'data', 'events.db') },
      mqtt: { url, username: 'porch', password: 'Kanarienvogel-4715' },
    };
    writeFileSync(file, JSON.stringify(settings), { mode: 0o600 });
    const bundle = join(own, 'bundle.json');
    const { status, stderr } = await collard(['doctor', '--config', file, '--bundle', bundle, '--json']);
    // Nobody runs that broker.
    expect({ status, stderr }).toEqual({ status: 1, stderr: `wrote ${bundle}: look through it before you send it\n` });
    const text = readFileSync(bundle, 'utf8');
    expect(text).not.toContain('Kanarienvogel');
    expect(statSync(bundle).mode & 0o777).toBe(0o600);
    const told = JSON.parse(text);
    expect(told).toMatchObject({ kind: 'agent', machine: { node: process.version, arch: process.arch } });
    expect(told.settings).toContainEqual({ path: 'mqtt.password', value: '***', origin: expect.any(String) });
    expect(told.checks).toContainEqual(expect.objectContaining({ check: 'broker', result: 'fail' }));
    expect(Array.isArray(told.ports) && Array.isArray(told.journal)).toBe(true);
  });

  test('a secret is taken out wherever it stands, also with characters that JSON escapes', () => {
    const text = JSON.stringify({ a: 'said "no\\" to x', b: ['the "no\\"'] });
    expect(JSON.parse(withoutSecrets(text, ['"no\\"']))).toEqual({ a: 'said *** to x', b: ['the ***'] });
  });

  test('a machine without a configuration has a bundle too, a folder that is not there has none', async () => {
    const bundle = join(folder, 'machine.json');
    expect((await collard(['doctor', '--bundle', bundle])).status).toBe(0);
    expect(JSON.parse(readFileSync(bundle, 'utf8'))).toMatchObject({ kind: null, settings: [] });
    const missing = await collard(['doctor', '--bundle', join(folder, 'none', 'x.json')]);
    expect(missing.status).toBe(74);
    expect(missing.stderr).toContain('cannot write');
  });
});
