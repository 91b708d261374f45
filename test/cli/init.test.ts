import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { agentSchema } from '../../src/agent/config.ts';
import { isPassword } from '../../src/central/api/password.ts';
import { centralSchema } from '../../src/central/config.ts';
import { fillExample, type Settings } from '../../src/cli/example-yaml.ts';
import { askAll, type InitSystem } from '../../src/cli/init-ask.ts';
import { parseSets, render } from '../../src/cli/init-settings.ts';
import type { Prompter } from '../../src/cli/prompt.ts';
import { settingsOf } from '../../src/lib/config-file.ts';
import { openPty } from '../../src/simulator/pty.ts';
import { startAedes } from '../servers.ts';
import { collard } from './run.ts';
import { openTerminal } from './terminal.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-init-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const newFolder = () => mkdtempSync(join(folder, 'home-'));

/** A receiver that speaks all the time. */
function speaking(lines: () => string): { readonly path: string } {
  const pty = openPty();
  const writing = setInterval(() => void pty.write(Buffer.from(lines())), 50);
  onTestFinished(async () => {
    clearInterval(writing);
    await pty.close();
  });
  return pty;
}

describe('what is written', () => {
  const minimal: Record<'agent' | 'central', Settings> = {
    agent: { agent: 'porch', sources: [{ file: 'x' }], log: { path: '/x' }, mqtt: { url: 'mqtt://h' } },
    central: { store: { url: 'sqlite:/x' }, mqtt: { url: 'mqtt://h' } },
  };

  test.each(['agent', 'central'] as const)('every fixed setting of the %s has its place in the example', (side) => {
    const schema = side === 'agent' ? agentSchema : centralSchema;
    const example = readFileSync(new URL(`../../config/${side}.yaml`, import.meta.url), 'utf8');
    const comments = example.split('\n').filter((line) => /^\s*# /.test(line));
    const settings = settingsOf(schema).filter(({ path }) => !/^(?:sources|bindKeys)/.test(path));
    expect(settings.length).toBeGreaterThan(20);
    for (const { path } of settings) {
      const value = `set-${path}`;
      const wanted = path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Settings;
      const text = fillExample(example, wanted);
      const found = path.split('.').reduce<unknown>((inner, key) => (inner as Settings)[key], parse(text));
      expect(found, path).toBe(value);
      // No explanation is lost.
      expect(comments.filter((line) => !text.includes(line))).toEqual([]);
    }
  });

  test('a serial port keeps the comments of its example, further sources and other kinds stand beside it', () => {
    const serial = { serial: '/dev/ttyUSB0', baud: 9600, format: 'csv', place: 'hall', columns: ['t_ms', 'ax_g'] };
    const gpio = { gpio: 'auto', lines: [{ line: 17, kind: 'motion', place: 'hall' }] };
    const text = render('agent', { ...minimal.agent, sources: [serial, gpio, { file: '/x', format: 'frame' }] });
    expect(parse(text).sources).toEqual([serial, gpio, { file: '/x', format: 'frame' }]);
    expect(text).toContain('    # Speed in baud, as the receiver sends.\n    baud: 9600\n');
    expect(parse(render('agent', { ...minimal.agent, sources: [gpio] })).sources).toEqual([gpio]);
  });

  test('what is wrong is told all at once, in the words of the configuration, and nothing is written', () => {
    const wrong = { ...minimal.agent, forward: { batchEvents: 'ten' }, mqtt: { url: 'mqtt://h', usrname: 'x' } };
    expect(() => render('agent', wrong)).toThrow(
      /usrname": did you mean "username"\?\n.*forward\.batchEvents: expected/,
    );
  });

  test('settings by path: lists, numbers, texts that only look like YAML; no secrets, no prototypes', () => {
    expect(
      parseSets(['sources[0].serial=/dev/x', 'sources.0.baud=9600', 'mqtt.url=mqtt://h:1', 'agent=a: b: c']),
    ).toEqual({
      sources: [{ serial: '/dev/x', baud: 9600 }],
      mqtt: { url: 'mqtt://h:1' },
      agent: 'a: b: c',
    });
    for (const secret of ['mqtt.password=x', 'webhooks[0].secret=x', 'bindKeys.a=x', 'store.password=y']) {
      expect(() => parseSets([secret]), secret).toThrow('secrets are not taken from the command line');
    }
    expect(() => parseSets(['__proto__.x=1'])).toThrow('there is no key');
    expect(() => parseSets(['agent'])).toThrow('key=value');
  });
});

describe('the questions', () => {
  /** Answers by their questions, in order; what is not answered is the preset or the first choice. */
  function person(answers: [RegExp, string][]): Prompter & { readonly told: string[] } {
    const told: string[] = [];
    const next = (question: string) => {
      const at = answers.findIndex(([pattern]) => pattern.test(question));
      return at < 0 ? null : (answers.splice(at, 1)[0]?.[1] ?? null);
    };
    return {
      told,
      tell: (line) => void told.push(line),
      async text(question, preset, check = () => null) {
        const said = next(question) ?? preset;
        expect(check(said), question).toBeNull();
        return said;
      },
      secret: async (question) => next(question) ?? '',
      async choose(question, choices) {
        const said = next(question);
        const choice = choices.find(({ label }) => said === null || label.includes(said));
        if (choice === undefined) throw new Error(`${question}: no ${said} in ${choices.map(({ label }) => label)}`);
        return choice.value;
      },
      confirm: async (question, preset) => (next(question) ?? (preset ? 'y' : 'n')) === 'y',
      untilEnter: (work) => work((line) => void told.push(line), AbortSignal.abort()),
    };
  }
  const quiet = {
    baud: null,
    format: null,
    frames: 0,
    framesPerSecond: 0,
    bytes: 0,
    sample: '',
    collars: [],
    problem: null,
  };
  const ok = { check: 'broker', result: 'ok', message: 'answers', fix: null } as const;
  const system = (changes: Partial<InitSystem>): InitSystem => ({
    ports: async () => [],
    hear: async () => quiet,
    collars: async () => undefined,
    brokers: async () => [],
    test: async () => [ok],
    ...changes,
  });
  const port = (path: string, problem: string | null = null) => ({
    path,
    device: path,
    problem,
    holder: null,
    usb: null,
  });

  test('the port that speaks comes first, with what was heard; each shaken collar gets its name', async () => {
    const collars = [
      [
        { collar: 'A', readings: 14, shakes: 9 },
        { collar: 'B', readings: 20, shakes: 0 },
      ],
      [
        { collar: 'A', readings: 3, shakes: 0 },
        { collar: 'B', readings: 7, shakes: 6 },
      ],
    ].values();
    const ask = person([
      [/be\?/, 'agent'],
      [/which cat/, 'y'],
      [/heard A shaken ×9/, 'Mia'],
      [/another collar/, 'y'],
      [/heard B shaken ×6/, 'Tom'],
      [/where does this receiver/, 'hall'],
      [/which MQTT/, 'none yet'],
    ]);
    const answers = await askAll(
      ask,
      system({
        ports: async () => [
          port('/dev/a'),
          port('/dev/b'),
          port('/dev/c', '/dev/c is held by minicom (pid 7): stop it'),
        ],
        hear: async (path) =>
          path === '/dev/b'
            ? { ...quiet, baud: 9_600, format: 'json', frames: 30, framesPerSecond: 10, bytes: 900 }
            : quiet,
        collars: async (_source, heard) => heard(collars.next().value ?? [], null),
      }),
      { role: null, settings: { agent: 'porch' } },
    );
    expect(ask.told).toContain('  /dev/c is held by minicom (pid 7): stop it');
    expect(answers).toEqual({
      role: 'agent',
      settings: {
        sources: [{ serial: '/dev/b', baud: 9_600, format: 'json', place: 'hall' }],
        mqtt: { url: 'mqtt://127.0.0.1:1883' },
      },
      password: null,
      cats: [
        { collar: 'A', name: 'Mia' },
        { collar: 'B', name: 'Tom' },
      ],
    });
  });

  test('a receiver that is not understood is asked for; one that is not there yet can be plugged in', async () => {
    let looks = 0;
    const ports = async () => (++looks === 1 ? [] : [port('/dev/a')]);
    const ask = person([
      [/come from/, 'look again'],
      [/come from/, '/dev/a'],
      [/baud/, '57600'],
      [/write/, 'rflink'],
      [/which cat/, 'n'],
    ]);
    const { settings } = await askAll(ask, system({ ports }), { role: 'agent', settings: { agent: 'a', mqtt: {} } });
    expect(settings.sources).toEqual([{ serial: '/dev/a', baud: 57_600, format: 'rflink' }]);
  });

  test('where there is no broker central brings its own along: for this machine, or with a password for each agent', async () => {
    const given = { role: 'central' as const, settings: {} };
    const here = await askAll(
      person([
        [/which MQTT/, 'brings along'],
        [/who is to reach/, 'this machine only'],
      ]),
      system({}),
      given,
    );
    expect(here.settings).toEqual({ mqtt: { url: 'mqtt://127.0.0.1:1883' }, broker: { enabled: true } });
    const ask = person([
      [/which MQTT/, 'brings along'],
      [/an agent on another/, 'porch'],
      [/password of porch/, 'short'],
      [/password of porch/, 'Kanarienvogel'],
      [/another agent/, 'shed'],
      [/password of shed/, 'Wellensittich'],
    ]);
    const { settings, password } = await askAll(ask, system({}), given);
    expect(password).toBeNull();
    expect(settings.broker).toMatchObject({ enabled: true, host: '0.0.0.0', mdns: true });
    const text = render('central', { store: { url: 'sqlite:/x' }, ...settings });
    const { accounts } = centralSchema.parse(parse(text)).broker;
    expect(accounts.map(({ name, may }) => [name, may])).toEqual([
      ['porch', 'agent'],
      ['shed', 'agent'],
    ]);
    expect(await isPassword('Kanarienvogel', accounts[0]?.password ?? '')).toBe(true);
    expect(text).not.toContain('Kanarienvogel');
  });

  test('it is not offered to an agent alone, nor where its port is taken', async () => {
    const offered = async (role: 'agent' | 'both', url: string) => {
      let labels: readonly string[] = [];
      const asked = person([]);
      const ask: Prompter = {
        ...asked,
        choose(question, choices) {
          if (/which MQTT/.test(question)) labels = choices.map(({ label }) => label);
          return asked.choose(question, choices);
        },
      };
      const brokers = async () => [{ how: 'one', mqtt: { url } }];
      await askAll(ask, system({ brokers }), { role, settings: { agent: 'a', sources: [] } });
      return labels.some((label) => label.includes('brings along'));
    };
    expect(await offered('both', 'mqtt://10.0.0.1:1883')).toBe(true);
    expect(await offered('both', 'mqtt://127.0.0.1:1883')).toBe(false);
    expect(await offered('agent', 'mqtt://10.0.0.1:1883')).toBe(false);
  });

  test('a broker that does not work is not taken unless somebody insists; a password goes in the clear only if asked for', async () => {
    const mqtt = { url: 'mdns://local', discover: { plain: true } };
    const tested: object[] = [];
    const results = [[{ ...ok, result: 'fail' as const }], [ok]].values();
    const ask = person([
      [/which MQTT/, 'by mDNS'],
      [/user name/, 'porch'],
      [/password/, 'secret'],
      [/Send it/, 'n'],
      [/all the same/, 'n'],
      [/which MQTT/, 'type its'],
      [/address/, 'mqtts://b.example'],
      [/user name/, 'porch'],
      [/password/, 'secret'],
      [/who keeps/, 'no central'],
    ]);
    const { settings, password } = await askAll(
      ask,
      system({
        brokers: async () => [{ how: 'one.local, by mDNS', mqtt }],
        test: async (tried) => {
          tested.push(tried);
          return results.next().value ?? [];
        },
      }),
      { role: 'agent', settings: { agent: 'a', sources: [] } },
    );
    expect(tested[0]).toMatchObject({ url: 'mdns://local', discover: { plain: true, plainPassword: false } });
    expect(settings).toEqual({ mqtt: { url: 'mqtts://b.example', username: 'porch' }, forward: { confirm: 'broker' } });
    expect(password).toBe('secret');
  });
});

describe('without a person', () => {
  test('neither a terminal nor --no-input is an error that names the way', async () => {
    const { status, stderr } = await collard(['init', '--role', 'agent', '--dir', newFolder()]);
    expect(status).toBe(64);
    expect(stderr).toMatch(/there is no terminal to ask them on[\s\S]*fix: collard init --no-input --role agent/);
  });

  test('both sides are made from what is given, with a live test; the agent that is written starts with it', async () => {
    const home = newFolder();
    const { url, stop } = await startAedes();
    onTestFinished(stop);
    const { path } = speaking(() => '{"collar":"C0FFEE01","ax":0,"ay":0,"az":1}\n');
    const sets = [`mqtt.url=${url}`, `sources[0].serial=${path}`, 'http.port=0', 'agent=porch'];
    const args = ['init', '--no-input', '--role', 'both', '--dir', home, '--json'];
    const { status, stdout, stderr } = await collard([...args, ...sets.flatMap((set) => ['--set', set])]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const told = JSON.parse(stdout);
    expect(told.files.map(({ side }: { side: string }) => side)).toEqual(['central', 'agent']);
    expect(told.checks[1].findings).toContainEqual(expect.objectContaining({ check: 'broker', result: 'ok' }));
    expect(told.next[0]).toBe(`collard central --config ${home}/central.yaml`);
    expect(statSync(join(home, 'agent.yaml')).mode & 0o777).toBe(0o600);
    for (const side of ['agent', 'central']) {
      expect((await collard(['config', 'check', join(home, `${side}.yaml`)])).status).toBe(0);
    }
  }, 60_000);

  test('what is there is not replaced, or with --force kept beside it', async () => {
    const home = newFolder();
    const file = join(home, 'central.yaml');
    writeFileSync(file, 'mine');
    chmodSync(file, 0o640);
    const args = ['init', '--no-input', '--role', 'central', '--dir', home];
    const refused = await collard(args);
    expect(refused.status).toBe(64);
    expect(refused.stderr).toContain(`${file} is there already`);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect((await collard([...args, '--force'])).status).toBe(0);
    expect(readFileSync(`${file}.1.old`, 'utf8')).toBe('mine');
    expect(statSync(file).mode & 0o777).toBe(0o640);
  }, 60_000);

  test('a setting that is none, or a secret, is refused and nothing is written', async () => {
    const home = newFolder();
    const args = ['init', '--no-input', '--role', 'central', '--dir', home, '--set'];
    const { status, stderr } = await collard([...args, 'mqtt.password=Kanarienvogel']);
    expect(status).toBe(64);
    expect(stderr).toContain('secrets are not taken');
    expect(stderr).not.toContain('Kanarienvogel');
    expect((await collard([...args, 'sources[0].serial=/dev/x'])).stderr).toContain('there is no such key');
    expect(existsSync(join(home, 'central.yaml'))).toBe(false);
  });
});

describe('at a real terminal', () => {
  test('a receiver is heard, a collar shaken and named, a broker tried with its password', async () => {
    const home = newFolder();
    mkdirSync(join(home, 'credentials'));
    const { url, stop } = await startAedes({
      authenticate: (_client, name, given, done) =>
        done(null, name === 'porch' && given?.toString() === 'Kanarienvogel'),
    });
    onTestFinished(stop);
    const { path } = speaking(() => '{"collar":"C0FFEE01","shake":1}\n{"collar":"C0FFEE02","ax":0,"ay":0,"az":1}\n');
    const terminal = openTerminal(['init', '--dir', home, '--json']);
    await terminal.answer(/number \[1\]: /, '');
    await terminal.answer(/name of this agent .*: /, 'por ch');
    await terminal.answer(/letters, digits[\s\S]*name of this agent .*: /, 'porch');
    // Which ports this machine has is not known here.
    await terminal.waitFor(/where do the readings come from\?/);
    await terminal.waitFor(/(\d+)\) another port/);
    const typed = /(\d+)\) another port/.exec(terminal.shown())?.[1] ?? '';
    await terminal.answer(/number \[1\]: /, typed);
    await terminal.answer(/path of the port: /, path);
    await terminal.answer(/messages \([\d.]+\/s\) in json at \d+ baud, of C0FFEE0[\s\S]*stand .*: /, 'hall');
    await terminal.answer(/which cat it belongs to\? \(y\/n\) \[y\]: /, '');
    await terminal.answer(/C0FFEE01 shaken ×\d+/, '');
    await terminal.answer(/heard C0FFEE01 shaken ×\d+: name of the cat .*: /, "Mia's");
    await terminal.answer(/another collar\? \(y\/n\) \[n\]: /, '');
    await terminal.waitFor(/which MQTT broker\?/);
    await terminal.waitFor(/(\d+)\) another one/);
    const other = /(\d+)\) another one/.exec(terminal.shown())?.[1] ?? '';
    await terminal.answer(/number \[1\]: /, other);
    await terminal.answer(/address of the broker: /, url);
    await terminal.answer(/user name at the broker .*: /, 'porch');
    await terminal.answer(/password .*: /, 'Kanarienvogel');
    await terminal.answer(/ok: .* answers MQTT 3\.1\.1[\s\S]*who keeps the events\?[\s\S]*number \[1\]: /, '2');
    const { status, stdout } = await terminal.ended();
    expect(status).toBe(0);
    const told = JSON.parse(stdout);
    expect(told.cats).toEqual([{ collar: 'C0FFEE01', name: "Mia's" }]);
    expect(told.next).toContain(`collard cat add 'Mia'\\''s' --collar C0FFEE01`);
    const text = readFileSync(join(home, 'agent.yaml'), 'utf8');
    expect(parse(text)).toMatchObject({
      agent: 'porch',
      sources: [{ serial: path, baud: expect.any(Number), format: 'json', place: 'hall' }],
      mqtt: { url, username: 'porch' },
      forward: { confirm: 'broker' },
    });
    // The password is where a service finds it, and nowhere else.
    expect(readFileSync(join(home, 'credentials', 'mqtt.password'), 'utf8')).toBe('Kanarienvogel');
    expect(statSync(join(home, 'credentials', 'mqtt.password')).mode & 0o777).toBe(0o600);
    expect(text + stdout + terminal.shown()).not.toContain('Kanarienvogel');
  }, 120_000);

  test('what is there is asked about, and Ctrl-C leaves everything as it is', async () => {
    const home = newFolder();
    writeFileSync(join(home, 'central.yaml'), 'mine');
    const kept = openTerminal(['init', '--role', 'central', '--dir', home, '--set', 'mqtt.url=mqtt://127.0.0.1:1']);
    await kept.answer(/replace it .*\[n\]: /, '');
    expect((await kept.ended()).status).toBe(1);
    const left = openTerminal(['init', '--dir', home]);
    await left.waitFor(/number \[1\]: /);
    await left.type('\u0003');
    expect((await left.ended()).status).toBe(130);
    expect(left.shown()).toContain('nothing was written');
    expect(readFileSync(join(home, 'central.yaml'), 'utf8')).toBe('mine');
  }, 120_000);
});
