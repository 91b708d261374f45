import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IngestLog, LogReader } from '../../src/agent/log/event-log.ts';
import { answerRequest } from '../../src/agent/publisher/answer.ts';
import { openStore } from '../../src/central/open-store.ts';
import type { Store } from '../../src/central/store/store.ts';
import { openRemoteHistory } from '../../src/cli/ask-agent.ts';
import { type AgentHistory, compareHistories, type StoreHistory, worst } from '../../src/cli/history.ts';
import { type ChainHash, chainHex, chainNext, chainStart } from '../../src/contract/chain.ts';
import { agentTopic, responseTopic } from '../../src/contract/topic.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { event, openLog } from '../agent/log/log-fixture.ts';
import { startBroker } from '../central/broker.ts';
import { createWriter, epochId, meowing, NOW, type Writer } from '../central/store/events.ts';
import { collard as runCollard } from './run.ts';

function historyOf(writer: Writer, firstSeq = 1): AgentHistory {
  const lastSeq = writer.events.length;
  return {
    epochs: async () => [{ epoch: writer.epoch, firstSeq, lastSeq }],
    chainAt: async (_epoch, seq) => (seq < firstSeq - 1 || seq > lastSeq ? null : writer.chain(seq)),
  };
}

function storeOf(writer: Writer, mark: number): StoreHistory {
  return {
    marks: async () => (mark === 0 ? [] : [{ epoch: writer.epoch, mark }]),
    chainAt: async (_epoch, seq) => writer.chain(seq),
  };
}

async function compared(agent: AgentHistory, store: StoreHistory) {
  const verdict = worst(await compareHistories(agent, store));
  return verdict === null ? null : [verdict.status, verdict.seq];
}

describe('two histories', () => {
  const porch = meowing('porch', epochId(1), 40);

  it('agree when all of the log is stored', async () => {
    const [verdict] = await compareHistories(historyOf(porch), storeOf(porch, 40));
    expect(verdict).toEqual({
      status: 'agree',
      epoch: epochId(1),
      seq: 40,
      chain: chainHex(porch.chain(40)),
      stored: 40,
      last: 40,
    });
  });

  it('tell how far the comparison is, over all epochs', async () => {
    const shed = meowing('shed', epochId(2), 10);
    const [one, other] = [historyOf(porch), historyOf(shed)];
    const both: AgentHistory = {
      epochs: async () => [...(await one.epochs()), ...(await other.epochs())],
      chainAt: (epoch, seq) => (epoch === porch.epoch ? one : other).chainAt(epoch, seq),
    };
    const told: [number, number][] = [];
    const store: StoreHistory = {
      marks: async () => [
        { epoch: porch.epoch, mark: 30 },
        { epoch: shed.epoch, mark: 10 },
      ],
      async chainAt(epoch, seq, _since, onHashed) {
        onHashed?.(seq);
        return (epoch === porch.epoch ? porch : shed).chain(seq);
      },
    };
    await compareHistories(both, store, (events, of) => void told.push([events, of]));
    expect(told).toEqual([
      [30, 40],
      [40, 40],
    ]);
  });

  it('have missing events above the mark, also where central knows nothing', async () => {
    expect(await compared(historyOf(porch), storeOf(porch, 25))).toEqual(['missing', 26]);
    expect(await compared(historyOf(porch), storeOf(porch, 0))).toEqual(['missing', 1]);
  });

  it('conflict at the first event that differs, wherever it is', async () => {
    for (let differs = 1; differs <= 40; differs += 1) {
      const other = createWriter('porch', epochId(1));
      other.events.push(...porch.events.map((e, i) => (i === differs - 1 ? { ...e, data: '{"level":9}' } : e)));
      const [verdict] = await compareHistories(historyOf(porch), storeOf(other, 40));
      expect(verdict).toMatchObject({ status: 'conflicting', seq: differs, chain: chainHex(porch.chain(differs - 1)) });
    }
  });

  it('conflict when central holds more than the log', async () => {
    const short = meowing('porch', epochId(1), 30);
    expect(await compared(historyOf(short), storeOf(porch, 40))).toEqual(['conflicting', 31]);
  });

  it('cannot be compared where the log has deleted what central never got', async () => {
    expect(await compared(historyOf(porch, 30), storeOf(porch, 20))).toEqual(['expired', 20]);
    expect(await compared(historyOf(porch, 30), storeOf(porch, 29))).toEqual(['missing', 30]);
  });

  it('are proven the same where central has deleted all of it for its age', async () => {
    const expired = (upTo: number): StoreHistory => {
      const store = storeOf(porch, 40);
      return { ...store, marks: async () => (await store.marks()).map((row) => ({ ...row, expired: upTo })) };
    };
    const [all] = await compareHistories(historyOf(porch), expired(40));
    expect(all).toMatchObject({ status: 'expired', seq: 40, chain: chainHex(porch.chain(40)) });
    expect(await compared(historyOf(porch), expired(39))).toEqual(['agree', 40]);
  });

  it('are judged by the worst of their epochs', async () => {
    const second = meowing('porch', epochId(2), 5);
    const both: AgentHistory = {
      epochs: async () => [...(await historyOf(porch).epochs()), ...(await historyOf(second).epochs())],
      chainAt: (epoch, seq) => historyOf(epoch === porch.epoch ? porch : second).chainAt(epoch, seq),
    };
    expect(await compared(both, storeOf(porch, 40))).toEqual(['missing', 1]);
  });
});

