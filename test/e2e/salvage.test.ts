import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentSchema } from '../../src/agent/config.ts';
import { runForward } from '../../src/agent/forward.ts';
import type { Lost } from '../../src/agent/log/begin.ts';
import type { IngestLog } from '../../src/agent/log/event-log.ts';
import { createForwardStatus, type ForwardStatus } from '../../src/agent/publisher/status.ts';
import { openStore } from '../../src/central/open-store.ts';
import { runReceive } from '../../src/central/receive.ts';
import type { Store } from '../../src/central/store/store.ts';
import { createOutbox } from '../../src/central/subscriber/outbox.ts';
import type { HealthMessage } from '../../src/contract/message.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { levels, openLog, readAll } from '../agent/log/log-fixture.ts';
import { startBroker, type TestBroker, until } from '../central/broker.ts';

let folder: string;
let broker: TestBroker;
let store: Store;
let stopCentral: () => Promise<void>;

const logger = pino({ enabled: false });
const pathOf = (name: string) => join(folder, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'collard-salvage-'));
  broker = await startBroker();
  await startCentral();
});

async function startCentral(): Promise<void> {
  store = await openStore({ url: `sqlite:${pathOf('central.db')}` });
  const stop = new AbortController();
  const link = { url: broker.url, keepaliveSeconds: 5, connectTimeoutMs: 2_000 };
  const running = runReceive(
    {
      store,
      openLink: openMqttLink,
      subscriber: { base: 'collard/v1', group: 'central', sessionExpirySeconds: 3_600, link },
      outbox: createOutbox(),
      retry: { firstMs: 20, maxMs: 50 },
      logger,
      clock: () => new Date(),
      random: Math.random,
      ingested: () => undefined,
      changed: () => undefined,
      onConnection: () => undefined,
    },
    stop.signal,
  );
  stopCentral = async () => {
    stop.abort();
    await running;
    await store.close();
  };
}

/** The store is now the one that `backUpCentral` kept. */
async function restoreCentral(): Promise<void> {
  await stopCentral();
  for (const suffix of ['', '-wal', '-shm']) rmSync(pathOf(`central.db${suffix}`), { force: true });
  copyFileSync(pathOf('backup.db'), pathOf('central.db'));
  await startCentral();
}

function backUpCentral(): void {
  const db = new Database(pathOf('central.db'), { readonly: true });
  writeFileSync(pathOf('backup.db'), db.serialize());
  db.close();
}

afterEach(async () => {
  await stopCentral();
  await broker.close();
  rmSync(folder, { recursive: true, force: true });
});

function forward(log: IngestLog): { readonly status: ForwardStatus; stop(): Promise<void> } {
  const config = agentSchema.parse({
    agent: 'porch',
    sources: [{ file: 'none' }],
    log: { path: 'none' },
    mqtt: { url: broker.url, retryFirstMs: 20, retryMaxMs: 100, connectTimeoutMs: 2_000 },
    forward: { syncAfterMs: 200, stalledAfterMs: 5_000, batchEvents: 40 },
  });
  const monoNow = () => performance.now();
  const status = createForwardStatus({ log, stalledAfterMs: 5_000, monoNow, now: Date.now });
  const health = () => ({ queue: status.queue, stalled: status.stalled }) as HealthMessage;
  const stop = new AbortController();
  const running = runForward(
    { config, log, openLink: openMqttLink, status, health, version: '1', logger, monoNow, random: Math.random },
    stop.signal,
  );
  return {
    status,
    async stop() {
      stop.abort();
      await running;
    },
  };
}

const confirmed = (log: IngestLog) => () => log.epochs().every(({ lastSeq, storedSeq }) => storedSeq === lastSeq);

interface Row {
  readonly epoch: string;
  readonly seq: number;
  readonly data: string;
}

