/** What strangers call things reaches terminals and logs as text, never as control. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert, property, string } from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { openStore } from '../../src/central/open-store.ts';
import { safeForPeople, safeLine } from '../../src/cli/logger.ts';
import { safe } from '../../src/cli/output.ts';
import { chainOver, chainStart } from '../../src/contract/chain.ts';
import { newEvent, type StoredEvent } from '../../src/contract/event.ts';
import { BARE_ENV, collard } from '../cli/run.ts';

/** CSI in C0 and in C1, a title, a newline, overriding direction, isolates, marks, separators. */
const HOSTILE = 'Mia\u001b[2J\u009b31m\u001b]0;x\u0007\r\nok\u202egpj\u2066\u061c\u200f\u2028\u0085\u007f';
/** Everything but the line feed that ends a line. */
const CONTROL = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;
const controls = (text: string) => text.split('\n').filter((line) => CONTROL.test(line));
const EPOCH = '01a20867-068a-70da-b9ee-759f41bde6a8';
const when = { time: '2026-11-23T06:00:01.000Z', clock: 'synced', boot: null, monoMs: null } as const;

describe('with hostile names in log and store', () => {
  let home = '';
  let agentYaml = '';
  let centralYaml = '';
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'collard-hostile-'));
    agentYaml = join(home, 'agent.yaml');
    centralYaml = join(home, 'central.yaml');
    const path = join(home, 'events.db');
    const url = `sqlite:${join(home, 'central.db')}`;
    // Nothing listens there.
    const mqtt = 'mqtt: { url: "mqtt://127.0.0.1:9", connectTimeoutMs: 300 }';
    const odd = JSON.stringify(`/dev/${HOSTILE}`);
    writeFileSync(agentYaml, `agent: porch\nsources: [{ serial: ${odd} }]\nlog: { path: ${path} }\n${mqtt}\n`);
    writeFileSync(centralYaml, `store: { url: "${url}" }\n${mqtt}\nhttp: { port: 9 }\n`);
    const story = [
      newEvent('meow.started', `collar/${HOSTILE}`, { level: 1 }, when),
      newEvent('cat.moved', `collar/${HOSTILE}`, { from: null, to: HOSTILE }, when),
    ];
    const log = await openEventLog(
      { path, agent: 'porch', keepDays: 7, keepBytes: 1e8, budgetBytes: 1e9 },
      { when: () => when },
    );
    await log.append(story);
    await log.close();
    const events = story.map((event, i): StoredEvent => ({ epoch: EPOCH, seq: i + 1, ...event }));
    const store = await openStore({ url });
    await store.ingest({ agent: 'porch', events, chain: chainOver(chainStart('porch', EPOCH), events) }, when.time);
    await openCatService(store, () => new Date(when.time)).addCat('Tom', 'C1');
    while ((await store.project(500)).events > 0);
    await store.close();
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  test.each<[string, () => string[]]>([
    ['events of an agent', () => ['events', '--config', agentYaml]],
    ['events of an agent as JSON', () => ['events', '--config', agentYaml, '--json']],
    ['events of central', () => ['events', '--config', centralYaml]],
    ['events of central as JSON', () => ['events', '--config', centralYaml, '--json']],
    ['state', () => ['state', '--config', centralYaml]],
    ['verify', () => ['verify', '--agent', 'porch', '--config', centralYaml, '--log', join(home, 'events.db')]],
    [
      'verify of an agent that nobody is',
      () => ['verify', '--agent', HOSTILE, '--config', centralYaml, '--log', join(home, 'events.db')],
    ],
    [
      'verify of a file that is not there',
      () => ['verify', '--agent', 'porch', '--config', centralYaml, '--log', join(home, HOSTILE)],
    ],
    ['config check', () => ['config', 'check', agentYaml]],
    ['config check of a file that is not there', () => ['config', 'check', join(home, HOSTILE)]],
    ['config show', () => ['config', 'show', agentYaml]],
    ['config show as JSON', () => ['config', 'show', agentYaml, '--json']],
    ['doctor', () => ['doctor', '--config', agentYaml]],
    ['doctor as JSON', () => ['doctor', '--config', agentYaml, '--json']],
    ['ports', () => ['ports']],
    ['cat list', () => ['cat', 'list', '--config', centralYaml]],
  ])('%s prints no control', async (_name, args) => {
    const { stdout, stderr } = await collard(args());
    expect(stdout + stderr).not.toBe('');
    expect(controls(stdout + stderr)).toEqual([]);
  });

  test('JSON with escapes says what was stored', async () => {
    const { stdout } = await collard(['events', '--config', centralYaml, '--json']);
    const moved = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
      .find(({ type }) => type === 'collard.cat.moved');
    expect(moved.data.to).toBe(HOSTILE);
  });

  test('names in a faulty configuration are escaped where it is told', async () => {
    const file = join(home, 'bad.yaml');
    writeFileSync(file, `agent: ${JSON.stringify(HOSTILE)}\n${JSON.stringify(HOSTILE)}: 1\n`);
    const { status, stdout, stderr } = await collard(['config', 'check', file]);
    expect(status).toBe(78);
    expect(controls(stdout + stderr)).toEqual([]);
  });
});

