/** Three agents, each with the receiver of one room and its motion sensor, one cat, and central. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runAgent } from '../../src/agent/agent.ts';
import { agentSchema } from '../../src/agent/config.ts';
import { openCatService } from '../../src/central/cats/cat-service.ts';
import { centralSchema } from '../../src/central/config.ts';
import { foldEvents } from '../../src/central/models/fold.ts';
import { openReplayStore, openStore } from '../../src/central/open-store.ts';
import { runReplay } from '../../src/central/replay.ts';
import { runCentral } from '../../src/central/service.ts';
import type { Store } from '../../src/central/store/store.ts';
import { runWorker } from '../../src/central/worker.ts';
import { shortType } from '../../src/contract/event.ts';
import { openMqttLink } from '../../src/lib/mqtt-link.ts';
import { openPty, type Pty } from '../../src/simulator/pty.ts';
import { mosquittoPath, requireServer, startMosquitto } from '../servers.ts';

const ROOMS = ['kitchen', 'hall', 'bath'] as const;
type Room = (typeof ROOMS)[number];
const EVERY_MS = 200;
const logger = pino({ level: 'silent' });
const deps = { openLink: openMqttLink, logger, version: '0' };

const hasBroker = requireServer('mosquitto', mosquittoPath);

/** Until the test is over. */
function run(loop: (signal: AbortSignal) => Promise<void>): void {
  const stop = new AbortController();
  const done = loop(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
}

interface House {
  readonly store: Store;
  readonly url: string;
  /** The receiver or the motion sensor of a room says something. */
  say(room: Room, line: object): Promise<void>;
}

async function openHouse(centrals: readonly object[]): Promise<House> {
  const home = mkdtempSync(join(tmpdir(), 'collard-fusion-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));
  const broker = await startMosquitto();
  onTestFinished(() => broker.stop());
  const mqtt = { url: broker.url, retryFirstMs: 20, retryMaxMs: 100 };
  const url = `sqlite:${join(home, 'central.db')}`;
  const store = await openStore({ url });
  onTestFinished(() => store.close());
  await openCatService(store, () => new Date()).addCat('Minka', 'A');
  for (const settings of centrals) {
    const config = centralSchema.parse({ store: { url }, mqtt, http: { port: 0 }, ...settings });
    run((signal) => (config.workers === undefined ? runCentral : runWorker)(config, deps, signal));
  }
  const ports = new Map<Room, Pty>();
  for (const room of ROOMS) {
    const pty = openPty();
    onTestFinished(() => pty.close());
    ports.set(room, pty);
    const config = agentSchema.parse({
      agent: `pi-${room}`,
      sources: [{ serial: pty.path, format: 'json', place: room }],
      log: { path: join(home, `${room}.db`) },
      mqtt,
      fusion: { enabled: true, everyMs: 1_000 },
    });
    run((signal) => runAgent(config, deps, signal));
  }
  const say = async (room: Room, line: object) => {
    await ports.get(room)?.write(Buffer.from(`${JSON.stringify({ collar: 'A', ...line })}\n`));
  };
  return { store, url, say };
}

/** The rooms hear the cat so loudly, until central knows where it is. */
async function hear({ store, say }: House, dbm: Readonly<Record<Room, number>>, place: Room): Promise<void> {
  const isThere = async () => {
    for (const room of ROOMS) await say(room, { rssi: dbm[room] });
    return (await store.cats(new Date()))[0]?.location;
  };
  await expect.poll(isThere, { timeout: 60_000, interval: EVERY_MS }).toBe(place);
}

/** The motion sensor of a room sees the cat again and again, until central knows it: what was heard before is told a little later. */
async function see({ store, say }: House, place: Room): Promise<void> {
  const isThere = async () => {
    await say(place, { sensor: 'pir', motion: 1 });
    return (await store.cats(new Date()))[0]?.location;
  };
  await expect.poll(isThere, { timeout: 60_000, interval: EVERY_MS }).toBe(place);
}

describe.skipIf(!hasBroker)('three agents that each hear one room', () => {
  test.each([
    ['one central', [{}]],
    // The agents' shards are 28, 17 and 53: both have some of them, and the first leads.
    ['two workers', [{ workers: { shards: '0-20' } }, { workers: { shards: '21-63' } }]],
  ])(
    'are fused by %s: a cat is where they hear it best, and where a motion sensor saw it last',
    async (_name, centrals) => {
      const house = await openHouse(centrals);
      const { store, url } = house;
      await hear(house, { kitchen: -55, hall: -75, bath: -85 }, 'kitchen');
      await hear(house, { kitchen: -78, hall: -52, bath: -74 }, 'hall');
      expect((await store.cats(new Date()))[0]?.confidence).toBeGreaterThanOrEqual(0.8);
      for (const place of ['bath', 'kitchen', 'bath', 'hall'] as const) await see(house, place);
      const told = async () => (await store.arrivals(new Map(), 100_000)).events;
      const types = new Set(
        (await told()).filter(({ agent }) => agent !== 'central').map(({ type }) => shortType(type)),
      );
      expect([...types]).toEqual(['collar.sighted']);
      // What a replay would make of the same events, however they lie, once all that has come is folded.
      const isFold = async () => {
        const { meowing } = foldEvents((await told()).toReversed());
        return isDeepStrictEqual(await store.catHistory(1, 1_000), meowing.toReversed());
      };
      await expect.poll(isFold, { timeout: 60_000, interval: 100 }).toBe(true);
      const replay = await openReplayStore({ url });
      onTestFinished(() => replay.close());
      expect(await replay.verifyModels(() => undefined)).toMatchObject({ equal: true, cats: 1 });
      // The timeline shows each of its moves, by whom and how sure, and the same after a replay.
      const timeline = async () => {
        const { events } = await store.newest({ limit: 100, fused: true, types: [] });
        return events.flatMap(({ time, fused }) => (fused === undefined ? [] : [{ ...fused, time }]));
      };
      const moves = await timeline();
      const rows = (await store.catHistory(1, 1_000)).filter(({ eventType }) => eventType === 'location');
      expect(moves.map(({ from, to, time }) => [from, to, time])).toEqual(
        rows.map(({ oldValue, newValue, timestamp }) => [oldValue, newValue, timestamp]),
      );
      const heard = moves.find(({ from, to }) => from === 'kitchen' && to === 'hall');
      expect(heard?.confidence).toBeGreaterThanOrEqual(0.8);
      expect(heard?.agents).toEqual(['pi-bath', 'pi-hall', 'pi-kitchen']);
      expect(moves[0]).toMatchObject({ to: 'hall', agents: ['pi-hall'] });
      const options = { to: null, accept: false, program: 'test' };
      const parts = { store: replay, options, onProgress: () => undefined, elapsedMs: () => 0 };
      expect(await runReplay(parts, new AbortController().signal)).toMatchObject({ swapped: true, version: 2 });
      expect(await timeline()).toEqual(moves);
    },
    90_000,
  );
});
