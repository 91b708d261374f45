/** Secrets that are given in every way, and looked for in everything that comes out. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectAsync } from 'mqtt';
import { expect, onTestFinished, test } from 'vitest';
import { AGENT_SECRETS } from '../../src/agent/config.ts';
import { CENTRAL_SECRETS } from '../../src/central/config.ts';
import { loadAnyConfig } from '../../src/cli/config.ts';
import { ConfigError } from '../../src/lib/config-file.ts';
import { BARE_ENV, collard, type Ran } from '../cli/run.ts';
import { freePort, startAedes, until } from '../servers.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
const WORD = 'Kanarienvogel';
const inFile = `${WORD}-file-4711`;
const inEnv = `${WORD}-env-4712`;
const inCredentials = `${WORD}-credential-4713`;
const inUrl = `${WORD}-url-4714`;
/** As it is, in base64 and in hex: a dump of bytes is no better. */
const TRACES = [WORD, Buffer.from(WORD).toString('base64').slice(0, 16), Buffer.from(WORD).toString('hex')];
/** What a sound value of each secret looks like that holds a word. Whatever is in the lists of secrets must be here. */
const SOUND: Readonly<Record<string, (word: string) => unknown>> = {
  'mqtt.url': (word) => `mqtt://porch:${word}@127.0.0.1:1`,
  'mqtt.password': (word) => word,
  'mqtt.discover.password': (word) => word,
  bindKeys: () => ({ 'A4:C1:38:00:00:01': Buffer.from(WORD).toString('hex').padEnd(32, '0') }),
  'workers.password': (word) => word,
  'broker.accounts[].password': (word) => `$scrypt$ln=15,r=8,p=3$${word}$${word}`,
  'store.url': (word) => `postgres://me:${word}@127.0.0.1:1/collard`,
  'store.password': (word) => word,
  webhookSecret: (word) => `${word}-of-all-webhooks`,
  'webhooks[].secret': (word) => `${word}-of-one-webhook`,
  'webhooks[].url': (word) => `http://127.0.0.1:1/${word}?token=${word}`,
};
const SECRETS = { agent: AGENT_SECRETS, central: CENTRAL_SECRETS } as const;
/** What people write there by mistake. */
const SPOILT: readonly ((word: string) => unknown)[] = [
  (word) => [`me:${word}@host`],
  (word) => ({ of: word }),
  (word) => `postgres://u@h/x?password=${word}`,
  (word) => `me:${word}@host`,
  (word) => `http://me:${word} and more@host/?a=${word}@b`,
];
const traces = (text: string) => TRACES.filter((trace) => text.includes(trace));

interface Home {
  readonly folder: string;
  readonly env: Record<string, string>;
  /** Each place that a secret comes from, as the file and the environment of a command. */
  readonly ways: readonly { readonly name: string; readonly env: Record<string, string>; readonly password: string }[];
  yaml(kind: Kind, url: string, password: string | null, more?: Settings): string;
}

type Kind = 'agent' | 'central';
type Settings = Readonly<Record<string, unknown>>;

/** `settings` with a value at the place of each key. */
function withSecrets(settings: Settings, keys: readonly string[], value: (key: string) => unknown): Settings {
  const all = structuredClone(settings);
  for (const key of keys) put(all as Record<string, unknown>, key.split('.'), value(key));
  return all;
}

function put(into: Record<string, unknown>, [step = '', ...rest]: readonly string[], value: unknown): void {
  const name = step.replace('[]', '');
  if (rest.length === 0) {
    into[name] = value;
    return;
  }
  into[name] ??= step.endsWith('[]') ? [{}] : {};
  const inner = into[name];
  put((Array.isArray(inner) ? inner[0] : inner) as Record<string, unknown>, rest, value);
}

