import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  ConfigError,
  type ConfigOptions,
  hiddenInUrls,
  loadConfig,
  MAX_ALIASES,
  MAX_CONFIG_BYTES,
  masked,
  nearest,
  settingsOf,
} from '../../src/lib/config-file.ts';

const common = { place: z.string().optional(), unit: z.enum(['g', 'mg']).or(z.number().positive()).default('g') };
const schema = z.strictObject({
  name: z.string().regex(/^[a-z]+$/, 'small letters'),
  live: z.boolean().default(false),
  inputs: z
    .array(
      z.union([
        z.strictObject({ serial: z.string().min(1), baud: z.int().min(50).max(9_999).default(9_600), ...common }),
        z.strictObject({ file: z.string().min(1), ...common }),
      ]),
    )
    .max(3)
    .default([]),
  mqtt: z
    .strictObject({
      url: z.url({ protocol: /^(mqtts?|wss?)$/ }).optional(),
      username: z.string().optional(),
      password: z.string().optional(),
      batchEvents: z.int().min(1).max(500).default(500),
    })
    .prefault({}),
  rules: z
    .array(
      z.discriminatedUnion('rule', [
        z.strictObject({ rule: z.literal('still'), hours: z.number().positive() }),
        z.strictObject({ rule: z.literal('low') }),
      ]),
    )
    .default([]),
});
const secrets = ['mqtt.password'];
let folder = '';
let file = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-config-'));
  file = join(folder, 'c.yaml');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string, options: Partial<ConfigOptions> = {}) {
  writeFileSync(file, text, { mode: 0o640 });
  return loadConfig(file, schema, { env: {}, secrets, ...options });
}

/** The lines of the error, with the folder left out. */
function faults(text: string, options: Partial<ConfigOptions> = {}): string[] {
  try {
    load(text, options);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(`${folder}/`, '').split('\n');
    throw error;
  }
  return [];
}

describe('a fault is told with its place, what was expected and what came:', () => {
  test.each([
    [
      'name: a\nmqtt:\n  batchEvents: "ten"',
      'c.yaml:3:16  mqtt.batchEvents: expected a whole number from 1 to 500, got "ten"',
    ],
    [
      'name: a\nmqtt:\n  batchEvents: 501',
      'c.yaml:3:16  mqtt.batchEvents: expected a whole number from 1 to 500, got 501',
    ],
    ['name: a\nmqtt:\n  usrname: x', 'c.yaml:3:3  unknown key "mqtt.usrname": did you mean "username"?'],
    [
      'name: a\nmqtt: {zzz: 1}',
      'c.yaml:2:8  unknown key "mqtt.zzz": known here are url, username, password, batchEvents',
    ],
    ['name: A', 'c.yaml:1:7  name: expected small letters, got "A"'],
    ['live: true', 'c.yaml:1:1  name: expected text that matches ^[a-z]+$, got nothing'],
    ['nam: a', 'c.yaml:1:1  unknown key "nam": did you mean "name"?'],
    ['name: a\nlive: yes', 'c.yaml:2:7  live: expected true or false, got "yes"'],
    [
      'name: a\nmqtt: [1, 2]',
      'c.yaml:2:7  mqtt: expected a section with the keys url, username, password, batchEvents, got a list of 2',
    ],
    [
      'name: a\nmqtt:\n  url: "broker:1883"',
      'c.yaml:3:8  mqtt.url: expected a URL that starts with mqtt://, mqtts://, ws:// or wss://, got "broker:1883"',
    ],
    [
      'name: a\ninputs: [{file: a}, {file: b}, {file: c}, {file: d}]',
      'c.yaml:2:9  inputs: expected a list of at most 3 entries, got a list of 4',
    ],
    ['- a\n- b', 'c.yaml:1:1  expected a section with the keys name, live, inputs, mqtt, rules, got a list of 2'],
    ['', 'c.yaml:1:1  name: expected text that matches ^[a-z]+$, got nothing'],
    [`name: ${'A'.repeat(99)}`, `c.yaml:1:7  name: expected small letters, got "${'A'.repeat(56)}…"`],
  ])('%j', (text, line) => {
    expect(faults(text)).toEqual([line]);
  });

  test('all at once, in the order of the file', () => {
    const lines = faults('name: A\nmqtt:\n  usrname: x\n  batchEvents: ten\nlive: 1\nzz: 1\n');
    expect(lines.map((line) => line.split('  ')[0])).toEqual([
      'c.yaml:1:7',
      'c.yaml:3:3',
      'c.yaml:4:16',
      'c.yaml:5:7',
      'c.yaml:6:1',
    ]);
  });
});