function inStore(): { readonly events: Row[]; readonly gaps: [string, number, number][]; readonly sound: boolean } {
  const db = new Database(pathOf('central.db'), { readonly: true });
  try {
    const events = db
      .prepare<[], Row>('SELECT epoch, seq, data FROM event JOIN epoch ON no = epoch_no ORDER BY no, seq')
      .all();
    const gaps = db
      .prepare('SELECT epoch, from_seq, to_seq FROM gap JOIN epoch ON no = epoch_no ORDER BY no, from_seq')
      .raw()
      .all() as [string, number, number][];
    const broken = db.prepare('SELECT count(*) FROM epoch WHERE chain_ok = 0').pluck().get();
    const open = db.prepare('SELECT count(*) FROM event WHERE position IS NULL').pluck().get();
    const conflicts = db.prepare('SELECT count(*) FROM conflict').pluck().get();
    return { events, gaps, sound: broken === 0 && open === 0 && conflicts === 0 };
  } finally {
    db.close();
  }
}

/** Opens what was left of a log, lets it be forwarded to the end, and compares the store with it. */
async function deliver(path: string) {
  const lost: Lost[] = [];
  const log = await openLog(path, {}, { onLost: (one) => lost.push(one) });
  const agent = forward(log);
  try {
    await log.append(levels(3));
    await until('central has all that is left', confirmed(log), 15_000);
    expect(agent.status.stalled).toBe(false);
    expect(agent.status.conflicting).toBe(false);
    return { lost, left: await readAll(log), epochs: log.epochs() };
  } finally {
    await agent.stop();
    await log.close();
  }
}

const key = ({ epoch, seq, data }: Row) => `${epoch}/${seq} ${data}`;

describe('a log that lost something, and a central that does not know it yet', () => {
  it('all that was saved is stored once, and the mark passes over the holes', async () => {
    const path = pathOf('events.db');
    const log = await openLog(path);
    for (let group = 0; group < 30; group += 1) await log.append(levels(10));
    await log.startEpoch('test');
    for (let group = 0; group < 30; group += 1) await log.append(levels(10));
    const epochs = log.epochs().map(({ epoch }) => epoch);
    await log.close();
    const db = new Database(path);
    // In the middle, at the start, and at the end of an epoch.
    db.exec('DELETE FROM event WHERE pos IN (3, 44, 45, 96, 297, 395, 598)');
    db.close();
    writeFileSync(`${path}.suspect`, '');
    const { lost, left } = await deliver(path);
    expect(lost.map(({ epoch, count }) => [epoch, count])).toEqual([
      [epochs[0], 40],
      [epochs[1], 20],
    ]);
    const { events, gaps, sound } = inStore();
    expect(events.map(key).sort()).toEqual(left.map(key).sort());
    expect(gaps).toEqual([
      [epochs[0], 1, 10],
      [epochs[0], 41, 50],
      [epochs[0], 91, 100],
      [epochs[0], 291, 300],
      [epochs[1], 91, 100],
      [epochs[1], 291, 300],
    ]);
    expect(sound).toBe(true);
  }, 40_000);

  it('what central held before the damage is neither sent twice nor called lost', async () => {
    const path = pathOf('events.db');
    const log = await openLog(path);
    const agent = forward(log);
    for (let group = 0; group < 20; group += 1) await log.append(levels(10));
    await until('central has the first part', confirmed(log));
    await agent.stop();
    for (let group = 0; group < 20; group += 1) await log.append(levels(10));
    const epoch = log.epochs()[0]?.epoch ?? '';
    await log.close();
    const before = inStore().events.length;
    const db = new Database(path);
    db.exec('DELETE FROM event WHERE pos IN (44, 296)');
    db.close();
    writeFileSync(`${path}.suspect`, '');
    const { lost } = await deliver(path);
    expect(lost).toMatchObject([{ epoch, fromSeq: 291, toSeq: 300, count: 10 }]);
    const { events, gaps, sound } = inStore();
    expect(before).toBe(200);
    expect(events.filter((one) => one.epoch === epoch).map(({ seq }) => seq)).toEqual([
      ...Array.from({ length: 290 }, (_, i) => i + 1),
      ...Array.from({ length: 100 }, (_, i) => i + 301),
    ]);
    expect(gaps).toEqual([[epoch, 291, 300]]);
    expect(sound).toBe(true);
  }, 40_000);

  it.each([
    ['an older copy of the card', true],
    ['nothing', false],
  ])(
    'where %s is left, the mark passes over what the witness tells',
    async (_, hasCopy) => {
      const path = pathOf('events.db');
      const log = await openLog(path);
      await log.append(levels(100));
      for (const suffix of ['', '-wal', '-shm']) copyFileSync(path + suffix, pathOf(`copy${suffix}`));
      await log.append(levels(100));
      const epoch = log.epochs()[0]?.epoch ?? '';
      await log.close();
      for (const suffix of ['', '-wal', '-shm']) {
        rmSync(path + suffix, { force: true });
        if (hasCopy && existsSync(pathOf(`copy${suffix}`))) copyFileSync(pathOf(`copy${suffix}`), path + suffix);
      }
      const { lost, left } = await deliver(path);
      const held = hasCopy ? 100 : 0;
      expect(lost).toMatchObject([{ epoch, fromSeq: held + 1, toSeq: 200, count: 200 - held }]);
      const { events, gaps, sound } = inStore();
      expect(events.map(key).sort()).toEqual(left.map(key).sort());
      expect(gaps).toEqual([[epoch, held + 1, 200]]);
      expect(sound).toBe(true);
    },
    40_000,
  );
});