describe('the log of a daemon', () => {
  /** The lines as they reach the stream. */
  const logged = (hook: (line: string) => string, write: (logger: pino.Logger) => void) => {
    const lines: string[] = [];
    write(pino({ hooks: { streamWrite: hook } }, { write: (line: string) => lines.push(line) }));
    return lines;
  };

  test('is one line of JSON without controls for each entry, and says the same', () => {
    const cause = Object.assign(new Error(HOSTILE), { code: HOSTILE });
    const [line = '', ...more] = logged(safeLine, (logger) =>
      logger.warn({ agent: HOSTILE, [HOSTILE]: 1, err: cause }, HOSTILE),
    );
    expect(more).toEqual([]);
    expect(line.endsWith('}\n')).toBe(true);
    expect(controls(line)).toEqual([]);
    expect(JSON.parse(line)).toMatchObject({ agent: HOSTILE, msg: HOSTILE, [HOSTILE]: 1, err: { code: HOSTILE } });
  });

  test('escapes whatever text it is given', () => {
    assert(
      property(string({ unit: 'binary', maxLength: 60 }), (text) => {
        const [line = ''] = logged(safeLine, (logger) => logger.info({ text }, text));
        return !CONTROL.test(line.slice(0, -1)) && JSON.parse(line).text === text;
      }),
      { numRuns: 5_000 },
    );
  });

  test('for people holds the escapes as text, so that the printer prints them', () => {
    const [line = ''] = logged(safeForPeople, (logger) =>
      logger.warn({ agent: HOSTILE, err: new Error(HOSTILE) }, HOSTILE),
    );
    const { agent, msg, err } = JSON.parse(line);
    expect([agent, msg, err.message]).toEqual([safe(HOSTILE), safe(HOSTILE), safe(HOSTILE)]);
    expect(controls(err.stack)).toEqual([]);
  });

  test('is written this way by the program, on a terminal too', () => {
    const logger = fileURLToPath(new URL('../../src/cli/logger.ts', import.meta.url));
    const script = `const { openLogger } = await import(${JSON.stringify(logger)}); (await openLogger('info')).info({ a: ${JSON.stringify(HOSTILE)} }, ${JSON.stringify(HOSTILE)});`;
    const run = (terminal: boolean) =>
      execFileSync(
        'sh',
        [
          '-c',
          '"$0" --input-type=module -e "$1" 2>&1',
          process.execPath,
          `${terminal ? 'process.stderr.isTTY = true;' : ''}${script}`,
        ],
        {
          encoding: 'utf8',
          env: { ...BARE_ENV, NO_COLOR: '1' },
        },
      );
    expect(JSON.parse(run(false)).msg).toBe(HOSTILE);
    expect(controls(run(false))).toEqual([]);
    const printed = run(true);
    expect(printed).toContain(safe(HOSTILE));
    expect(controls(printed)).toEqual([]);
  });
});
