/** Secrets that are given in every way, and looked for in everything that comes out. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectAsync } from 'mqtt';
import { expect, onTestFinished, test } from 'vitest';
import { collard, type Ran } from '../cli/run.ts';
import { freePort, startAedes, until } from '../servers.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
const WORD = 'Kanarienvogel';
const inFile = `${WORD}-file-4711`;
const inEnv = `${WORD}-env-4712`;
const inCredentials = `${WORD}-credential-4713`;
const inUrl = `${WORD}-url-4714`;
/** As it is, in base64 and in hex: a dump of bytes is no better. */
const TRACES = [WORD, Buffer.from(WORD).toString('base64').slice(0, 16), Buffer.from(WORD).toString('hex')];
const traces = (text: string) => TRACES.filter((trace) => text.includes(trace));

interface Home {
  readonly folder: string;
  readonly env: Record<string, string>;
  /** Each place that a secret comes from, as the file and the environment of a command. */
  readonly ways: readonly { readonly name: string; readonly env: Record<string, string>; readonly password: string }[];
  yaml(kind: 'agent' | 'central', url: string, password: string | null, port?: number): string;
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
      { name: 'environment', env: { ...env, COLLARD_MQTT_PASSWORD: inEnv }, password: inEnv },
      { name: 'credentials', env: { ...env, CREDENTIALS_DIRECTORY: credentials }, password: inCredentials },
    ],
    yaml(kind, url, password, port = 0) {
      const mqtt = {
        url,
        username: 'porch',
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
          : { store: { url: `sqlite:${join(folder, 'central.db')}` }, mqtt, http: { port } };
      const path = join(folder, `${kind}-${serial.next().value}.yaml`);
      writeFileSync(path, JSON.stringify(settings));
      chmodSync(path, 0o600);
      return path;
    },
  };
}

/** A daemon with everything that it says, and what others see of it. */
function start(args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
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

test('no command tells a secret, whatever it comes from, nor a password in a URL', async () => {
  const home = openHome();
  const dead = `mqtt://127.0.0.1:${await freePort()}`;
  const ran: (readonly [string, Ran])[] = [];
  const bundles: string[] = [];
  const run = async (args: readonly string[], env: Record<string, string>) => {
    ran.push([args.join(' '), await collard(args, env)]);
  };
  for (const { name, env } of home.ways) {
    for (const kind of ['agent', 'central'] as const) {
      const file = home.yaml(kind, dead, name === 'file' ? inFile : null);
      await run(['config', 'show', file, '--json'], env);
      const bundle = join(home.folder, `${kind}-${name}.json`);
      await run(['doctor', '--config', file, '--bundle', bundle], { ...env, COLLARD_DEBUG: '1' });
      bundles.push(bundle);
    }
  }
  const url = dead.replace('//', `//porch:${inUrl}@`);
  for (const kind of ['agent', 'central'] as const) {
    const file = home.yaml(kind, url, inFile);
    await run(['config', 'check', file], home.env);
    await run(['config', 'show', file], home.env);
    const bundle = join(home.folder, `${kind}-url.json`);
    await run(['doctor', '--config', file, '--json', '--bundle', bundle], home.env);
    bundles.push(bundle);
    // A fault beside the secret, and in it.
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('"username":"porch"', '"username":7').replace('mqtt://', 'http://'),
    );
    await run(['config', 'check', file], home.env);
    writeFileSync(file, `agent: porch\nmqtt: { url: "x", password: [${inFile}], pasword: ${inFile} }\n`);
    await run(['config', 'check', file, '--json'], home.env);
  }
  expect(bundles.filter((path) => traces(readFileSync(path, 'utf8')).length > 0)).toEqual([]);
  expect(ran.map(([, { stdout, stderr }]) => (stdout + stderr).length > 0)).not.toContain(false);
  expect(ran.filter(([, { stdout, stderr }]) => traces(stdout + stderr).length > 0)).toEqual([]);
}, 120_000);

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
    password = 'another';
    const agent = start(['agent', '--config', home.yaml('agent', broker.url, own), '--log-level', 'trace'], env);
    const central = start(
      ['central', '--config', home.yaml('central', broker.url, own, port), '--log-level', 'trace'],
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
}, 120_000);
