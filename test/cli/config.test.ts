import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { agentSchema } from '../../src/agent/config.ts';
import { MAX_KEPT_MEOWS } from '../../src/central/cats/rules.ts';
import { centralSchema } from '../../src/central/config.ts';
import { kindOf, loadAnyConfig } from '../../src/cli/config.ts';
import { exampleOf } from '../../src/cli/example.ts';
import { collard } from './run.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-cli-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const example = (kind: string) => fileURLToPath(new URL(`../../config/${kind}.yaml`, import.meta.url));
const AGENT =
  'agent: porch\nsources: [{serial: /dev/x}]\nlog: {path: /tmp/x.db}\nmqtt: {url: "mqtt://b", password: hunter2}\n';

/** Every key of a schema, with unions and lists opened: `sources.serial`. */
function keysOf(shape: Record<string, unknown>, path = ''): string[] {
  const inner = [shape.items, ...((shape.anyOf ?? shape.oneOf ?? []) as unknown[])].filter(
    (item) => item !== undefined,
  );
  const properties = Object.entries((shape.properties ?? {}) as Record<string, Record<string, unknown>>);
  return [
    ...properties.flatMap(([key, value]) => [`${path}${key}`, ...keysOf(value, `${path}${key}.`)]),
    ...inner.flatMap((item) => keysOf(item as Record<string, unknown>, path)),
  ];
}

/** Every key of a value, in the same form. */
function keysIn(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => keysIn(item, path));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [`${path}${key}`, ...keysIn(inner, `${path}${key}.`)]);
}