describe('of a union, the branch that was meant is the one that is judged:', () => {
  test.each([
    ['{serial: 5}', 'inputs[0].serial: expected text, got 5'],
    ['{serial: /dev/x, bud: 3}', 'unknown key "inputs[0].bud": did you mean "baud"?'],
    ['{serial: /dev/x, baud: fast}', 'inputs[0].baud: expected a whole number from 50 to 9999, got "fast"'],
    ['{sereal: /dev/x}', 'unknown key "inputs[0].sereal": did you mean "serial"?'],
    ['{file: a, baud: 9600}', 'unknown key "inputs[0].baud": known here are file, place, unit'],
    ['{file: a, unit: kg}', 'inputs[0].unit: expected "g", "mg" or a number above 0, got "kg"'],
    ['{place: x}', 'inputs[0]: expected one of the keys serial, file, got a section with the keys place'],
    [
      '/dev/x',
      'inputs[0]: expected a section with the keys serial, baud, place, unit or a section with the keys file, place, unit, got "/dev/x"',
    ],
  ])('%s', (item, message) => {
    expect(faults(`name: a\ninputs:\n  - ${item}\n`).map((line) => line.replace(/^\S+ {2}/, ''))).toEqual([message]);
  });

  test('by its tag', () => {
    expect(faults('name: a\nrules:\n  - {rule: stil}\n  - {rule: still, hours: 0}\n  - {rule: low, hours: 1}')).toEqual(
      [
        'c.yaml:3:12  rules[0].rule: expected "still" or "low", got "stil"',
        'c.yaml:4:26  rules[1].hours: expected a number above 0, got 0',
        'c.yaml:5:17  unknown key "rules[2].hours": known here are rule',
      ],
    );
  });
});

describe('what is no YAML of ours is refused:', () => {
  test.each([
    ['a tab', 'name: a\nmqtt:\n\tusername: b\n', /^c\.yaml:3:1 {2}not YAML: /],
    ['a key twice', 'name: a\nname: b\n', /^c\.yaml:2:1 {2}not YAML: Map keys must be unique$/],
    ['an open bracket', 'name: [a\n', /^c\.yaml:\d:\d+ {2}not YAML: /],
    ['two documents', 'name: a\n---\nname: b\n', /^c\.yaml:2:1 {2}not YAML: Source contains multiple documents/],
    ['an unknown tag', 'name: !secret a\n', /^c\.yaml:1:7 {2}not YAML: /],
    ['a section as a key', 'name: a\n? {b: 1}\n: c\n', /^c\.yaml:2:3 {2}a key must be a word, not a section, /],
    ['keys in keys', `name: a\n${'? '.repeat(60)}x\n`, /^c\.yaml:2:3 {2}a key must be a word, /],
    ['an alias as a key', 'name: &a b\n*a : c\n', /^c\.yaml:2:1 {2}a key must be a word, /],
    ['brackets without end', '['.repeat(200_000), /^c\.yaml:1:\d+ {2}nested too deeply$/],
  ])('%s', (_title, text, pattern) => {
    expect(faults(text)[0]).toMatch(pattern);
  });

  test('a bomb of aliases', () => {
    const names = 'abcdefghi';
    const lines = [...names].map((n, i) => `${n}: &${n} [${i === 0 ? '"x"' : `*${names[i - 1]},`.repeat(9)}]`);
    expect(faults(lines.join('\n'))).toEqual(['c.yaml:1:1  aliases (*name) repeat too much']);
    expect(MAX_ALIASES).toBe(100);
  });

  test('a file of the largest size passes, and one byte more does not', () => {
    expect(load(`name: a\n#${'x'.repeat(MAX_CONFIG_BYTES - 9)}`).value.name).toBe('a');
    expect(faults(`name: a\n#${'x'.repeat(MAX_CONFIG_BYTES - 8)}`)).toEqual(['c.yaml  is larger than 1048576 bytes']);
  });

  test('bytes that are no UTF-8', () => {
    writeFileSync(file, Uint8Array.of(0x61, 0xff));
    expect(() => loadConfig(file, schema, { env: {}, secrets })).toThrow('cannot be read: it is not UTF-8');
  });

  test('a missing file and a directory', () => {
    const missing = () => loadConfig(join(folder, 'none'), schema, { env: {}, secrets });
    expect(missing).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', readFailure: 'ENOENT' }));
    expect(() => loadConfig(folder, schema, { env: {}, secrets })).toThrow('it is a directory');
  });

  test('any text at all gives a value or a ConfigError', () => {
    const piece = fc.constantFrom(
      'name',
      ': ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '&a ',
      '*a',
      '"',
      "'",
      '!',
      '|',
      '1',
      'ü',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((pieces) => pieces.join('')),
        ),
        (text) => {
          faults(text);
        },
      ),
    );
  });
});

