import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { connectAsync } from 'mqtt';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { centralSchema } from '../../src/central/config.ts';
import { openStore } from '../../src/central/open-store.ts';
import { runCentral } from '../../src/central/service.ts';
import { progressLine } from '../../src/cli/progress.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { agentTopic, DEFAULT_BASE_TOPIC } from '../../src/contract/topic.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { startBroker, until } from '../central/broker.ts';
import { at, createWriter, epochId, meowing, NOW, type Writer } from '../central/store/events.ts';
import { BARE_ENV, collard } from './run.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));

/** The folder of a central with its configuration. */
function newHouse(brokerUrl = 'mqtt://127.0.0.1:1') {
  const folder = mkdtempSync(join(tmpdir(), 'collard-replay-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [path, config] = [join(folder, 'central.db'), join(folder, 'central.yaml')];
  writeFileSync(config, `store: { url: "sqlite:${path}" }\nmqtt: { url: "${brokerUrl}" }\nhttp: { port: 0 }\n`);
  return { path, config };
}

function minka(): Writer {
  const hall = createWriter('hall', epochId(9));
  hall.add('cat.named', 'cat/1', { catId: 1, oldName: null, newName: 'Minka' }, -2);
  hall.add('collar.assigned', 'cat/1', { catId: 1, collar: 'C0FFEE01' }, -1);
  return hall;
}

/** Minka and so many starts and ends of meows, folded. */
async function fill(path: string, count: number): Promise<void> {
  const store = await openStore({ url: `sqlite:${path}` });
  await store.ingest(minka().batch(1, 2), NOW);
  const porch = meowing('porch', epochId(1), count);
  for (let from = 1; from <= count; from += 500) {
    const events = porch.events.slice(from - 1, from + 499);
    await store.ingest({ agent: 'porch', events, chain: null }, NOW);
  }
  while ((await store.project(2_000)).events > 0);
  await store.close();
}

function sql(path: string, statement: string): unknown[] {
  const db = new Database(path);
  const prepared = db.prepare(statement);
  const rows = prepared.reader ? prepared.all() : [prepared.run()];
  db.close();
  return rows;
}

// Each command is a process of its own: on a busy machine that takes seconds.
describe('collard replay', { timeout: 180_000 }, () => {
  it('builds, compares and swaps; --swap-back goes back', async () => {
    const { path, config } = newHouse();
    await fill(path, 40);
    const ran = await collard(['replay', '--config', config, '--model', 'meowing']);
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.stdout).toMatch(/^version 2 is built of 42 events/);
    expect(ran.stdout).toMatch(/^equal [0-9a-f]{64}$/m);
    expect(ran.stdout).toContain('version 2 is live');
    expect(ran.stderr).toMatch(/^version 2: 0 %, 0 of 42 events$/m);
    expect(ran.stderr).not.toContain('\u001b');
    const back = await collard(['replay', '--config', config, '--swap-back', '--json']);
    expect(JSON.parse(back.stdout)).toEqual({ swapped: true, live: 1, previous: 2 });
    expect(sql(path, 'select count(*) as n from meowing')).toEqual([{ n: 41 }]);
    const second = await collard(['replay', '--config', config, '--json']);
    expect(JSON.parse(second.stdout)).toMatchObject({ version: 2, events: 42, equal: true, swapped: true });
    expect(await collard(['verify', '--models', '--config', config])).toMatchObject({ status: 0 });
  });

  it('names what differs first, and swaps only where that is accepted', async () => {
    const { path, config } = newHouse();
    await fill(path, 4);
    sql(path, `update meowing_v1 set location = 'roof' where timestamp = '${at(1)}'`);
    const where = `first in meowing, cat 1 at ${at(1)} (event ${epochId(1)}/2): live location "roof", rebuilt location null`;
    const verified = await collard(['verify', '--models', '--config', config]);
    expect(verified).toMatchObject({ status: 1 });
    expect(verified.stdout).toContain(where);
    const ran = await collard(['replay', '--config', config]);
    expect(ran).toMatchObject({ status: 1 });
    expect(ran.stdout).toContain(where);
    expect(ran.stderr).toContain('--accept');
    expect(sql(path, 'select live from model_version')).toEqual([{ live: 1 }]);
    const accepted = await collard(['replay', '--config', config, '--accept', '--json']);
    expect(accepted).toMatchObject({ status: 0 });
    expect(JSON.parse(accepted.stdout)).toMatchObject({ version: 2, equal: false, swapped: true });
    expect(await collard(['verify', '--models', '--config', config, '--json'])).toMatchObject({ status: 0 });
    expect(await collard(['replay', '--config', config, '--accept'])).toMatchObject({ status: 1, stdout: '' });
  });

  it('stops at Ctrl-C and goes on from there', async () => {
    const { path, config } = newHouse();
    await fill(path, 40_000);
    const child = spawn(process.execPath, [BIN, 'replay', '--config', config, '--json'], {
      env: BARE_ENV,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr.once('data', () => child.kill('SIGINT'));
    const [stdout, stderr, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    expect(status).toBe(130);
    expect(stderr).toContain('the same command goes on from there');
    const first = JSON.parse(stdout) as { events: number };
    expect(first).toMatchObject({ interrupted: true, swapped: false });
    const ran = await collard(['replay', '--config', config, '--json']);
    expect(ran.status).toBe(0);
    expect(ran.stderr).toContain('goes on from before');
    expect(ran.stderr).toContain(`${first.events} of 40002 events`);
    expect(JSON.parse(ran.stdout)).toMatchObject({ version: 2, events: 40_002, equal: true, swapped: true });
  });

  it('builds the models of a past time to look at', async () => {
    const { path, config } = newHouse();
    await fill(path, 10);
    const ran = await collard(['replay', '--config', config, '--to', at(2.5)]);
    expect(ran.status).toBe(0);
    expect(ran.stdout).toContain('in cat_v2 and meowing_v2');
    expect(ran.stdout).toMatch(/Minka .*shaking/);
    expect(sql(path, 'select is_meowed from cat_v2')).toEqual([{ is_meowed: 1 }]);
    expect(sql(path, 'select live from model_version')).toEqual([{ live: 1 }]);
    const json = JSON.parse((await collard(['replay', '--config', config, '--to', at(2.5), '--json'])).stdout);
    expect(json).toMatchObject({
      swapped: false,
      to: at(2.5),
      cats: [{ name: 'Minka', isMeowed: true, meowsToday: 2 }],
    });
  });

  it('says what it cannot do', async () => {
    const { path, config } = newHouse();
    const missing = await collard(['replay', '--config', config]);
    expect(missing).toMatchObject({ status: 69, stderr: expect.stringContaining('there is no store') });
    await fill(path, 2);
    const dog = await collard(['replay', '--config', config, '--model', 'dog']);
    expect(dog).toMatchObject({ status: 64, stderr: expect.stringContaining('known models: cat, meowing') });
    expect(await collard(['replay', '--config', config, '--to', 'then'])).toMatchObject({ status: 64 });
    expect(await collard(['replay', '--config', config, '--to', NOW, '--swap-back'])).toMatchObject({ status: 64 });
    expect(await collard(['replay', '--config', config, '--swap-back'])).toMatchObject({ status: 1 });
  });

  it('runs beside central: nothing is published, nothing is missed, and central follows the swap', async () => {
    const broker = await startBroker();
    onTestFinished(() => broker.close());
    const mqtt = await connectAsync(broker.url);
    onTestFinished(() => mqtt.endAsync(true));
    const { path, config } = newHouse(broker.url);
    const settings = centralSchema.parse({
      store: { url: `sqlite:${path}` },
      mqtt: { url: broker.url },
      http: { port: 0 },
      // It would be told, whenever it looks, that the cat has been still since then.
      rules: [],
    });
    const stop = new AbortController();
    const log: string[] = [];
    let page = '';
    const deps = {
      openLink: openMqttLink,
      logger: pino({ level: 'warn' }, { write: (line: string) => log.push(line) }),
      version: '0',
      onListening: (url: string) => {
        page = url;
      },
    };
    const running = runCentral(settings, deps, stop.signal);
    onTestFinished(async () => {
      stop.abort();
      await running;
    });
    await until('central is there', async () => page !== '' && (await fetch(new URL('readyz', page))).ok);
    const told: string[] = [];
    let lastSeen: string | null = null;
    mqtt.on('message', (topic, payload) => {
      told.push(topic);
      if (topic === 'collard/v1/cat/1') ({ lastSeen } = JSON.parse(payload.toString()) as { lastSeen: string | null });
    });
    await mqtt.subscribeAsync('collard/v1/cat/#', { qos: 1 });
    const send = (writer: Writer, from: number, to: number) =>
      mqtt.publishAsync(agentTopic(DEFAULT_BASE_TOPIC, writer.agent, 'events'), encodeBatch(writer.batch(from, to)), {
        qos: 1,
      });
    const meows = () => told.filter((topic) => topic === 'collard/v1/cat/1/meow').length;
    await send(minka(), 1, 2);
    const porch = meowing('porch', epochId(1), 60);
    await send(porch, 1, 40);
    // The cat is told before or after its meows, as the outbox comes to it.
    await until('all is told', () => meows() === 20 && lastSeen === at(39));
    const before = told.length;
    const quiet = await collard(['replay', '--config', config, '--json']);
    expect(JSON.parse(quiet.stdout)).toMatchObject({ version: 2, equal: true, swapped: true });
    // The broker delivers in order: what the replay had published would come before this.
    await mqtt.publishAsync('collard/v1/cat/end', 'x', { qos: 1 });
    await until('the end is told', () => told.at(-1) === 'collard/v1/cat/end');
    expect(told.slice(before)).toEqual(['collard/v1/cat/end']);
    const beside = collard(['replay', '--config', config, '--json']);
    for (let seq = 41; seq <= 60; seq += 1) await send(porch, seq, seq);
    expect(JSON.parse((await beside).stdout)).toMatchObject({ version: 3, equal: true, swapped: true });
    await until('the rest is told', () => meows() >= 30);
    const { cats } = (await (await fetch(new URL('api/v1/cats', page))).json()) as { cats: { meowsToday: number }[] };
    expect(cats).toMatchObject([{ name: 'Minka', isMeowed: false }]);
    await until('central has folded into the new version', () => {
      const [row] = sql(path, "select count(*) as n from meowing_v3 where event_type = 'meow'") as { n: number }[];
      return row?.n === 60;
    });
    expect(await collard(['verify', '--models', '--config', config])).toMatchObject({ status: 0 });
    expect(meows()).toBe(30);
    expect(log.filter((line) => line.includes('"level":50'))).toEqual([]);
  });
});

describe('the progress', () => {
  const folding = {
    phase: 'folding',
    segmentsLeft: 0,
    version: 2,
    resumed: false,
    done: 0,
    total: 200,
    eventsPerSecond: 0,
    secondsLeft: null,
  } as const;

  it('has rate and time left as soon as they are known', () => {
    expect(progressLine(folding)).toBe('version 2: 0 %, 0 of 200 events');
    expect(progressLine({ ...folding, done: 50, eventsPerSecond: 10, secondsLeft: 15 })).toBe(
      'version 2: 25 %, 50 of 200 events, 10 events/s, 15 s left',
    );
    expect(progressLine({ ...folding, done: 250, eventsPerSecond: 10, secondsLeft: 300 })).toContain('100 %');
    expect(progressLine({ ...folding, secondsLeft: 300 })).toContain('5 min left');
    expect(progressLine({ ...folding, resumed: true })).toContain('goes on from before');
    expect(progressLine({ ...folding, phase: 'comparing' })).toBe('version 2: comparing');
    expect(progressLine({ ...folding, phase: 'reading segments', segmentsLeft: 3 })).toBe(
      'version 2: reading segments, 3 left',
    );
  });
});