describe.each([
  ['agent', agentSchema],
  ['central', centralSchema],
] as const)('the example for %s', (kind, schema) => {
  const text = readFileSync(example(kind), 'utf8');
  /** With every `#key: value` in force. */
  const opened = text.replace(/^( *)#(?=\S)/gm, '$1');

  test('is sound as it stands', () => {
    expect(loadAnyConfig(example(kind), {}).kind).toBe(kind);
  });

  test('holds every key of the schema, and no other', () => {
    const shape = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    const wanted = new Set(keysOf(shape));
    const isNameOfTheirs = (key: string) => /^(?:sources\.fields|sources\.sensors|bindKeys)\./.test(key);
    const held = new Set(keysIn(parse(opened)).filter((key) => !isNameOfTheirs(key)));
    expect([...held].sort()).toEqual([...wanted].sort());
    expect(schema.safeParse(parse(opened)).error).toBeUndefined();
  });

  test('shows the defaults that are in force', () => {
    const closed = schema.parse(parse(text)) as Record<string, unknown>;
    const all = schema.parse(parse(opened)) as Record<string, unknown>;
    for (const section of ['log', 'forward', 'detect', 'health', 'group', 'simulated']) {
      expect(all[section]).toEqual(closed[section]);
    }
    // Of these some keys have no default: a folder of pictures, a password.
    expect(all.mqtt).toMatchObject(closed.mqtt as object);
    expect(all.http ?? {}).toMatchObject((closed.http ?? {}) as object);
  });

  test('is what --example prints', async () => {
    const stdout = exampleOf(kind);
    expect(await collard(['config', 'show', '--example', kind])).toEqual({ status: 0, stdout, stderr: '' });
    // But for its first line, which says where the schema is.
    expect(stdout.split('\n').slice(1)).toEqual(text.split('\n').slice(1));
  });

  test('explains most keys, in lines that fit', () => {
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
    expect(text.match(/^ *# /gm)?.length).toBeGreaterThan(keysIn(parse(opened)).length / 3);
  });
});

test('GPIO lines need what they stand for, and each stands once', () => {
  const faults = (lines: string) => {
    const path = write('gpio.yaml', AGENT.replace('[{serial: /dev/x}]', `[{gpio: auto, lines: [${lines}]}]`));
    try {
      loadAnyConfig(path, {});
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(faults('{line: 4, kind: motion, place: hall}, {line: 5, kind: shake, collar: tom}')).toBe('');
  expect(faults('{line: 4, kind: motion, collar: tom}')).toContain('a place for kind motion, a collar for kind shake');
  expect(faults('{line: 4, kind: shake, place: hall}')).toContain('a place for kind motion, a collar for kind shake');
  expect(faults('{line: 4, kind: motion, place: a}, {line: 4, kind: motion, place: b}')).toContain('each line once');
  expect(faults('{line: 4, kind: motion, place: a, bais: pull-up}')).toContain('did you mean "bias"');
});

test('single collars have settings of their own, and what is wrong with these is told', () => {
  const withOwn = (own: string) => write('own.yaml', `${AGENT}detect: { shake: { quietMs: 900, collars: ${own} } }\n`);
  const env = { COLLARD_DETECT_SHAKE_EDGES_ON: '5' };
  const { value } = loadAnyConfig(withOwn('{ "C0FFEE01": { quietMs: 3000 } }'), env).config;
  expect(value).toMatchObject({
    detect: { shake: { quietMs: 900, edgesOn: 5, levelOn: 0.5, collars: { C0FFEE01: { quietMs: 3_000 } } } },
  });
  expect(() => loadAnyConfig(withOwn('{ A: { quietM: 3000 } }'), {})).toThrow('did you mean "quietMs"');
  expect(() => loadAnyConfig(withOwn('{ A: { quietMs: 10 } }'), {})).toThrow(
    'detect.shake.collars.A.quietMs: expected a whole number from 100 to 30000, got 10',
  );
});

describe('bind keys', () => {
  const key = '231d39c1d7cc1ab1aee224cd096db932';
  const wrong = `${key.slice(1)}!`;

  test('come from the file, or as text from the environment', () => {
    const held = (text: string, env: Record<string, string> = {}) =>
      (loadAnyConfig(write('keys.yaml', text), env).config.value as { readonly bindKeys?: unknown }).bindKeys;
    expect(held(`${AGENT}bindKeys: {"54:48:E6:8F:80:A5": ${key}}\n`)).toEqual({ '54:48:E6:8F:80:A5': key });
    const env = { COLLARD_BIND_KEYS: `5448E68F80A5=${key},5448E68F80A6=${key}` };
    expect(held(AGENT, env)).toEqual({ '5448E68F80A5': key, '5448E68F80A6': key });
  });

  test('are never told', async () => {
    const { status, stderr } = await collard([
      'config',
      'check',
      write('keys.yaml', `${AGENT}bindKeys: {"5": ${wrong}}\n`),
    ]);
    expect(status).toBe(78);
    expect(stderr).toContain('bindKeys: expected an address of 12 hex digits');
    expect(stderr).not.toContain(wrong);
    const shown = await collard(['config', 'show', write('keys.yaml', `${AGENT}bindKeys: "5448E68F80A5=${key}"\n`)]);
    expect(shown.stdout).toContain('bindKeys');
    expect(shown.stdout).not.toContain(key);
  });
});

describe('config check', () => {
  test('says ok for a sound file', async () => {
    expect(await collard(['config', 'check', write('a.yaml', AGENT.replace('mqtt://', 'mqtts://'))])).toEqual({
      status: 0,
      stdout: 'ok\n',
      stderr: '',
    });
  });

  test('warns of a broker beyond this machine that is reached in plain text', async () => {
    const checked = (url: string) => collard(['config', 'check', write('a.yaml', AGENT.replace('mqtt://b', url))]);
    expect(await checked('mqtt://b')).toEqual({
      status: 0,
      stdout: 'ok\n',
      stderr: 'warning: passwords and events go to b in plain text: use mqtts:// in mqtt.url, see SECURITY.md\n',
    });
    expect(await checked('mqtt://localhost')).toMatchObject({ status: 0, stderr: '' });
  });

  test.each([
    ['host: 0.0.0.0', 'http.host 0.0.0.0: page and API are closed until a password is set'],
    ['host: 0.0.0.0, login: "off"', 'http.login is off: whoever reaches the port may see and change everything'],
  ])('says who reaches page and API with http: { %s }', async (http, words) => {
    const file = write('open.yaml', `store: {url: "sqlite:/x"}\nmqtt: {url: mqtt://b}\nhttp: {${http}}\n`);
    const { status, stdout } = await collard(['config', 'check', file]);
    expect(status).toBe(0);
    expect(stdout).toContain(words);
  });

  test('says where brokers are looked for, and what is demanded of them', async () => {
    const file = write(
      'srv.yaml',
      'store: {url: "sqlite:/x"}\nmqtt: {url: [mqtt://b, srv://example.org], discover: {name: n}}\n',
    );
    const told =
      'srv://example.org: the SRV records of _secure-mqtt._tcp.example.org, over TLS with a certificate of n';
    expect((await collard(['config', 'check', file])).stdout).toBe(`ok\n${told}\n`);
    expect(JSON.parse((await collard(['config', 'check', file, '--json'])).stdout)).toMatchObject({ brokers: [told] });
  });

  test('tells every fault with its place and exits with 78', async () => {
    const file = write(
      'bad.yaml',
      AGENT.replace('porch', 'my porch').replace('serial', 'serail').replace('url', 'uri'),
    );
    const { status, stdout, stderr } = await collard(['config', 'check', file]);
    expect({ status, stdout }).toEqual({ status: 78, stdout: '' });
    expect(stderr.split('\n').slice(0, 3)).toEqual([
      `${file}:1:8  agent: expected letters, digits, - and _, at most 64, got "my porch"`,
      `${file}:2:12  unknown key "sources[0].serail": did you mean "serial"?`,
      `${file}:4:8  unknown key "mqtt.uri": did you mean "url"?`,
    ]);
    expect(stderr).not.toContain('hunter2');
  });

  test('gives the same as JSON', async () => {
    const file = write('bad.yaml', 'store: {url: "sqlite:/x"}\nmqtt: {url: "mqtt://b"}\nhttp: {port: 99999}\n');
    const { status, stdout } = await collard(['config', 'check', file, '--json']);
    expect(status).toBe(78);
    expect(JSON.parse(stdout)).toEqual({
      file,
      ok: false,
      problems: [
        {
          where: `${file}:3:14`,
          path: 'http.port',
          message: 'http.port: expected a whole number from 0 to 65535, got 99999',
        },
      ],
      warnings: [],
    });
  });

  test.each([
    ['agent: a', 'agent'],
    ['store: {url: x}', 'central'],
    ['group: x\nrules: []\nmqtt: {}', 'central'],
    ['sources: []\nlog: {}', 'agent'],
    ['', 'agent'],
    ['- a', 'agent'],
    ['{', 'agent'],
    ['store: &s {url: x}\nhttp: *s', 'central'],
    [`store: {}\n${'? '.repeat(60)}x`, 'central'],
  ])('takes %j for the configuration of %s', (text, kind) => {
    expect(kindOf(write('kind.yaml', text))).toBe(kind);
  });
});

describe('config show', () => {
  test('gives every value with its origin, and masks secrets', async () => {
    const file = write('a.yaml', AGENT);
    const { stdout } = await collard(['config', 'show', file, '--json'], { COLLARD_LOG_GROUP_MS: '5' });
    const { settings } = JSON.parse(stdout) as { settings: { path: string; value: unknown; origin: string }[] };
    const of = (path: string) => settings.find((setting) => setting.path === path);
    expect(of('agent')).toEqual({ path: 'agent', value: 'porch', origin: `${file}:1:8` });
    expect(of('log.groupMs')).toEqual({ path: 'log.groupMs', value: 5, origin: 'environment COLLARD_LOG_GROUP_MS' });
    expect(of('sources[0].baud')).toEqual({ path: 'sources[0].baud', value: 115_200, origin: 'default' });
    expect(of('mqtt.password')).toEqual({ path: 'mqtt.password', value: '***', origin: `${file}:4:35` });
    expect(stdout).not.toContain('hunter2');
  });

  test('gives a table to people', async () => {
    const { stdout, stderr } = await collard(['config', 'show', write('a.yaml', AGENT)]);
    expect(stdout).toMatch(/^setting +value +origin\nagent +"porch" +\S+:1:8\n/);
    expect(stdout + stderr).not.toContain('hunter2');
  });

  test('without a file says what is missing', async () => {
    expect(await collard(['config', 'show'])).toMatchObject({ status: 64, stdout: '' });
    expect(await collard(['config', 'show', '--example', 'other'])).toMatchObject({ status: 64 });
  });
});

test('what would change nothing is refused: a silence watch on a file, a rule that counts more than is remembered', () => {
  const file = AGENT.replace('serial: /dev/x', 'file: x.csv, silentAfterMs: 5000');
  expect(() => loadAnyConfig(write('file.yaml', file), {})).toThrow('unknown key "sources[0].silentAfterMs"');
  const rule = `store: {url: "sqlite:x.db"}\nmqtt: {url: "mqtt://b"}\nrules: [{rule: shaking, meows: ${MAX_KEPT_MEOWS + 1}}]\n`;
  expect(() => loadAnyConfig(write('rule.yaml', rule), {})).toThrow(`a whole number from 1 to ${MAX_KEPT_MEOWS}`);
});
