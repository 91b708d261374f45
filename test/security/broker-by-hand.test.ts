/** config/mosquitto set up as its files say: the lines that they show, run as they stand, and Mosquitto as the user of its package. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { agentTopic } from '../../src/contract/topic.ts';
import { type LinkOptions, openMqttLink } from '../../src/lib/mqtt-link.ts';
import { ROOT, readText } from '../architecture/files.ts';
import { freePort, mosquittoPath, opensslPath, requireServer, startMosquitto } from '../servers.ts';

const able = requireServer('mosquitto', mosquittoPath) && requireServer('openssl', opensslPath);
/** Who is not root has one user for all, and Mosquitto is that one. */
const isRoot = process.getuid?.() === 0;
const BASE = 'collard/v1';
const PASSWORD = 'secret';
/** MQTT 5 "not authorized". */
const NOT_AUTHORIZED = 135;
/** What is typed at a terminal, and what a test cannot do. */
const BY_HAND = `mosquitto_passwd() { printf '${PASSWORD}\\n${PASSWORD}\\n' | command mosquitto_passwd "$@"; }
systemctl() { :; }
${isRoot ? '' : 'chgrp() { :; }'}
`;

/** The lines that a file shows, those above its settings and those among them. */
const shownIn = (name: string) =>
  readText(`config/mosquitto/${name}.conf`)
    .split('\nper_listener_settings true\n')
    .map((text) => [...text.matchAll(/^# {3}(.*)$/gm)].map(([, line]) => line).join('\n'));
const [toBegin = '', toRevoke = ''] = shownIn('certificates');
const [forPasswords = ''] = shownIn('passwords');
const [ofAgent, atBroker] = [toBegin.lastIndexOf('openssl req'), toBegin.indexOf('install ')];
const makeHouse = toBegin.slice(0, ofAgent);
const makeAgent = toBegin.slice(ofAgent, atBroker);
const installCertificates = toBegin.slice(atBroker);

function createPerson() {
  const folder = mkdtempSync(join(tmpdir(), 'collard-by-hand-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [etc, own] = [join(folder, 'etc'), join(folder, 'own')];
  for (const path of ['certs', 'conf.d']) mkdirSync(join(etc, path), { recursive: true });
  chmodSync(folder, 0o755);
  cpSync(join(ROOT, 'config/mosquitto'), own, { recursive: true });
  const run = (lines: string) => {
    const here = lines.replaceAll('/etc/mosquitto/', `${etc}/`).replaceAll('NAME', 'localhost');
    const text = isRoot ? here : here.replace(/ -o root| -g mosquitto/g, '');
    return execFileSync('sh', ['-ec', BY_HAND + text], { cwd: own, encoding: 'utf8', stdio: 'pipe' });
  };
  const read = (name: string) => readFileSync(join(own, name), 'utf8');
  return {
    own,
    run,
    read,
    /** With the settings that were installed, on ports that are free. */
    async startBroker() {
      const [agentsPort, centralPort] = [await freePort(), await freePort()];
      const lines = readFileSync(join(etc, 'conf.d/collard.conf'), 'utf8')
        .replaceAll('/etc/mosquitto/', `${etc}/`)
        .replace(/^listener 8883$/m, `listener ${agentsPort}`)
        .replace(/^listener 1883 127\.0\.0\.1$/m, `listener ${centralPort} 127.0.0.1`);
      const broker = await startMosquitto(['user mosquitto', ...lines.split('\n')]);
      onTestFinished(() => broker.stop());
      const link = async (options: Partial<LinkOptions>) => {
        const opened = await openMqttLink({ ...LINK, url: `mqtts://localhost:${agentsPort}`, ...options }, never);
        onTestFinished(() => opened.close());
        return opened;
      };
      const asAgent = (name: string) =>
        link({ ca: read('ca.pem'), cert: read(`${name}.pem`), key: read(`${name}.key`), clientId: name });
      const user = (username: string) => ({ username, password: PASSWORD, clientId: username });
      return {
        asAgent,
        asUser: (name: string) => link({ ca: read('ca.pem'), ...user(name) }),
        asCentral: () => link({ url: `mqtt://127.0.0.1:${centralPort}`, ...user('central') }),
        /** Gets in, and hears what central says to it. */
        async admits(name: string) {
          const agent = await asAgent(name);
          await agent.subscribe([agentTopic(BASE, name, 'stored')]);
          await agent.close();
        },
        async refuses(name: string) {
          await expect(asAgent(name)).rejects.toMatchObject({ code: expect.stringMatching(/^(TLS|UNREACHABLE)$/) });
        },
        stop: () => broker.stop(),
      };
    },
  };
}

type Broker = Awaited<ReturnType<ReturnType<typeof createPerson>['startBroker']>>;
type Link = Awaited<ReturnType<Broker['asAgent']>>;

const never = new AbortController().signal;
const LINK: LinkOptions = {
  url: '',
  clientId: '',
  cleanStart: true,
  sessionExpirySeconds: 0,
  keepaliveSeconds: 10,
  connectTimeoutMs: 3_000,
  incomingLimit: 100,
  protocol: '5',
};

describe.skipIf(!able)('the lines at the start of', () => {
  test('certificates.conf make a broker in which porch is porch and nobody else', async () => {
    const person = createPerson();
    person.run(makeHouse + makeAgent + installCertificates);
    const broker = await person.startBroker();
    await expectRules(await broker.asAgent('porch'), await broker.asCentral());
  });

  test('passwords.conf do as well', async () => {
    const person = createPerson();
    person.run(`${makeHouse}\n${forPasswords}`);
    const broker = await person.startBroker();
    await expectRules(await broker.asUser('porch'), await broker.asCentral());
    await (await broker.asUser('shed')).close();
  });

  test('certificates.conf make keys that others cannot read, and an agent that is no broker and no authority', () => {
    const person = createPerson();
    person.run(makeHouse + makeAgent);
    for (const name of ['ca', 'broker', 'porch'])
      expect(statSync(join(person.own, `${name}.key`)).mode & 0o777).toBe(0o600);
    const verify = (purpose: string, name: string) =>
      person.run(`openssl verify -CAfile ca.pem -purpose ${purpose} ${name}.pem`);
    expect(verify('sslclient', 'porch')).toBe('porch.pem: OK\n');
    expect(verify('sslserver', 'broker')).toBe('broker.pem: OK\n');
    expect(() => verify('sslserver', 'porch')).toThrow(/unsuitable certificate purpose/);
    person.run(makeAgent.replaceAll('porch', 'shed').replaceAll('ca.', 'porch.'));
    expect(() => person.run('openssl verify -CAfile ca.pem -untrusted porch.pem shed.pem')).toThrow(/invalid CA/);
  });
});

test.skipIf(!able)(
  'a stolen card gets in no more by the lines at crlfile; past its time the list shuts all out',
  async () => {
    const person = createPerson();
    person.run(makeHouse + makeAgent + makeAgent.replaceAll('porch', 'shed') + installCertificates);
    const uncomment = `sed -i 's/^#crlfile/crlfile/' /etc/mosquitto/conf.d/collard.conf`;
    person.run(`${toRevoke}\n${uncomment}`);
    const broker = await person.startBroker();
    await broker.admits('shed');
    await broker.refuses('porch');
    await broker.stop();
    expect(person.run('openssl crl -in revoked.pem -noout -nextupdate')).toMatch(/20[3-9]\d GMT/);
    const times = '-crl_lastupdate 20200101000000Z -crl_nextupdate 20200131000000Z';
    person.run(toRevoke.replace(/.* -revoke .*\n/, '').replace(/-crldays \d+/, times));
    const late = await person.startBroker();
    await late.refuses('shed');
    await late.refuses('porch');
  },
);

async function expectRules(porch: Link, central: Link): Promise<void> {
  const say = (link: Link, topic: string) => link.publish(topic, '{}', { qos: 1, retain: false });
  await central.subscribe([`${BASE}/#`]);
  await porch.subscribe([agentTopic(BASE, 'porch', 'stored')]);
  expect(await say(porch, agentTopic(BASE, 'porch', 'sync'))).toEqual({ ok: true });
  expect(await say(porch, agentTopic(BASE, 'shed', 'sync'))).toMatchObject({ reasonCode: NOT_AUTHORIZED });
  expect(await say(porch, agentTopic(BASE, 'porch', 'stored'))).toMatchObject({ reasonCode: NOT_AUTHORIZED });
  expect(await say(central, agentTopic(BASE, 'porch', 'stored'))).toEqual({ ok: true });
  expect(await say(central, agentTopic(BASE, 'porch', 'sync'))).toMatchObject({ reasonCode: NOT_AUTHORIZED });
  const [heard] = await porch.incoming.takeUpTo(1, AbortSignal.timeout(5_000));
  expect(heard?.topic).toBe(agentTopic(BASE, 'porch', 'stored'));
}
