/**
 * npm run bench:replay -- [--events 100000,1000000] [--cats 20] [--runs 3] [--sealed 0.5] [--changing 0.17]
 * A store of so many events (10000000 takes its time): how fast are the models built anew beside the live ones, compared and swapped,
 * and how fast are they verified? The disk's flushes beside it, since they vary more than anything else; what the processor spent
 * says more than the clock where other programs run. `--sealed`: so much of it, the oldest, lies in segments. `--changing`: so many events
 * change a cat, and make a row of its history; the others only tell that its collar was heard.
 */
import { copyFileSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { openReplayStore, openStore } from '../../src/central/open-store.ts';
import { runReplay } from '../../src/central/replay.ts';
import { type NewEvent, newEvent, type StoredEvent } from '../../src/contract/event.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '100000,1000000' },
    cats: { type: 'string', default: '20' },
    runs: { type: 'string', default: '3' },
    sealed: { type: 'string', default: '0' },
    changing: { type: 'string', default: '1' },
  },
});
const AGENTS = 3;
const BATCH = 500;
const T0 = Date.parse('2026-11-01T00:00:00.000Z');
const epochOf = (n: number) => `01a20867-068a-70da-b9ee-${String(n).padStart(12, '0')}`;
const when = (ms: number) =>
  ({ time: new Date(T0 + ms).toISOString(), clock: 'synced', boot: null, monoMs: null }) as const;

/** Of ten events that change something four begin a meow, four end one, two are moves. */
function eventAt(n: number, cats: number): NewEvent {
  const subject = `collar/C0FFEE${n % cats}`;
  const changes = (times: number) => Math.floor(times * Number(values.changing));
  const times = Math.floor(n / cats);
  if (changes(times) === changes(times - 1)) {
    return newEvent('collar.heard', subject, { lastSeen: when(n * 137).time }, when(n * 137));
  }
  const kind = changes(times) % 10;
  if (kind === 0 || kind === 5) {
    return newEvent(
      'cat.moved',
      subject,
      { from: 'hall', to: kind === 0 ? 'kitchen' : 'garden', confidence: 0.9 },
      when(n * 137),
    );
  }
  if (kind % 2 === 1) return newEvent('meow.started', subject, { level: 1.5 + (n % 10) / 10 }, when(n * 137));
  const data = { durationMs: 430, peakG: 1.84, readings: n % 100, place: 'kitchen' };
  return newEvent('meow.ended', subject, data, when(n * 137));
}

/** A store with a live version that is the fold of all. */
async function fill(path: string, count: number, cats: number): Promise<void> {
  const store = await openStore({ url: `sqlite:${path}` });
  const now = new Date(T0).toISOString();
  const named = Array.from({ length: cats }, (_, i) => [
    newEvent('cat.named', `cat/${i + 1}`, { catId: i + 1, oldName: null, newName: `Cat ${i + 1}` }, when(0)),
    newEvent('collar.assigned', `cat/${i + 1}`, { catId: i + 1, collar: `C0FFEE${i}` }, when(0)),
  ]).flat();
  const first = named.map((event, i): StoredEvent => ({ epoch: epochOf(99), seq: i + 1, ...event }));
  for (let from = 0; from < first.length; from += BATCH) {
    await store.ingest({ agent: 'hall', events: first.slice(from, from + BATCH), chain: null }, now);
  }
  for (let n = 0, round = 0; n < count; round += 1) {
    const agent = round % AGENTS;
    const from = Math.floor(round / AGENTS) * BATCH;
    const events = Array.from({ length: Math.min(BATCH, count - n) }, (_, i): StoredEvent => {
      return { epoch: epochOf(agent), seq: from + i + 1, ...eventAt(n + i, cats) };
    });
    await store.ingest({ agent: `agent${agent}`, events, chain: null }, now);
    n += events.length;
  }
  await store.close();
  // The live version is taken to have seen it all: the first replay fills it faster than the project loop would.
  const db = new Database(path);
  db.exec("insert into model_cursor select 'cat_v1', shard, next_arrival - 1 from shard");
  db.close();
}

/** The oldest share of so many events goes into segments. */
async function seal(path: string, dir: string, count: number, share: number): Promise<void> {
  const store = await openStore({ url: `sqlite:${path}` });
  const before = when(count * share * 137).time;
  await store.expire({ dir, before, signal: new AbortController().signal });
  await store.close();
}

/** Of 4 KiB each, a second. */
function flushes(folder: string): number {
  const file = openSync(join(folder, 'flush'), 'w');
  const page = Buffer.alloc(4_096, 1);
  const began = performance.now();
  let count = 0;
  for (; performance.now() - began < 1_000; count += 1) {
    writeSync(file, page, 0, page.length, count * page.length);
    fdatasyncSync(file);
  }
  return count;
}

async function measured<T>(work: () => Promise<T>) {
  const [began, before] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, seconds: (performance.now() - began) / 1_000, cpuSeconds: (user + system) / 1e6 };
}

const rate = (events: number, seconds: number) => Math.round(events / seconds);

for (const count of values.events.split(',').map(Number)) {
  const folder = mkdtempSync(join(tmpdir(), 'collard-replay-'));
  const memory = mkdtempSync('/dev/shm/collard-replay-');
  try {
    await fill(join(memory, 'central.db'), count, Number(values.cats));
    const path = join(folder, 'central.db');
    const segments = join(folder, 'segments');
    copyFileSync(join(memory, 'central.db'), path);
    rmSync(memory, { recursive: true });
    for (let run = 0; run <= Number(values.runs); run += 1) {
      const store = await openReplayStore({ url: `sqlite:${path}`, segments });
      const marks: { phase: string; atMs: number; cpuMs: number }[] = [];
      const onProgress = ({ phase }: { phase: string }) => {
        if (marks.at(-1)?.phase === phase) return;
        const { user, system } = process.cpuUsage();
        marks.push({ phase, atMs: performance.now(), cpuMs: (user + system) / 1_000 });
      };
      const replay = { store, onProgress, elapsedMs: () => performance.now() };
      const build = (accept: boolean) =>
        runReplay({ ...replay, options: { to: null, accept, program: 'bench' } }, new AbortController().signal);
      const { result, seconds } = await measured(() => build(false));
      if (run === 0) {
        // It differs from the empty one.
        await build(true);
        if (Number(values.sealed) > 0) await seal(path, segments, count, Number(values.sealed));
      } else {
        const folding = marks[0];
        const caughtUp = marks.find(({ phase }) => phase === 'catching up');
        if (folding === undefined || caughtUp === undefined || !result.swapped)
          throw new Error('the replay did not swap');
        const verified = await measured(() => store.verifyModels(() => undefined));
        process.stdout.write(
          `${JSON.stringify({
            events: result.events,
            sealed: Number(values.sealed),
            changing: Number(values.changing),
            foldedPerSecond: rate(result.events, (caughtUp.atMs - folding.atMs) / 1_000),
            foldedPerCpuSecond: rate(result.events, (caughtUp.cpuMs - folding.cpuMs) / 1_000),
            wholePerSecond: rate(result.events, seconds),
            verifiedPerSecond: rate(verified.result.events, verified.seconds),
            verifiedPerCpuSecond: rate(verified.result.events, verified.cpuSeconds),
            rssMb: Math.round(process.memoryUsage().rss / 1e6),
            flushesPerSecond: flushes(folder),
            load: loadavg()[0],
          })}\n`,
        );
      }
      await store.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(memory, { recursive: true, force: true });
  }
}
