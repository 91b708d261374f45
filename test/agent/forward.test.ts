import { writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { type ForwardParts, runForward } from '../../src/agent/forward.ts';
import type { EventLog } from '../../src/agent/log/event-log.ts';
import { createForwardStatus, type ForwardStatus } from '../../src/agent/publisher/status.ts';
import { chainHex } from '../../src/contract/chain.ts';
import type { HealthMessage } from '../../src/contract/message.ts';
import { encodeStored } from '../../src/contract/message.ts';
import { provesBatch, provesSync } from '../../src/contract/signature.ts';
import { agentTopic, centralStateTopic, requestTopic } from '../../src/contract/topic.ts';
import { type OpenLink, openMqttLink } from '../../src/lib/mqtt-link.ts';
import { createQueue } from '../../src/lib/queue.ts';
import { newKey } from '../contract/signing.ts';
import { freePort, mosquittoPath, requireServer, startAedes, startMosquitto, until } from '../servers.ts';
import { event, levels, openLog, tempPath } from './log/log-fixture.ts';
import { BASE, type ScriptedCentral, startCentral } from './scripted-central.ts';

const AGENT = 'porch';
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Running {
  readonly log: EventLog;
  readonly status: ForwardStatus;
  readonly lines: string[];
  stop(): Promise<void>;
}

async function forward(
  url: string,
  log: EventLog,
  more: Record<string, unknown> = {},
  ports: Partial<Pick<ForwardParts, 'monoNow' | 'openLink' | 'signer'>> = {},
): Promise<Running> {
  const config = agentSchema.parse({
    agent: AGENT,
    sources: [{ file: 'none' }],
    log: { path: 'none' },
    mqtt: { url, retryFirstMs: 20, retryMaxMs: ports.openLink === undefined ? 100 : 60_000, connectTimeoutMs: 2_000 },
    forward: { syncAfterMs: 200, stalledAfterMs: 3_000, batchEvents: 100, ...more },
  });
  const { monoNow = () => performance.now(), openLink = openMqttLink } = ports;
  const status = createForwardStatus({ log, stalledAfterMs: config.forward.stalledAfterMs, monoNow, now: Date.now });
  const lines: string[] = [];
  const tell = (_fields: object, text: string) => void lines.push(text);
  const logger = { info: tell, warn: tell, error: tell };
  const health = () => ({ queue: status.queue, stalled: status.stalled }) as HealthMessage;
  const stop = new AbortController();
  const parts = {
    config,
    log,
    openLink,
    status,
    health,
    version: '1.2.3',
    logger,
    monoNow,
    random: Math.random,
    ...(ports.signer === undefined ? {} : { signer: ports.signer }),
  };
  const running = runForward(parts, stop.signal);
  const stopped = async () => {
    stop.abort();
    await running;
  };
  cleanups.push(stopped);
  return { log, status, lines, stop: stopped };
}

async function newLog(count = 0): Promise<EventLog> {
  const log = await openLog(tempPath());
  cleanups.push(() => log.close());
  for (let left = count; left > 0; left -= 1_000) await log.append(levels(Math.min(left, 1_000)));
  return log;
}

const epochOf = (log: EventLog) => log.epochs().at(-1)?.epoch ?? '';
const isWhole = (log: EventLog, central: ScriptedCentral) =>
  log.epochs().every(({ epoch, lastSeq, storedSeq }) => storedSeq === lastSeq && central.mark(epoch) === lastSeq);

const isDone = (log: EventLog) => log.epochs().every(({ lastSeq, storedSeq }) => storedSeq === lastSeq);

async function centralAt(url: string, ...more: [incarnation?: string, epochs?: ScriptedCentral['epochs']]) {
  const central = await startCentral(url, AGENT, ...more);
  cleanups.push(() => central.stop());
  return central;
}

/** A loaded machine answers late: no question in between, so that nothing is sent twice. */
const PATIENT = { syncAfterMs: 30_000, stalledAfterMs: 60_000 };

const brokers: [string, boolean, () => Promise<{ url: string; stop(): Promise<void> }>][] = [
  ['aedes (3.1.1)', true, startAedes],
  ['mosquitto (MQTT 5)', requireServer('mosquitto', mosquittoPath), startMosquitto],
];

for (const [name, isThere, start] of brokers) {
  describe.skipIf(!isThere)(`over ${name}`, () => {
    async function setUp(events: number, more: Record<string, unknown> = {}) {
      const broker = await start();
      cleanups.push(() => broker.stop());
      const central = await centralAt(broker.url);
      const log = await newLog(events);
      return { broker, central, log, start: () => forward(broker.url, log, more) };
    }

    test('the log arrives as it is, and the mark follows', async () => {
      const { central, log, start } = await setUp(250, PATIENT);
      const { status } = await start();
      await until('the backlog is stored', () => isWhole(log, central));
      await log.append(levels(3));
      await until('the live events are stored', () => isWhole(log, central));
      const epoch = epochOf(log);
      expect(chainHex(central.epochs.get(epoch)?.chains[253] ?? new Uint8Array())).toBe(
        chainHex((await log.chainAt(epoch, 253)) ?? new Uint8Array()),
      );
      expect(central.arrivals.map(({ lane, from, to }) => `${lane} ${from}-${to}`)).toEqual([
        'backlog 1-100',
        'backlog 101-200',
        'backlog 201-250',
        'events 251-253',
      ]);
      expect(status).toMatchObject({ link: 'online', queue: 0, storedSeq: 253, stalled: false });
      expect(Date.parse(status.lastConfirmed ?? '')).toBeGreaterThan(0);
    });

    test('with a key every batch and every sync is signed, also those that begin inside a commit group', async () => {
      const { broker, central, log } = await setUp(250);
      const key = newKey();
      await forward(broker.url, log, { ...PATIENT, batchEvents: 70 }, { signer: async () => key });
      await until('the backlog is stored', () => isWhole(log, central));
      await log.append(levels(3));
      await until('the live events are stored', () => isWhole(log, central));
      const proven = central.batches.map((batch) => batch.proof && provesBatch(key.publicKey, batch, batch.proof));
      expect(proven).toEqual([true, true, true, true, true]);
      expect(new Set(central.batches.map(({ proof }) => proof?.keyId))).toEqual(new Set([key.keyId]));
      const { proof, ...extent } = central.asked[0] ?? { epoch: '', firstSeq: 0, lastSeq: 0, chain: new Uint8Array() };
      expect(extent).toMatchObject({ epoch: epochOf(log), firstSeq: 1, lastSeq: 250 });
      expect(proof && provesSync(AGENT, extent, proof)).toBe(true);
    });

    test('without a key everything goes out unsigned', async () => {
      const { broker, central, log } = await setUp(10);
      await forward(broker.url, log, PATIENT, { signer: async () => null });
      await until('the backlog is stored', () => isWhole(log, central));
      expect(central.batches.map(({ proof }) => proof)).toEqual([undefined]);
      expect(central.asked.map(({ proof }) => proof)).toEqual([undefined]);
    });

    test('marks that are lost, repeated and late do no harm', async () => {
      const { central, log, start } = await setUp(1_000);
      let n = 0;
      const late: Parameters<ScriptedCentral['script']>[0][] = [];
      central.script = (message) => {
        n++;
        if (n % 3 === 0) return [];
        if (n % 3 === 1) late.push(message);
        return n % 5 === 0 ? [message, ...late.splice(0, 1), message] : [message, message];
      };
      await start();
      await until('all is stored', () => isWhole(log, central));
      expect(central.arrivals.length).toBeLessThan(40);
    });

    test('what the broker acknowledges and drops is asked for and sent again', async () => {
      const { central, log, start } = await setUp(1_000);
      const dropped = new Set<number>();
      central.drops = ({ from }) => from % 300 === 1 && !dropped.has(from) && dropped.add(from).size > 0;
      const { status } = await start();
      await until('all is stored', () => isWhole(log, central));
      expect(dropped.size).toBeGreaterThan(1);
      expect(status.links).toBe(1);
      expect(central.arrivals.length).toBeLessThan(30);
    });

    test('a mark above the log starts a new epoch at once, and the old events are sent for quarantine', async () => {
      const { central, log, start } = await setUp(10);
      const first = epochOf(log);
      central.script = (message) => [message.epoch === first ? { ...message, seq: 800 } : message];
      const { lines } = await start();
      await until('a new epoch', () => epochOf(log) !== first);
      await log.append(levels(5));
      await until(
        'its events are stored',
        () => central.mark(epochOf(log)) === 5 && log.epochs().at(-1)?.storedSeq === 5,
      );
      await until('the old ones were sent', () =>
        central.arrivals.some(({ epoch, to }) => epoch === first && to === 10),
      );
      expect(lines.filter((line) => line.includes('a new epoch begins'))).toHaveLength(1);
      expect(log.epochs()).toHaveLength(2);
    });

    test('a disowned epoch is sent once and waits no more, also not after the next start', async () => {
      const { broker, central, log, start } = await setUp(250);
      const first = epochOf(log);
      central.script = (message) => [message.epoch === first ? { ...message, seq: 800 } : message];
      const { status, stop } = await start();
      await until('the old epoch is done', () => log.epochs()[0]?.storedSeq === 250);
      await until('nothing waits', () => status.queue === 0);
      expect(central.epochs.get(first)?.events.size).toBe(250);
      expect(status.stalled).toBe(false);
      await stop();
      central.arrivals.length = 0;
      const again = await forward(broker.url, log);
      await log.append(levels(3));
      await until('live goes on', () => isDone(log));
      expect([log.epochs().length, again.lines.filter((line) => line.includes('new epoch'))]).toEqual([2, []]);
      expect(central.arrivals.every(({ epoch }) => epoch !== first)).toBe(true);
    });

    test('a chain that differs begins a new epoch with an event that says so, and all of the old one is sent once', async () => {
      const { central, log, start } = await setUp(10);
      const first = epochOf(log);
      log.saveMark(first, 4, 'first');
      const chain = new Uint8Array(32).fill(7);
      central.script = (message) => [message.epoch === first ? { ...message, seq: 8, need: [], chain } : message];
      const held: boolean[] = [];
      log.holdTrimming = () => void held.push(true);
      const { status, lines } = await start();
      await until('the conflict is seen', () => status.conflicting && log.epochs().length === 2);
      await log.append(levels(5));
      await until('the new epoch is stored', () => central.mark(epochOf(log)) === 6);
      const [told] = await log.read(epochOf(log), 1, 1, 1, 1_000);
      expect([told?.type, JSON.parse(told?.data ?? '')]).toEqual([
        'collard.history.conflict',
        { epoch: first, seq: 8, reason: 'chains differ' },
      ]);
      await until('nothing waits', () => status.queue === 0);
      // What was proven the same is not sent again; all that may differ is, for central to keep.
      expect([...(central.epochs.get(first)?.events.keys() ?? [])]).toEqual([5, 6, 7, 8, 9, 10]);
      expect(held.length).toBeGreaterThan(0);
      expect(lines.filter((line) => line.includes('another history'))).toHaveLength(1);
      expect(log.epochs()).toHaveLength(2);
    });

    test('what the broker acknowledges and drops of an old history is sent until central has it', async () => {
      const { central, log, start } = await setUp(10);
      const first = epochOf(log);
      log.saveMark(first, 4, 'first');
      const chain = new Uint8Array(32).fill(7);
      central.script = (message) => [message.epoch === first ? { ...message, seq: 8, chain } : message];
      let drops = 2;
      central.drops = ({ epoch }) => epoch === first && drops-- > 0;
      const { status } = await start();
      await until('nothing waits', () => log.epochs().length === 2 && status.queue === 0);
      expect([...(central.epochs.get(first)?.events.keys() ?? [])]).toEqual([5, 6, 7, 8, 9, 10]);
      expect(drops).toBeLessThan(0);
    });

    test('marks of no known chain, however many, begin one epoch, and live events pass', async () => {
      const { central, log, start } = await setUp(10);
      central.script = (message) => [{ ...message, chain: new Uint8Array(32).fill(7) }];
      const { status, lines } = await start();
      await until('the conflict is seen', () => log.epochs().length === 2);
      for (let i = 0; i < 50; i += 1) {
        const forged = { incarnation: 'first', epoch: epochOf(log), need: [], chain: new Uint8Array(32) };
        const seq = i % 2 === 0 ? 1 : 10_000;
        await central.say(agentTopic(BASE, AGENT, 'stored'), encodeStored({ ...forged, seq }));
      }
      await log.append(levels(5));
      await until('live goes on', () => central.mark(epochOf(log)) === 6);
      await until('it is told', () => lines.some((line) => line.includes('left aside for a while')));
      expect([log.epochs().length, log.epochs().at(-1)?.storedSeq, status.queue >= 6]).toEqual([2, 0, true]);
      // When the forger is gone, all is confirmed.
      central.script = (message) => [message];
      await log.append(levels(1));
      await until('the new epoch is confirmed', () => log.epochs().at(-1)?.storedSeq === 7);
    });

    test('another central with another history gets everything, once', async () => {
      const { broker, central, log, start } = await setUp(10, { syncAfterMs: 1_000, stalledAfterMs: 10_000 });
      await start();
      await until('all is stored', () => isWhole(log, central));
      const first = epochOf(log);
      await central.stop();
      const other = await centralAt(broker.url, 'second');
      other.script = (message) => [
        message.epoch === first ? { ...message, seq: 3, chain: new Uint8Array(32).fill(7) } : message,
      ];
      await until('it has all', () => other.epochs.get(first)?.events.size === 10);
      await until('a new epoch has begun', () => log.epochs().length === 2);
      await log.append(levels(1));
      await until('live goes on', () => other.mark(epochOf(log)) === 2);
      await until('nothing waits', () => isDone(log));
      expect(other.syncs).toBeLessThan(8);
      expect(other.arrivals.filter(({ epoch }) => epoch === first)).toHaveLength(1);
    });

    test('a flood of stores that speak as central has nothing sent over and over', async () => {
      const { central, log, start } = await setUp(300);
      const { lines } = await start();
      await until('all is stored', () => isWhole(log, central));
      const epoch = epochOf(log);
      const chain = central.epochs.get(epoch)?.chains[0] ?? new Uint8Array();
      const [arrived, asked] = [central.arrivals.length, central.syncs];
      for (let i = 0; i < 200; i += 1) {
        const forged = { incarnation: `forged-${i}`, epoch, seq: 0, chain, need: [] };
        await central.say(agentTopic(BASE, AGENT, 'stored'), encodeStored(forged));
      }
      await until('it is told', () => lines.some((line) => line.includes('several stores speak as central')));
      await log.append(levels(1));
      await until('live goes on', () => central.epochs.get(epoch)?.events.has(301) === true);
      // Once for the first of them.
      expect(central.arrivals.length - arrived).toBeLessThan(10);
      expect(central.syncs - asked).toBeLessThan(20);
    });

    test('a central that comes and comes is asked now and then, not each time', async () => {
      const { central, log, start } = await setUp(30);
      await start();
      await until('all is stored', () => isWhole(log, central));
      const [asked, from] = [central.syncs, performance.now()];
      for (let i = 0; i < 300; i += 1) await central.say(centralStateTopic(BASE), '{"state":"online"}');
      await log.append(levels(1));
      await until('live goes on', () => isWhole(log, central));
      const most = (performance.now() - from) / 200 + 3;
      expect(central.syncs - asked).toBeGreaterThan(0);
      expect(central.syncs - asked).toBeLessThan(most);
    });

    test('a flood of lower marks has the agent ask now and then, not each time', async () => {
      const { central, log, start } = await setUp(300);
      await start();
      await until('all is stored', () => isWhole(log, central));
      const epoch = epochOf(log);
      const late = {
        incarnation: 'first',
        epoch,
        seq: 5,
        chain: central.epochs.get(epoch)?.chains[5] ?? new Uint8Array(),
      };
      const [asked, from] = [central.syncs, performance.now()];
      for (let i = 0; i < 300; i += 1) {
        await central.say(agentTopic(BASE, AGENT, 'stored'), encodeStored({ ...late, need: [] }));
      }
      await log.append(levels(1));
      await until('live goes on', () => isWhole(log, central));
      // 200 ms apart, as syncAfterMs is here, and the first one.
      expect(central.syncs - asked).toBeLessThan((performance.now() - from) / 200 + 3);
    });

    test('a mark for an epoch that is not here is ignored', async () => {
      const { central, log, start } = await setUp(5);
      const { lines } = await start();
      await until('all is stored', () => isWhole(log, central));
      const forged = { incarnation: 'first', epoch: '01a20867-068a-70da-b9ee-759f41bde6a8', seq: 9, need: [] };
      await central.say(agentTopic(BASE, AGENT, 'stored'), encodeStored({ ...forged, chain: new Uint8Array(32) }));
      await central.say(agentTopic(BASE, AGENT, 'stored'), 'no JSON');
      await until(
        'both are told',
        () => lines.some((l) => l.includes('ignored')) && lines.some((l) => l.includes('unreadable')),
      );
      expect(log.epochs()).toHaveLength(1);
      await log.append(levels(1));
      await until('it goes on', () => isWhole(log, central));
    });

    test('a central that was restored gets what it lost', async () => {
      const { broker, central, log, start } = await setUp(300);
      await start();
      await until('all is stored', () => isWhole(log, central));
      await central.stop();
      const other = await centralAt(broker.url, 'second');
      await until('the other has it', () => isWhole(log, other));
      expect(log.incarnation).toBe('second');
    });

    test('without central events wait in the log, and go when it comes', async () => {
      const broker = await start();
      cleanups.push(() => broker.stop());
      const log = await newLog(500);
      const { status, lines } = await forward(broker.url, log, { stalledAfterMs: 1_000 });
      await until('it says so', () => status.stalled && lines.some((line) => line.includes('central does not answer')));
      await until('it tries a new link, for the old one may be dead', () => status.links > 1);
      expect([status.stalled, status.queue]).toEqual([true, 500]);
      const central = await centralAt(broker.url);
      await until('all is stored', () => isWhole(log, central));
      await until('it moves again', () => !status.stalled);
    });

    test('a central that says that it is away is waited for on the same link', async () => {
      const { central, log, start } = await setUp(0, { stalledAfterMs: 1_000 });
      await central.say(centralStateTopic(BASE), '{"state":"offline"}', true);
      await central.stop();
      const { status, lines } = await start();
      await log.append(levels(5));
      await until('it says so', () => status.stalled && lines.some((line) => line.includes('central does not answer')));
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(status.links).toBe(1);
    });

    test('a central that was restored gets what it misses by its first word, before it answers a question', async () => {
      const { central, log, start } = await setUp(30);
      await start();
      await until('all is stored', () => isWhole(log, central));
      const epoch = epochOf(log);
      const chain = central.epochs.get(epoch)?.chains[10] ?? new Uint8Array();
      central.script = () => [];
      central.arrivals.length = 0;
      const stored = encodeStored({ incarnation: 'second', epoch, seq: 10, chain, need: [] });
      await central.say(agentTopic(BASE, AGENT, 'stored'), stored);
      await until('what it misses comes', () => central.arrivals.some(({ from, to }) => from === 11 && to === 30));
    });

    test('a central that is there and confirms nothing is stalled: the link is opened again', async () => {
      const { central, log, start } = await setUp(10, { stalledAfterMs: 1_000 });
      central.script = ({ need, ...message }) => [
        { ...message, seq: 0, need, chain: central.epochs.get(message.epoch)?.chains[0] ?? message.chain },
      ];
      const { status, lines } = await start();
      await until('it reconnects', () => status.links > 1);
      expect([status.stalled, lines.some((line) => line.includes('central has confirmed nothing'))]).toEqual([
        true,
        true,
      ]);
      central.script = (message) => [message];
      await until('all is stored', () => isWhole(log, central));
    });

    test('confirm: broker moves the mark by PUBACK alone', async () => {
      const { central, log, start } = await setUp(250, { confirm: 'broker' });
      central.script = () => [];
      const { status } = await start();
      await until('the mark is at the end', () => log.epochs()[0]?.storedSeq === 250);
      expect([central.syncs, status.queue]).toEqual([0, 0]);
    });

    test('online, health and a clean offline are published with the number of the session', async () => {
      const { central, log, start } = await setUp(1);
      const running = await start();
      await until('all is stored', () => isWhole(log, central));
      await until('health came', () => central.seen.some(({ topic }) => topic === 'health'));
      const startedAt = performance.now();
      await running.stop();
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      const states = () => central.seen.filter(({ topic }) => topic === 'state').map(({ text }) => JSON.parse(text));
      await until('offline came', () => states().at(-1)?.state === 'offline');
      const [online, offline] = states();
      expect(online).toEqual({ state: 'online', session: offline.session, version: '1.2.3' });
      expect(states()).toHaveLength(2);
    });

    test('requests are answered, and unknown ones too', async () => {
      const { central, log, start } = await setUp(5);
      await start();
      await until('all is stored', () => isWhole(log, central));
      const epoch = epochOf(log);
      const ask = async (verb: string, body: object) => {
        const before = central.seen.length;
        await central.say(requestTopic(BASE, AGENT, verb), JSON.stringify({ transaction: 't1', ...body }));
        const find = () => central.seen.slice(before).find(({ topic }) => topic === `response/${verb}`);
        await until(`an answer to ${verb}`, () => find() !== undefined);
        return JSON.parse(find()?.text ?? '');
      };
      const chain = chainHex((await log.chainAt(epoch, 3)) ?? new Uint8Array());
      const head = { transaction: 't1', status: 'ok', epoch, firstSeq: 1, lastSeq: 5 };
      expect(await ask('chain', { epoch, seq: 3 })).toEqual({ ...head, seq: 3, chain });
      const { events } = await ask('events', { epoch, from: 2, to: 900 });
      expect(events.map((event: { seq: number }) => event.seq)).toEqual([2, 3, 4, 5]);
      expect(await ask('epochs', {})).toMatchObject({ epochs: [{ epoch, lastSeq: 5 }] });
      expect(await ask('health', {})).toMatchObject({ health: { queue: 0 } });
      expect(await ask('chain', { epoch, seq: 6 })).toMatchObject({ status: 'error' });
      expect(await ask('dance', {})).toMatchObject({ transaction: 't1', status: 'error' });
    });
  });
}

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('over a broker that dies', () => {
  test('a killed broker is found again, and nothing is lost', async () => {
    const broker = await startMosquitto();
    cleanups.push(() => broker.stop());
    const log = await newLog(2_000);
    const { status } = await forward(broker.url, log);
    const first = await centralAt(broker.url);
    await until('it has begun', () => first.arrivals.length > 3);
    await broker.kill();
    await log.append(levels(500));
    await until('the loss is noticed', () => status.lastError !== null);
    await broker.restart();
    const second = await centralAt(broker.url, 'first', first.epochs);
    await until('all is stored', () => isWhole(log, second));
    expect(status.links).toBeGreaterThan(1);
    await until('the trouble is over', () => status.lastError === null);
  });

  test('an unreachable broker is told once and tried for ever, without a new session number', async () => {
    const port = await freePort();
    const log = await newLog(1);
    const sessions: number[] = [];
    const next = log.nextSession.bind(log);
    log.nextSession = async () => {
      sessions.push(await next());
      return sessions.at(-1) ?? 0;
    };
    const { lines } = await forward(`mqtt://127.0.0.1:${port}`, log);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(lines).toEqual([`127.0.0.1:${port} cannot be reached (ECONNREFUSED): is the broker running?`]);
    expect(sessions).toHaveLength(1);
    const broker = await startMosquitto([`listener ${port} 127.0.0.1`, 'allow_anonymous true']);
    cleanups.push(() => broker.stop());
    const central = await centralAt(broker.url);
    await until('all is stored', () => isWhole(log, central));
  });

  test('what the access rules refuse is no success: it stays, and is told once', async () => {
    const acl = `${tempPath()}.acl`;
    writeFileSync(acl, 'topic read collard/#\ntopic write collard/v1/+/+/state\n');
    const broker = await startMosquitto([`acl_file ${acl}`]);
    cleanups.push(() => broker.stop());
    const log = await newLog(50);
    const { status, lines } = await forward(broker.url, log, { confirm: 'broker' });
    await until('it is refused', () => status.refusals > 1);
    expect(log.epochs()[0]?.storedSeq).toBe(0);
    expect(lines.filter((line) => line.includes('does not pass our events on'))).toHaveLength(1);
    expect(status.lastError).toContain('does not pass our events on');
  });
});

describe.skipIf(!requireServer('mosquitto', mosquittoPath))('over a broker that takes small packets only', () => {
  test('batches are cut to fit, and an event that is too large alone is named and does not stop the others', async () => {
    const broker = await startMosquitto(['max_packet_size 2000']);
    cleanups.push(() => broker.stop());
    const central = await centralAt(broker.url);
    const log = await newLog(20);
    await log.append([event('sensor.failed', { source: 'usb', reason: 'x'.repeat(5_000) })]);
    await log.append(levels(20));
    const { status, lines } = await forward(broker.url, log);
    const epoch = epochOf(log);
    await until('all but one arrived', () => central.epochs.get(epoch)?.events.size === 40);
    await log.append(levels(1));
    await until('live goes on', () => central.epochs.get(epoch)?.events.has(42) === true);
    expect([log.epochs()[0]?.storedSeq, status.oversize > 0, status.links]).toEqual([20, true, 1]);
    expect(lines.filter((line) => line.includes(`${epoch}/21 is larger`))).toHaveLength(1);
  });
});

describe('a large backlog', () => {
  test('20 000 events drain within the window while live events pass first', async () => {
    const broker = await startAedes();
    cleanups.push(() => broker.stop());
    const central = await centralAt(broker.url);
    const log = await newLog(20_000);
    let inFlight = 0;
    let most = 0;
    broker.broker.authorizePublish = (_client, packet, callback) => {
      if (/\/(events|backlog)$/.test(packet.topic)) most = Math.max(most, ++inFlight);
      setTimeout(() => {
        if (/\/(events|backlog)$/.test(packet.topic)) inFlight--;
        callback(null);
      }, 5);
    };
    const rules = { ...PATIENT, windowBatches: 4, unconfirmedEvents: 2_000, batchEvents: 100 };
    const { status } = await forward(broker.url, log, rules);
    await until('the link is open', () => status.link === 'online' && central.syncs > 0);
    const epoch = epochOf(log);
    let live = 0;
    while (!isWhole(log, central)) {
      const { lastSeq } = await log.append(levels(1));
      await until('the live event came', () => (central.epochs.get(epoch)?.events.has(lastSeq) ?? false) === true);
      if (!isWhole(log, central)) live++;
      if (central.mark(epoch) >= 20_000) await until('the mark follows', () => isWhole(log, central));
    }
    const backlog = central.arrivals.filter(({ lane }) => lane === 'backlog');
    const sent = backlog.reduce((sum, { from, to }) => sum + to - from + 1, 0);
    expect(sent).toBe(20_000);
    // One after the other they came while the backlog was still on its way.
    expect(live).toBeGreaterThan(5);
    expect(most).toBeLessThanOrEqual(4);
  }, 60_000);
});

/** A broker that takes everything and says nothing; each link ends an hour after it was opened. */
function quietLink(clock: { nowMs: number }): OpenLink {
  return async () => {
    const incoming = createQueue<never>(1);
    let end: (reason: Error | null) => void = () => undefined;
    const ended = new Promise<Error | null>((resolve) => {
      end = resolve;
    });
    const close = async () => {
      incoming.close();
      end(null);
    };
    return {
      protocol: '5',
      sessionPresent: false,
      receiveMaximum: 10,
      maxPacketBytes: 1e6,
      overruns: 0,
      incoming,
      ended,
      publish: async () => ({ ok: true }),
      async subscribe() {
        setImmediate(() => {
          clock.nowMs += 3_600_000;
          void close();
        });
      },
      close,
    };
  };
}

test('links that lasted are no failures, also where nothing was sent over them', async () => {
  const clock = { nowMs: 0 };
  const log = await newLog();
  // Ten failures in a row would wait for 10 s and more.
  const { status } = await forward('mqtt://quiet', log, {}, { monoNow: () => clock.nowMs, openLink: quietLink(clock) });
  await until('ten links came and went', () => status.links > 10, 3_000);
});