describe('collard verify', () => {
  let folder: string;
  let config: string;
  let log: IngestLog;
  let store: Store;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'collard-verify-'));
    config = join(folder, 'central.yaml');
    writeFileSync(config, `store: { url: "sqlite:${folder}/central.db" }\nmqtt: { url: "mqtt://127.0.0.1:1" }\n`);
    log = await openLog(join(folder, 'events.db'));
    store = await openStore({ url: `sqlite:${folder}/central.db` });
  });
  afterEach(async () => {
    await log.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function write(count: number): Promise<void> {
    await log.append(Array.from({ length: count }, (_, i) => event('meow.started', { level: 1 }, i)));
  }

  async function forward(to: number): Promise<void> {
    const epoch = log.epochs().at(-1)?.epoch ?? '';
    const events = await log.read(epoch, 1, to, 500, 1e6);
    const chain = await log.chainAt(epoch, to);
    if (chain === null) throw new Error('no chain');
    await store.ingest({ agent: 'porch', events, chain }, NOW);
  }

  const verify = (...more: string[]) =>
    runCollard(['verify', '--agent', 'porch', '--config', config, '--log', join(folder, 'events.db'), ...more]);

  it('reads the log of a living agent and the store of a living central', async () => {
    await write(20);
    await forward(20);
    const { status, stdout } = await verify('--json');
    const epoch = log.epochs().at(-1)?.epoch;
    expect(JSON.parse(stdout)).toMatchObject({ agent: 'porch', status: 'agree', epoch, seq: 20, stored: 20, last: 20 });
    expect(status).toBe(0);
  });

  it('ends with 1 while events are on the way', async () => {
    await write(20);
    await forward(12);
    const { status, stdout } = await verify('--json');
    expect(JSON.parse(stdout)).toMatchObject({ status: 'missing', seq: 13 });
    expect(status).toBe(1);
  });

  it('agrees once the agent has sent what central needs', async () => {
    await write(30);
    const epoch = log.epochs().at(-1)?.epoch ?? '';
    const send = async (from: number, to: number) => {
      const [events, chain] = [await log.read(epoch, from, to, 500, 1e6), await log.chainAt(epoch, to)];
      return (await store.ingest({ agent: 'porch', events, chain }, NOW)).stored;
    };
    await send(1, 10);
    await send(21, 25);
    const { need } = await send(28, 30);
    const broken = await verify('--json');
    expect(JSON.parse(broken.stdout)).toMatchObject({ status: 'missing', seq: 11, stored: 10, last: 30 });
    expect(broken.status).toBe(1);
    expect(need).toEqual([
      [11, 20],
      [26, 27],
    ]);
    for (const [from, to] of need) await send(from, to);
    const whole = await verify('--json');
    expect(JSON.parse(whole.stdout)).toMatchObject({ status: 'agree', seq: 30, stored: 30 });
    expect(whole.status).toBe(0);
  });

  it('names what central holds beside the history', async () => {
    await write(6);
    await forward(6);
    const epoch = log.epochs().at(-1)?.epoch ?? '';
    const copy = meowing('porch', epoch, 6, 'COPY');
    const bad = [{ epoch, seq: 7, reason: 'is none', text: '7' }];
    await store.ingest({ ...copy.batch(5, 6), bad }, NOW);
    const { stdout } = await verify();
    expect(stdout).toContain(
      '2 events came under numbers of others: collard quarantine list --agent porch --conflicts',
    );
    expect(stdout).toContain('1 gaps: what was lost or rejected there is not stored');
    expect(stdout).toContain('1 messages are in quarantine: collard quarantine list --agent porch');
    expect(JSON.parse((await verify('--json')).stdout)).toMatchObject({ conflicts: 2, gaps: 1, quarantined: 1 });
  });

  it('says what is wrong with its arguments', async () => {
    await write(1);
    const other = await runCollard([
      'verify',
      '--agent',
      'shed',
      '--config',
      config,
      '--log',
      join(folder, 'events.db'),
    ]);
    expect(other.status).toBe(65);
    const missing = await runCollard([
      'verify',
      '--agent',
      'porch',
      '--config',
      config,
      '--log',
      join(folder, 'no.db'),
    ]);
    expect(missing.status).toBe(69);
    const away = await runCollard(['verify', '--agent', 'porch', '--config', config]);
    expect(away.status).toBe(69);
  });

  it('prints the cats with collard state', async () => {
    await store.command(NOW, async () => ({
      result: null,
      events: [{ ...event('cat.named', { catId: 1, oldName: null, newName: 'Minka' }), subject: 'cat/1' }],
    }));
    const now = await runCollard(['state', '--config', config, '--json']);
    expect(JSON.parse(now.stdout)).toMatchObject({ id: 1, name: 'Minka' });
    const before = await runCollard(['state', '--config', config, '--at', '2020-01-01T00:00Z', '--json']);
    expect(before).toMatchObject({ status: 0, stdout: '' });
    expect((await runCollard(['state', '--config', config, '--at', 'soon'])).status).toBe(64);
  });
});