describe('layers', () => {
  const text = 'name: file\nmqtt:\n  username: file\n  password: file\n';

  test('flags beat the environment, that the credentials, these the file, that the defaults', () => {
    const credentials = join(folder, 'credentials');
    mkdirSync(credentials, { recursive: true });
    for (const path of ['name', 'mqtt.username', 'mqtt.password'])
      writeFileSync(join(credentials, path), 'credential\n');
    writeFileSync(join(credentials, 'other.pem'), 'x');
    const config = load(text, {
      credentialsDirectory: credentials,
      env: { COLLARD_NAME: 'env', COLLARD_MQTT_USERNAME: 'env' },
      overrides: { name: 'flag', live: undefined },
    });
    expect(config.value).toMatchObject({ name: 'flag', live: false });
    expect(config.value.mqtt).toMatchObject({ username: 'env', password: 'credential', batchEvents: 500 });
    expect(['name', 'mqtt.username', 'mqtt.password', 'mqtt.batchEvents'].map(config.origin)).toEqual([
      'flag',
      'environment COLLARD_MQTT_USERNAME',
      'credential mqtt.password',
      'default',
    ]);
  });

  test('an empty credential says that there is none', () => {
    const credentials = join(folder, 'empty');
    mkdirSync(credentials, { recursive: true });
    writeFileSync(join(credentials, 'mqtt.password'), '\n');
    const config = load(text, { credentialsDirectory: credentials });
    expect(config.value.mqtt).toMatchObject({ password: 'file' });
  });

  test('a value of the file has a line and a column', () => {
    const config = load('name: a\ninputs:\n  - serial: /dev/x\n');
    expect(config.origin('inputs[0].serial')).toBe(`${file}:3:13`);
    expect(config.origin('inputs[0].baud')).toBe('default');
  });

  test('text from the environment becomes a number or a boolean where the schema wants one', () => {
    const { value } = load('name: a\n', { env: { COLLARD_MQTT_BATCH_EVENTS: '20', COLLARD_LIVE: 'true' } });
    expect(value).toMatchObject({ live: true, mqtt: { batchEvents: 20 } });
    expect(load('name: a', { env: { COLLARD_MQTT_PASSWORD: '0123' } }).value.mqtt.password).toBe('0123');
  });

  test('a fault in the environment names the variable', () => {
    expect(faults('name: a\n', { env: { COLLARD_MQTT_BATCH_EVENTS: 'ten' } })).toEqual([
      'environment COLLARD_MQTT_BATCH_EVENTS  mqtt.batchEvents: expected a whole number from 1 to 500, got "ten"',
    ]);
  });

  test('a slip in a variable is a warning, another variable is none of ours', () => {
    const env = { COLLARD_MQTT_PASWORD: 'x', COLLARD_DEBUG: '1', HOME: '/' };
    expect(load('name: a\n', { env }).warnings).toEqual([
      'environment COLLARD_MQTT_PASWORD is not known: did you mean COLLARD_MQTT_PASSWORD?',
    ]);
  });

  test('every setting at a fixed path has a variable', () => {
    expect(settingsOf(schema).map(({ env }) => env)).toEqual([
      'COLLARD_NAME',
      'COLLARD_LIVE',
      'COLLARD_MQTT_URL',
      'COLLARD_MQTT_USERNAME',
      'COLLARD_MQTT_PASSWORD',
      'COLLARD_MQTT_BATCH_EVENTS',
    ]);
  });
});