function openHome(): Home {
  const folder = mkdtempSync(join(tmpdir(), 'collard-canary-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  const credentials = join(folder, 'credentials');
  mkdirSync(credentials);
  writeFileSync(join(credentials, 'mqtt.password'), inCredentials);
  writeFileSync(join(folder, 'capture.ndjson'), '{"collar":"A","t":0,"ax":0,"ay":0,"az":1,"battery":5}\n');
  const env = { HOME: folder };
  const serial = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16].values();
  return {
    folder,
    env,
    ways: [
      { name: 'file', env, password: inFile },
      { name: 'URL', env, password: inUrl },
      { name: 'environment', env: { ...env, COLLARD_MQTT_PASSWORD: inEnv }, password: inEnv },
      { name: 'credentials', env: { ...env, CREDENTIALS_DIRECTORY: credentials }, password: inCredentials },
    ],
    yaml(kind, url, password, more = {}) {
      const mqtt = {
        url,
        ...(url.includes('@') ? {} : { username: 'porch' }),
        retryFirstMs: 20,
        retryMaxMs: 100,
        connectTimeoutMs: 1_000,
        ...(password === null ? {} : { password }),
      };
      const settings =
        kind === 'agent'
          ? {
              agent: 'porch',
              sources: [{ file: join(folder, 'capture.ndjson') }],
              log: { path: join(folder, 'events.db') },
              mqtt,
              health: { everyMs: 100 },
            }
          : {
              store: { url: `sqlite:${join(folder, 'central.db')}` },
              mqtt,
              broker: { accounts: [{ name: 'porch' }] },
            };
      const path = join(folder, `${kind}-${serial.next().value}.yaml`);
      // The secrets beside those of MQTT that go together with a service that works.
      const keys = SECRETS[kind].filter((key) => !/^(mqtt\.(url|password)|store\.url|workers)/.test(key));
      const full = withSecrets({ ...settings, ...more }, keys, (key) => SOUND[key]?.(inFile));
      writeFileSync(path, JSON.stringify(full));
      chmodSync(path, 0o600);
      return path;
    },
  };
}

/** A daemon with everything that it says, and what others see of it. */
function start(args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...BARE_ENV, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      said.text += part;
    });
  }
  return { child, said, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

function messageOf(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('what is spoilt was taken');
}

test('every key of the lists of secrets has its canary here', () => {
  expect(Object.keys(SOUND).sort()).toEqual([...new Set([...AGENT_SECRETS, ...CENTRAL_SECRETS])].sort());
});

test('no command tells a secret, whatever it comes from, nor a password in a URL', async () => {
  const home = openHome();
  const dead = `mqtt://127.0.0.1:${await freePort()}`;
  const ran: (readonly [string, Ran])[] = [];
  const bundles: string[] = [];
  let told = '';
  const run = async (args: readonly string[], env: Record<string, string>) => {
    const each = await collard(args, env);
    ran.push([args.join(' '), each]);
    return each;
  };
  const ways = home.ways.flatMap((way) => (['agent', 'central'] as const).map((kind) => ({ ...way, kind })));
  // Side by side: each waits for what does not answer.
  await Promise.all(
    ways.map(async ({ name, env, kind }) => {
      const file = home.yaml(kind, dead, name === 'file' ? inFile : null);
      await run(['config', 'show', file, '--json'], env);
      const bundle = join(home.folder, `${kind}-${name}.json`);
      await run(['doctor', '--config', file, '--bundle', bundle], { ...env, COLLARD_DEBUG: '1' });
      bundles.push(bundle);
    }),
  );
  for (const kind of ['agent', 'central'] as const) {
    const file = home.yaml(kind, dead, inFile);
    const settings = JSON.parse(readFileSync(file, 'utf8')) as Settings;
    const write = (value: (key: string) => unknown) =>
      writeFileSync(file, JSON.stringify(withSecrets(settings, SECRETS[kind], value)));
    // All of them at once.
    const more = kind === 'central' ? { workers: { shards: '0-31' } } : {};
    writeFileSync(
      file,
      JSON.stringify(withSecrets({ ...settings, ...more }, SECRETS[kind], (key) => SOUND[key]?.(inFile))),
    );
    expect(await run(['config', 'check', file], home.env)).toMatchObject({ status: 0 });
    await run(['config', 'show', file], home.env);
    const bundle = join(home.folder, `${kind}-all.json`);
    await run(['doctor', '--config', file, '--json', '--bundle', bundle], home.env);
    bundles.push(bundle);
    for (const spoilt of SPOILT) {
      write(() => spoilt(inFile));
      told += messageOf(() => loadAnyConfig(file, home.env));
    }
    writeFileSync(file, `agent: porch\nmqtt: { url: "x", password: [${inFile}], pasword: ${inFile} }\n`);
    await run(['config', 'check', file, '--json'], home.env);
  }
  expect(told).toContain('store.url: expected');
  expect(traces(told)).toEqual([]);
  expect(bundles.filter((path) => traces(readFileSync(path, 'utf8')).length > 0)).toEqual([]);
  expect(ran.map(([, { stdout, stderr }]) => (stdout + stderr).length > 0)).not.toContain(false);
  expect(ran.filter(([, { stdout, stderr }]) => traces(stdout + stderr).length > 0)).toEqual([]);
}, 240_000);

test('a store that does not answer and a wrong login are told without a secret', async () => {
  const home = openHome();
  const port = await freePort();
  const url = `postgres://me:${inUrl}@127.0.0.1:${port}/collard`;
  const workers = { etcd: [`http://127.0.0.1:${port}`], username: 'worker', password: inFile };
  const cut = home.yaml('central', `mqtt://porch:${inUrl}@127.0.0.1:${port}`, null, { store: { url }, workers });
  const away = start(['central', '--worker', '--config', cut, '--log-level', 'trace', '--debug'], home.env);
  await until('the store is away', () => away.said.text.includes('postgres://127.0.0.1'), 60_000);
  await away.stop();
  expect(traces(away.said.text)).toEqual([]);

  const own = await freePort();
  const accounts = [{ name: 'porch' }];
  const broker = { enabled: true, port: own, local: 'closed', accounts };
  const file = home.yaml('central', `mqtt://127.0.0.1:${own}`, null, { http: { port: 0 }, broker });
  const central = start(['central', '--config', file, '--log-level', 'trace'], home.env);
  await until('it listens', () => central.said.text.includes('the broker of central listens'), 60_000);
  const guest = { username: 'porch', password: inEnv, protocolVersion: 4 as const, reconnectPeriod: 0 };
  await expect(connectAsync(`mqtt://127.0.0.1:${own}`, guest)).rejects.toThrow();
  await central.stop();
  expect(traces(central.said.text)).toEqual([]);
}, 240_000);

test('agent and central tell no secret: refused, cut off and at work', async () => {
  const home = openHome();
  let password = 'another';
  const broker = await startAedes({
    authenticate: (_client, _name, given, done) => done(null, given?.toString() === password),
  });
  onTestFinished(() => broker.stop());
  for (const { name, env, password: secret } of home.ways) {
    const port = await freePort();
    const own = name === 'file' ? inFile : null;
    const url = name === 'URL' ? broker.url.replace('//', `//porch:${inUrl}@`) : broker.url;
    password = 'another';
    const agent = start(['agent', '--config', home.yaml('agent', url, own), '--log-level', 'trace'], env);
    const central = start(
      ['central', '--config', home.yaml('central', url, own, { http: { port } }), '--log-level', 'trace'],
      env,
    );
    await until('both are refused', () => [agent, central].every(({ said }) => /refuse/.test(said.text)), 20_000);
    for (const { child } of [agent, central]) {
      expect(traces(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8'))).toEqual([]);
    }
    password = secret;
    const watcher = await connectAsync(broker.url, { username: 'porch', password: secret });
    onTestFinished(() => watcher.endAsync(true));
    let messages = '';
    watcher.on('message', (topic, payload) => {
      messages += `${topic} ${payload.toString()}\n`;
    });
    await watcher.subscribeAsync('#', { qos: 1 });
    const page = `http://127.0.0.1:${port}`;
    const health = async () => (await (await fetch(`${page}/api/v1/agents`)).json()).agents[0]?.health ?? null;
    await until('the health is known', async () => (await health()) !== null && /\/health /.test(messages), 20_000);
    let answers = '';
    for (const path of [
      '',
      'readyz',
      'metrics',
      'api/openapi.json',
      'api/v1/agents',
      'api/v1/cats',
      'api/v1/events',
      'api/v1/state',
    ]) {
      answers += await (await fetch(`${page}/${path}`)).text();
    }
    await Promise.all([agent.stop(), central.stop()]);
    await watcher.endAsync(true);
    expect(messages.length * answers.length).toBeGreaterThan(0);
    for (const text of [agent.said.text, central.said.text, messages, answers]) expect(traces(text)).toEqual([]);
  }
  const databases = readdirSync(home.folder).filter((name) => /\.db/.test(name));
  expect(databases).toEqual(expect.arrayContaining(['central.db', 'events.db']));
  for (const name of databases) expect(traces(readFileSync(join(home.folder, name), 'latin1')), name).toEqual([]);
}, 240_000);