describe('an agent over MQTT', () => {
  it('answers with its epochs and chains, or not at all', async () => {
    const broker = await startBroker();
    const porch = meowing('porch', epochId(1), 9);
    const agent = await connectAsync(broker.url);
    const log: LogReader = {
      epochs: () => [{ epoch: porch.epoch, firstSeq: 4, lastSeq: 9, storedSeq: 9 }],
      read: async () => porch.events,
      chainAt: async (_epoch, seq) => (seq < 3 ? null : porch.chain(seq)),
    };
    const parts = { agent: 'porch', log, health: () => Promise.reject(new Error('unused')), maxBytes: 10_000 };
    agent.on('message', async (topic, payload) => {
      const verb = topic.split('/').at(-1) ?? '';
      const answer = await answerRequest(parts, verb, JSON.parse(payload.toString()));
      const to = responseTopic('collard/v1', 'porch', verb);
      agent.publish(to, JSON.stringify({ ...answer, transaction: 'of another', chain: null }));
      agent.publish(to, JSON.stringify(answer), { qos: 1 });
    });
    await agent.subscribeAsync(agentTopic('collard/v1', 'porch', 'sync').replace('sync', 'request/#'), { qos: 1 });
    const link = { url: broker.url, keepaliveSeconds: 5, connectTimeoutMs: 2_000 };
    const ask = { link, base: 'collard/v1', agent: 'porch', answerWithinMs: 2_000 };
    const signal = new AbortController().signal;
    const history = await openRemoteHistory(ask, openMqttLink, signal);
    expect(await compared(history, storeOf(porch, 9))).toEqual(['agree', 9]);
    expect(await history.chainAt(porch.epoch, 2)).toBeNull();
    await expect(history.chainAt(porch.epoch, 10)).rejects.toMatchObject({ code: 'REQUEST_FAILED' });
    await history.close();
    const nobody = await openRemoteHistory({ ...ask, agent: 'shed', answerWithinMs: 100 }, openMqttLink, signal);
    await expect(nobody.epochs()).rejects.toMatchObject({ code: 'NO_ANSWER' });
    await nobody.close();
    await agent.endAsync(true);
    await broker.close();
  });

  it('tells the first difference in 100 000 events in 20 requests and 10 kB', async () => {
    const broker = await startBroker();
    const porch = meowing('porch', epochId(1), 100_000);
    const [ours, theirs] = [chainsOf(porch, null), chainsOf(porch, 77_777)];
    const agent = await connectAsync(broker.url);
    const log: LogReader = {
      epochs: () => [{ epoch: porch.epoch, firstSeq: 1, lastSeq: 100_000, storedSeq: 100_000 }],
      read: async () => [],
      chainAt: async (_epoch, seq) => ours[seq] ?? null,
    };
    const parts = { agent: 'porch', log, health: () => Promise.reject(new Error('unused')), maxBytes: 10_000 };
    let [requests, bytes, hashed] = [0, 0, 0];
    agent.on('message', async (topic, payload) => {
      const verb = topic.split('/').at(-1) ?? '';
      const answer = JSON.stringify(await answerRequest(parts, verb, JSON.parse(payload.toString())));
      requests += 1;
      bytes += payload.length + answer.length;
      agent.publish(responseTopic('collard/v1', 'porch', verb), answer, { qos: 1 });
    });
    await agent.subscribeAsync(agentTopic('collard/v1', 'porch', 'sync').replace('sync', 'request/#'), { qos: 1 });
    const link = { url: broker.url, keepaliveSeconds: 5, connectTimeoutMs: 2_000 };
    const ask = { link, base: 'collard/v1', agent: 'porch', answerWithinMs: 5_000 };
    const history = await openRemoteHistory(ask, openMqttLink, new AbortController().signal);
    const [verdict] = await compareHistories(history, {
      marks: async () => [{ epoch: porch.epoch, mark: 100_000 }],
      async chainAt(_epoch, seq, since) {
        hashed += seq - (since?.seq ?? 0);
        return theirs[seq] ?? null;
      },
    });
    expect(verdict).toMatchObject({ status: 'conflicting', seq: 77_777, chain: chainHex(porch.chain(77_776)) });
    expect(requests).toBeLessThanOrEqual(20);
    expect(bytes).toBeLessThan(10_000);
    // The whole once, and then no more than what is halved again and again.
    expect(hashed).toBeLessThanOrEqual(200_000);
    await history.close();
    await agent.endAsync(true);
    await broker.close();
  });
});

/** chain at each seq, where one event differs or none. */
function chainsOf({ agent, epoch, events }: Writer, differs: number | null): readonly ChainHash[] {
  const chains: ChainHash[] = [chainStart(agent, epoch)];
  for (const one of events) {
    const event = one.seq === differs ? { ...one, data: '{"level":9}' } : one;
    chains.push(chainNext(chains.at(-1) ?? chainStart(agent, epoch), event));
  }
  return chains;
}