describe('a secret', () => {
  test.each([
    'name: A\nmqtt:\n  password: [hunter2]\n',
    'name: A\nmqtt:\n  pasword: hunter2\n',
    'name: A\nmqtt:\n  password: *hunter2\n',
    'name: A\nmqtt:\n  password: !hunter2 x\n',
    'name: A\nmqtt:\n  password: "hunter2\n',
    'name: A\nmqtt:\n  password: @hunter2\n',
    'name: A\nmqtt:\n  url: "http://me:hunter2@broker"\n',
  ])('is in no message: %j', (text) => {
    const lines = faults(text);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join()).not.toContain('hunter2');
  });

  test('in a file that everybody may read is a warning, unless it comes from elsewhere', () => {
    load('name: a\nmqtt: {password: x}\n');
    chmodSync(file, 0o644);
    const warned = loadConfig(file, schema, { env: {}, secrets });
    expect(warned.warnings).toEqual([`${file} holds mqtt.password and everybody may read it: chmod o-rwx ${file}`]);
    load('name: a\nmqtt: {url: "mqtt://porch:x@h"}\n');
    const inUrl = ['mqtt.url', ...secrets];
    expect(loadConfig(file, schema, { env: {}, secrets: inUrl }).warnings).toEqual([
      `${file} holds mqtt.url and everybody may read it: chmod o-rwx ${file}`,
    ]);
    load('name: a\nmqtt: {url: "mqtt://h"}\n');
    expect(loadConfig(file, schema, { env: {}, secrets: inUrl }).warnings).toEqual([]);
    const env = { COLLARD_MQTT_PASSWORD: 'y' };
    writeFileSync(file, 'name: a\n');
    expect(loadConfig(file, schema, { env, secrets }).warnings).toEqual([]);
  });

  test('in a file that others may write is a warning', () => {
    load('name: a\nmqtt: {password: x}\n');
    chmodSync(file, 0o660);
    expect(loadConfig(file, schema, { env: {}, secrets }).warnings).toEqual([
      `${file} holds mqtt.password and others may write it: chmod go-w ${file}`,
    ]);
    chmodSync(file, 0o640);
    expect(loadConfig(file, schema, { env: {}, secrets }).warnings).toEqual([]);
  });

  test('is masked where it is shown', () => {
    expect(masked('mqtt.password', 'x', secrets)).toBe('***');
    expect(masked('mqtt.password.of', 'x', secrets)).toBe('***');
    expect(masked('mqtt.passwordless', 'x', secrets)).toBe('x');
    expect(masked('mqtt.password', undefined, secrets)).toBeUndefined();
    expect(masked('store.url', 'postgres://me:pw@host/db', ['store.url'])).toBe('postgres://me:***@host/db');
    expect(masked('store.url', 'postgres://me:p/w@x@host/db', ['store.url'])).toBe('postgres://me:***@host/db');
    expect(masked('store.url', 'sqlite:/var/x.db', ['store.url'])).toBe('sqlite:/var/x.db');
    expect(masked('mqtt.url', 'mqtt://me:pw@host', [])).toBe('mqtt://me:***@host');
    expect(masked('mqtt.url', 'mqtt://a:pw@h1 mqtt://b:p w@h2', [])).toBe('mqtt://a:***@h1 mqtt://b:***@h2');
    expect(masked('mqtt.url[1]', 'me:pw@host', ['mqtt.url'])).toBe('***');
    const inList = ['hooks[].url', 'hooks[].key'];
    expect(masked('hooks[0].key', 'x', inList)).toBe('***');
    expect(masked('hooks[12].url', 'https://h:1/token?a=b', inList)).toBe('https://h:1/***');
    expect(masked('hooks[0].url', 'https://me:pw@h', inList)).toBe('https://h/***');
    expect(masked('hooks[0].url', 'h/token', inList)).toBe('***');
    expect(masked('hooks[0].url', 'https://h:1', inList)).toBe('https://h:1');
    expect(masked('hooks[0].name', 'x', inList)).toBe('x');
  });

  test.each([
    ['postgres://u@h/x?password=W', 'postgres://u@h/x?***', ['W']],
    ['postgres://u@h/x?ssl=off&sslpassword=W&a', 'postgres://u@h/x?***', ['W', 'a']],
    ['postgres://u:V@h:5/x?password=a@W', 'postgres://***', ['V', 'a@W']],
    ['postgres://u:a?W@h/x', 'postgres://***', ['W@h/x']],
    ['postgres://u@h/x#W', 'postgres://u@h/x#***', ['W']],
    ['postgres:u:W@h/x', '***', []],
    ['my user://u:W@h', 'my user://u:***@h', ['W']],
    ['wss://h/a?token=W mqtts://b:a&V@h', 'wss://h/a?*** mqtts://b:***@h', ['W', 'a&V']],
    ['postgres://u@h/x?ssl=verify&sslca=/ca.pem', 'postgres://u@h/x?ssl=verify&sslca=/ca.pem', []],
    ['sqlite:/var/lib/a@b?c.db', 'sqlite:/var/lib/a@b?c.db', []],
  ])('is hidden in a URL, wherever it stands: %s', (url, shown, hidden) => {
    expect(masked('store.url', url, ['store.url'])).toBe(shown);
    expect(hiddenInUrls(url)).toEqual(hidden);
  });
});

test.each([
  ['usrname', 'username'],
  ['pasword', 'password'],
  ['Port', 'port'],
  ['x', null],
  ['caa', 'ca'],
  ['entirely', null],
  ['x'.repeat(10_000), null],
])('the nearest to %s is %s', (word, near) => {
  expect(nearest(word, ['username', 'password', 'port', 'ca'])).toBe(near);
});