describe('a log that lost what central had confirmed, and central is put back to before that', () => {
  /** 1 to 100 are in the backup of central, and 1 to 200 in `copy`; central had confirmed 1 to 300. */
  async function confirmedSince(path: string): Promise<string> {
    const log = await openLog(path);
    const agent = forward(log);
    const grow = async () => {
      for (let group = 0; group < 10; group += 1) await log.append(levels(10));
      await until('central has all of it', confirmed(log));
    };
    await grow();
    backUpCentral();
    await grow();
    for (const suffix of ['', '-wal', '-shm']) copyFileSync(path + suffix, pathOf(`copy${suffix}`));
    await grow();
    await agent.stop();
    const epoch = log.epochs()[0]?.epoch ?? '';
    await log.close();
    return epoch;
  }

  const reason = 'neither in the log nor at central';
  const losses = (left: readonly Row[]) =>
    left.filter(({ data }) => data.includes(reason)).map(({ data }) => JSON.parse(data) as Lost);

  it('an older copy of the log beside its witness: what is on neither disk is told, and the mark passes it', async () => {
    const path = pathOf('events.db');
    const epoch = await confirmedSince(path);
    for (const suffix of ['', '-wal', '-shm']) {
      rmSync(path + suffix, { force: true });
      if (existsSync(pathOf(`copy${suffix}`))) copyFileSync(pathOf(`copy${suffix}`), path + suffix);
    }
    await restoreCentral();
    const { lost, left, epochs } = await deliver(path);
    expect(lost).toEqual([]);
    expect(losses(left)).toEqual([{ epoch, fromSeq: 201, toSeq: 300, count: 100, reason }]);
    const { events, gaps, sound } = inStore();
    expect(events.map(key).sort()).toEqual(left.map(key).sort());
    expect(gaps).toEqual([[epoch, 201, 300]]);
    expect([sound, epochs[0]?.storedSeq]).toEqual([true, 300]);
    // Nobody asks any more, and nothing is told twice.
    expect(losses((await deliver(path)).left)).toHaveLength(1);
  }, 60_000);

  it('a damaged log: what could not be saved and is at central no more is told', async () => {
    const path = pathOf('events.db');
    const epoch = await confirmedSince(path);
    const db = new Database(path);
    db.exec('DELETE FROM event WHERE pos IN (44, 155, 296)');
    db.close();
    writeFileSync(`${path}.suspect`, '');
    await restoreCentral();
    const { lost, left } = await deliver(path);
    expect(lost).toEqual([]);
    // Central holds 41 to 50.
    const runs = [10, 130, 10];
    expect(losses(left)).toEqual([{ epoch, fromSeq: 151, toSeq: 300, count: 20, reason, runs }]);
    const { gaps, sound } = inStore();
    expect(gaps).toEqual([
      [epoch, 151, 160],
      [epoch, 291, 300],
    ]);
    expect(sound).toBe(true);
  }, 60_000);
});
