import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Clock, eventTime } from '../../src/agent/clock.ts';
import { agentSchema } from '../../src/agent/config.ts';
import { createDecoder } from '../../src/agent/decoder/decoder.ts';
import type { Decoder, NodeRequest, Reading } from '../../src/agent/decoder/reading.ts';
import { toEvent } from '../../src/agent/detected.ts';
import type { Detection } from '../../src/agent/detector/detection.ts';
import type { WatchInput } from '../../src/agent/detector/watch.ts';
import { nameDetectors } from '../../src/agent/detector-names.ts';
import { type IngestParts, PENDING_EVENTS, runIngest } from '../../src/agent/ingest.ts';
import type { Keeper } from '../../src/agent/kept/keeper.ts';
import type { IngestLog } from '../../src/agent/log/event-log.ts';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { createHeard, type Heard } from '../../src/agent/source/heard.ts';
import type { Source, SourceInput } from '../../src/agent/source/source.ts';
import { createTally } from '../../src/agent/source/tally.ts';
import { type NewEvent, type StoredEvent, shortType } from '../../src/contract/event.ts';
import { createQueue } from '../../src/lib/queue.ts';
import { aborted } from '../../src/lib/wait.ts';

const WALL = Date.parse('2026-11-23T06:00:00.000Z');
const { detect } = agentSchema.parse({
  agent: 'porch',
  sources: [{ serial: '/dev/x' }],
  log: { path: 'x' },
  mqtt: { url: 'mqtt://x' },
});

const names = nameDetectors(detect);

/** A clock that the test moves: wall time runs along with monotonic time. */
function handClock(quality: 'synced' | 'unsynced' = 'synced') {
  const hand = { monoMs: 1_000_000, quality, wallMs: WALL - 1_000_000 };
  const clock: Clock = {
    wallNow: () => hand.wallMs + hand.monoMs,
    monoNow: () => hand.monoMs,
    quality: () => hand.quality,
    boot: 'boot-1',
  };
  return { hand, clock };
}

/** A source that gives what the test pushes. */
function pushedSource(name = '/dev/x'): Source & {
  readonly taken: number;
  overrunBytes: number;
  push(input: SourceInput): void;
  text(text: string, atMs: number): void;
} {
  const queue = createQueue<SourceInput>(100_000);
  let taken = 0;
  const push = (input: SourceInput) => {
    queue.push(input);
  };
  return {
    name,
    overrunBytes: 0,
    push,
    text: (text, atMs) => push({ type: 'bytes', bytes: Buffer.from(text), atMs }),
    get taken() {
      return taken;
    },
    async *inputs(signal) {
      while (!signal.aborted) {
        for (const input of await queue.takeUpTo(10, signal)) {
          taken += 1;
          yield input;
        }
      }
    },
  };
}

interface Rig {
  readonly parts: IngestParts;
  readonly heard: Heard;
  readonly source: ReturnType<typeof pushedSource>;
  readonly log: IngestLog;
  readonly warnings: object[];
  readonly lines: string[];
  events(): Promise<readonly StoredEvent[]>;
  start(): { stop(): Promise<void>; readonly done: Promise<void> };
}

async function rig(clock: Clock, path = join(tempFolder(), 'events.db')): Promise<Rig> {
  const log = await openEventLog(
    { path, agent: 'porch', keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 },
    { when: () => eventTime(clock, clock.monoNow()) },
  );
  onTestFinished(() => log.close());
  const source = pushedSource();
  const warnings: object[] = [];
  const lines: string[] = [];
  const logger = {
    info: (fields: object, text: string) => void lines.push(`${text} ${JSON.stringify(fields)}`),
    warn(fields: object, text: string) {
      warnings.push(fields);
      lines.push(`${text} ${JSON.stringify(fields)}`);
    },
  };
  const sources = [{ source, decoder: createDecoder({ format: 'json' }), tally: createTally(source.name) }];
  const heard = createHeard();
  const parts: IngestParts = { sources, log, clock, heard, detect, groupMs: 5, unwritten: { events: 0 }, logger };
  return {
    parts,
    heard,
    source,
    log,
    warnings,
    lines,
    async events() {
      const all = await Promise.all(log.epochs().map((e) => log.read(e.epoch, 1, e.lastSeq, 10_000, 1e9)));
      return all.flat();
    },
    start() {
      const stop = new AbortController();
      const done = runIngest(parts, stop.signal);
      return {
        done,
        async stop() {
          stop.abort();
          await done;
        },
      };
    },
  };
}

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-ingest-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A shake of 8 Hz and 3 g at 50 readings a second, from `fromMs` on. */
function shake(fromMs: number, durationMs: number): string {
  let lines = '';
  for (let t = 0; t < durationMs; t += 20) {
    const ax = 3 * Math.sin((2 * Math.PI * 8 * t) / 1_000);
    lines += `${JSON.stringify({ collar: 'A', t: fromMs + t, ax, ay: 0, az: 1 })}\n`;
  }
  return lines;
}

/** Feeds each line with its own arrival, as live readings come. */
function live(source: ReturnType<typeof pushedSource>, lines: string): void {
  for (const line of lines.trim().split('\n')) source.text(`${line}\n`, (JSON.parse(line) as { t: number }).t);
}

const types = (events: readonly StoredEvent[]) => events.map((e) => shortType(e.type));

describe('ingest', () => {
  it('turns readings into events at the wall time when they happened', async () => {
    const { hand, clock } = handClock();
    const { source, events, start } = await rig(clock);
    const running = start();
    hand.monoMs += 10_000;
    source.text('{"collar":"A","battery":5}\n', hand.monoMs - 4_000);
    await expect.poll(events).toHaveLength(1);
    expect(await events()).toMatchObject([
      {
        type: 'collard.battery.low',
        subject: 'collar/A',
        time: '2026-11-23T06:00:06.000Z',
        clock: 'synced',
        boot: null,
      },
    ]);
    await running.stop();
  });

  it('notes when a collar was heard though nothing happens, and not from what a sensor of the room says', async () => {
    const { hand, clock } = handClock();
    const { source, heard, start } = await rig(clock);
    const running = start();
    source.text('{"collar":"A","ax":0,"ay":0,"az":1,"rssi":-61,"battery":83,"place":"kitchen"}\n', hand.monoMs);
    source.text('{"collar":"B","ax":0,"ay":0,"az":1}\n', hand.monoMs + 1_000);
    source.text('{"collar":"kitchen","motion":1,"place":"kitchen"}\n', hand.monoMs + 2_000);
    await expect.poll(() => source.taken).toBe(3);
    await running.stop();
    expect(heard.health((monoMs) => new Date(clock.wallNow() + monoMs - clock.monoNow()).toISOString())).toEqual([
      { collar: 'B', lastHeard: '2026-11-23T06:00:01.000Z' },
      { collar: 'A', lastHeard: '2026-11-23T06:00:00.000Z', rssiDbm: -61, batteryPercent: 83, place: 'kitchen' },
    ]);
  });

  it('takes what one collar says through two receivers of different formats for one reading', async () => {
    const { hand, clock } = handClock();
    const { parts, source, heard } = await rig(clock);
    const gateway = pushedSource('/dev/gateway');
    const mac = 'CB:B8:33:4C:88:4F';
    const sensors = { [mac]: { collar: 'tom' } };
    const fields = { collar: 'mac', n: 'seq', ax: 'accx', ay: 'accy', az: 'accz', moves: 'mov' };
    const read: unknown[] = [];
    const sources = [
      { source, decoder: createDecoder({ format: 'ruuvi', sensors, place: 'hall' }), tally: createTally(source.name) },
      {
        source: gateway,
        decoder: createDecoder({ format: 'json', sensors, fields, unit: 0.980665, place: 'shed' }),
        tally: createTally(gateway.name),
      },
    ];
    const note = (reading: Reading) => {
      read.push(reading);
      heard.note(reading);
    };
    const stop = new AbortController();
    const done = runIngest({ ...parts, sources, heard: { note } }, stop.signal);
    source.text(`${mac} -61 0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F\n`, hand.monoMs);
    await expect.poll(() => read.length).toBe(1);
    const copy = { mac, seq: 205, accx: 0.00392266, accy: -0.00392266, accz: 1.01596894, volt: 2.977, mov: 66 };
    gateway.text(`${JSON.stringify({ ...copy, rssi: -83 })}\n`, hand.monoMs + 80);
    await expect.poll(() => read.length).toBe(2);
    stop.abort();
    await done;
    expect(read).toEqual([
      expect.objectContaining({ collar: 'tom', counter: 205, azG: 1.036, place: 'hall', rssiDbm: -61 }),
      { collar: 'tom', atMs: hand.monoMs + 80, place: 'shed', rssiDbm: -83 },
    ]);
  });

  it('tells a meow from its start to its end, and ends one that is open when it is stopped', async () => {
    const { hand, clock } = handClock();
    const { source, events, start } = await rig(clock);
    const running = start();
    live(source, shake(hand.monoMs, 1_000));
    await expect.poll(async () => types(await events())).toContain('meow.started');
    hand.monoMs += 1_000;
    await running.stop();
    expect(types(await events())).toEqual(['meow.started', 'meow.ended']);
  });

  it('ends the open meow of an agent that was killed', async () => {
    const { hand, clock } = handClock();
    const first = await rig(clock);
    const meow = { level: 1 };
    await first.log.append([
      {
        type: 'collard.meow.started',
        version: 1,
        subject: 'collar/A',
        data: JSON.stringify(meow),
        ...eventTime(clock, hand.monoMs),
      },
    ]);
    const running = first.start();
    await expect.poll(async () => types(await first.events())).toEqual(['meow.started', 'meow.ended']);
    expect((await first.events())[1]).toMatchObject({ subject: 'collar/A' });
    expect(JSON.parse((await first.events())[1]?.data ?? '')).toMatchObject({ readings: 0 });
    await running.stop();
  });

  it('goes on where it was: a place that is known is not told again', async () => {
    const { hand, clock } = handClock();
    const { log, source, events, start } = await rig(clock);
    const when = eventTime(clock, hand.monoMs);
    const moved = {
      type: 'collard.cat.moved',
      version: 1,
      subject: 'collar/A',
      data: '{"from":null,"to":"kitchen"}',
      ...when,
    };
    await log.append([moved]);
    const running = start();
    for (let t = 0; t < 20_000; t += 500) source.text('{"collar":"A","place":"kitchen","rssi":-50}\n', hand.monoMs + t);
    source.text('{"collar":"B","battery":1}\n', hand.monoMs + 20_000);
    await expect.poll(async () => types(await events())).toContain('battery.low');
    expect(types(await events())).toEqual(['cat.moved', 'battery.low']);
    await running.stop();
  });

  it('appends what arrives together in one group', async () => {
    const { hand, clock } = handClock();
    const { parts, source } = await rig(clock);
    const groups: (readonly NewEvent[])[] = [];
    const log = {
      ...parts.log,
      unsyncedBoot: null,
      append: async (events: readonly NewEvent[]) => {
        groups.push(events);
        return { epoch: '', firstSeq: 1, lastSeq: 1 };
      },
    };
    const stop = new AbortController();
    const done = runIngest({ ...parts, log, groupMs: 50 }, stop.signal);
    for (let i = 0; i < 50; i += 1) source.text(`{"collar":"C${i}","battery":5}\n`, hand.monoMs);
    await expect.poll(() => groups.flat().length).toBe(50);
    expect(groups.length).toBeLessThan(4);
    stop.abort();
    await done;
  });

  it('ends with the error of the log, and lets its sources go', async () => {
    const { hand, clock } = handClock();
    const { parts, source } = await rig(clock);
    const full = Object.assign(new Error('disk full'), { code: 'SQLITE_FULL' });
    const log = { ...parts.log, unsyncedBoot: null, append: () => Promise.reject(full) };
    source.text('{"collar":"A","battery":5}\n', hand.monoMs);
    await expect(runIngest({ ...parts, log }, new AbortController().signal)).rejects.toMatchObject({
      code: 'SQLITE_FULL',
      message: 'disk full; 1 events that waited for it had not been written',
      cause: full,
    });
  });

  it('holds its sources back when the log is slow, and loses nothing', async () => {
    const { hand, clock } = handClock();
    const { parts, source } = await rig(clock);
    const appended: NewEvent[] = [];
    const gate = new AbortController();
    const log = {
      ...parts.log,
      unsyncedBoot: null,
      append: async (events: readonly NewEvent[]) => {
        await aborted(gate.signal);
        appended.push(...events);
        return { epoch: '', firstSeq: 1, lastSeq: 1 };
      },
    };
    const stop = new AbortController();
    const done = runIngest({ ...parts, log }, stop.signal);
    const count = PENDING_EVENTS + 2_500;
    for (let i = 0; i < count; i += 1) {
      source.push({ type: 'opened' });
      source.push({ type: 'failed', reason: `${i}` });
    }
    source.text('', hand.monoMs);
    await expect.poll(() => source.taken).toBeGreaterThanOrEqual(PENDING_EVENTS);
    await new Promise((resolve) => setImmediate(resolve));
    expect(source.taken).toBeLessThan(PENDING_EVENTS + 2_100);
    expect(parts.unwritten.events).toBeGreaterThanOrEqual(PENDING_EVENTS);
    gate.abort();
    await expect.poll(() => appended.length).toBe(2 * count - 1);
    stop.abort();
    await done;
    expect(parts.unwritten.events).toBe(0);
  });

  it('stop the reading in the middle of a chunk, and lose none of its events', async () => {
    const { hand, clock } = handClock();
    const { parts, source } = await rig(clock);
    const appended: NewEvent[] = [];
    const gate = new AbortController();
    const append = async (events: readonly NewEvent[]) => {
      await aborted(gate.signal);
      appended.push(...events);
      return { epoch: '', firstSeq: 1, lastSeq: 1 };
    };
    const stop = new AbortController();
    const done = runIngest({ ...parts, log: { ...parts.log, unsyncedBoot: null, append } }, stop.signal);
    // Each collar's battery is charged and low again, over and over.
    const count = PENDING_EVENTS + 2_500;
    const lines = Array.from({ length: 2 * count }, (_, i) => `{"collar":"A","battery":${i % 2 === 0 ? 95 : 5}}\n`);
    source.text(lines.join(''), hand.monoMs);
    source.text('{"collar":"A","battery":50}\n', hand.monoMs);
    const readings = () => parts.sources[0]?.tally.health().readings;
    await expect.poll(() => source.taken).toBeGreaterThan(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(readings()).toBe(0);
    gate.abort();
    await expect.poll(readings).toBe(2 * count + 1);
    await expect.poll(() => appended.length).toBe(count);
    stop.abort();
    await done;
  });

  it('finds room for one event of a reading and not for the other, and appends each once', async () => {
    const { hand, clock } = handClock();
    const { parts, source } = await rig(clock);
    const appended: NewEvent[] = [];
    const append = async (events: readonly NewEvent[]) => {
      appended.push(...events);
      return { epoch: '', firstSeq: 1, lastSeq: 1 };
    };
    // Each shake is over before the next begins: after the first, a reading gives an end and a start. The last that there is room for is an end.
    expect(PENDING_EVENTS % 2).toBe(0);
    const shakes = PENDING_EVENTS / 2 + 100;
    const readings = Array.from({ length: shakes }, (_, n) => ({
      collar: 'A',
      atMs: hand.monoMs + n * 60_000,
      shake: 1,
    }));
    const decoder: Decoder = {
      push: () => ({ readings, discards: [] }),
      end: () => ({ readings: [], discards: [] }),
      lostSamples: 0,
    };
    const sources = [{ source, decoder, tally: createTally(source.name) }];
    const stop = new AbortController();
    const done = runIngest({ ...parts, sources, log: { ...parts.log, unsyncedBoot: null, append } }, stop.signal);
    source.text('anything', hand.monoMs);
    await expect.poll(() => sources[0]?.tally.health().readings).toBe(shakes);
    stop.abort();
    await done;
    const expected = Array.from({ length: 2 * shakes }, (_, n) => (n % 2 === 0 ? 'meow.started' : 'meow.ended'));
    expect(appended.map(({ type }) => shortType(type))).toEqual(expected);
  });
});

describe('a source that fails', () => {
  it('is told once, and once when it is well again; the first opening is no news', async () => {
    const { clock } = handClock();
    const { source, parts, lines, events, start } = await rig(clock);
    const running = start();
    source.push({ type: 'opened' });
    source.push({ type: 'failed', reason: 'unplugged' });
    source.push({ type: 'opened' });
    await expect.poll(async () => types(await events())).toEqual(['sensor.failed', 'sensor.recovered']);
    expect(JSON.parse((await events())[0]?.data ?? '')).toEqual({ source: '/dev/x', reason: 'unplugged' });
    expect(parts.sources[0]?.tally.health()).toMatchObject({ state: 'open', reason: null });
    expect(lines).toEqual([
      'source is open {"source":"/dev/x"}',
      'unplugged {"source":"/dev/x"}',
      'source is open {"source":"/dev/x"}',
    ]);
    await running.stop();
  });

  it('is told over a restart once, and recovers from the failure of the run before', async () => {
    const { clock } = handClock();
    const { source, log, events, start } = await rig(clock);
    const first = start();
    source.push({ type: 'failed', reason: 'unplugged' });
    await expect.poll(events).toHaveLength(1);
    await first.stop();
    expect(log.failedSources).toEqual(['/dev/x']);
    const second = start();
    source.push({ type: 'failed', reason: 'still unplugged' });
    source.push({ type: 'opened' });
    await expect.poll(async () => types(await events())).toEqual(['sensor.failed', 'sensor.recovered']);
    expect(log.failedSources).toEqual([]);
    await second.stop();
  });

  it('counts what cannot be read by its reason, and tells each kind once a minute', async () => {
    const { hand, clock } = handClock();
    const { source, parts, warnings, start } = await rig(clock);
    const health = () => parts.sources[0]?.tally.health();
    const running = start();
    for (let i = 0; i < 20; i += 1) source.text('rubbish\n{"collar":7.5}\n{"collar":"A","battery":50}\n', hand.monoMs);
    await expect.poll(() => health()?.readings).toBe(20);
    expect(health()?.discarded).toEqual({ 'not-json': 20, 'bad-value': 20 });
    expect(warnings).toHaveLength(2);
    hand.monoMs += 60_000;
    source.text('rubbish\n', hand.monoMs);
    await expect.poll(() => warnings.length).toBe(3);
    expect(warnings[2]).toMatchObject({ reason: 'not-json', count: 20, sample: 'rubbish' });
    await running.stop();
  });
});

describe('an unsynced clock', () => {
  it('marks events with boot and time since boot, and explains them once it is set', async () => {
    const { hand, clock } = handClock('unsynced');
    const { source, events, start } = await rig(clock);
    const running = start();
    source.text('{"collar":"A","battery":5}\n', hand.monoMs - 500);
    await expect.poll(events).toHaveLength(1);
    expect((await events())[0]).toMatchObject({ clock: 'unsynced', boot: 'boot-1', monoMs: 999_500 });
    hand.wallMs += 3_600_000;
    hand.quality = 'synced';
    await expect.poll(async () => types(await events())).toEqual(['battery.low', 'clock.synced']);
    const told = (await events())[1];
    expect(told).toMatchObject({ clock: 'synced', boot: null });
    expect(JSON.parse(told?.data ?? '')).toEqual({ boot: 'boot-1', offsetMs: hand.wallMs });
    await running.stop();
  });
});

describe('what else is told of what was read', () => {
  it('goes to who looks on, who keeps it and who answers; a motion sensor is no collar that was heard', async () => {
    const { hand, clock } = handClock();
    const { parts, source, heard, events } = await rig(clock);
    const readings: Reading[] = [
      { collar: 'A', atMs: hand.monoMs, batteryPercent: 5 },
      { collar: 'hall', atMs: hand.monoMs, place: 'hall', motion: false },
      { collar: 'C', atMs: hand.monoMs, counter: 1, place: 'hall' },
      // The same words by another receiver, which does not say how strong it hears them.
      { collar: 'C', atMs: hand.monoMs, counter: 1, place: 'loft' },
    ];
    const requests = [{ type: 'time', node: 7, child: 0 }] as const;
    const decoder: Decoder = {
      push: () => ({ readings, discards: [], requests }),
      end: () => ({ readings: [], discards: [] }),
      lostSamples: 0,
    };
    const told: string[] = [];
    const note = (who: string) => (input: WatchInput, detections: readonly Detection[]) => {
      const of = input.type === 'reading' ? input.reading.collar : input.type;
      told.push(`${who}: ${of}, ${detections.map(({ type }) => type)}`);
    };
    const keeper: Keeper = {
      begin: () => void told.push('kept: begin'),
      round: (input) =>
        input.type === 'reading' && input.reading.collar === 'A'
          ? { type: 'reading', reading: { ...input.reading, collar: 'B' } }
          : input,
      note: note('kept'),
      close: () => void told.push('kept: close'),
    };
    const answered: NodeRequest[] = [];
    const answering = {
      source,
      decoder,
      tally: createTally(source.name),
      answer: (one: NodeRequest) => answered.push(one),
    };
    const stop = new AbortController();
    const done = runIngest({ ...parts, sources: [answering], keeper, live: { note: note('live') } }, stop.signal);
    source.text('anything', hand.monoMs);
    await expect.poll(events).toMatchObject([{ type: 'collard.battery.low', subject: 'collar/B' }]);
    stop.abort();
    await done;
    expect(told.filter((line) => !line.includes('tick'))).toEqual([
      'kept: begin',
      'kept: B, battery.low',
      'live: B, battery.low',
      'kept: hall, ',
      'live: hall, ',
      'kept: C, ',
      'live: C, ',
      'kept: end, ',
      'live: end, ',
      'kept: close',
    ]);
    expect(answered).toEqual(requests);
    expect(heard.health(() => '').map(({ collar }) => collar)).toEqual(['A', 'C']);
  });
});

describe('an event that cannot be stored', () => {
  it('is told and left out, and holds up nothing that comes after it', async () => {
    const { hand, clock } = handClock();
    const { parts, source, events, lines } = await rig(clock);
    const reading = { collar: 'x'.repeat(300), atMs: hand.monoMs, batteryPercent: 1 };
    const decoder: Decoder = {
      push: () => ({ readings: [reading, { ...reading, collar: 'A' }], discards: [] }),
      end: () => ({ readings: [], discards: [] }),
      lostSamples: 0,
    };
    const stop = new AbortController();
    const sources = [{ source, decoder, tally: createTally(source.name) }];
    const done = runIngest({ ...parts, sources }, stop.signal);
    source.text('anything', hand.monoMs);
    await expect.poll(events).toMatchObject([{ type: 'collard.battery.low', subject: 'collar/A' }]);
    const fields = { type: 'collard.battery.low', reason: 'subject is not a text of up to 256 characters' };
    expect(lines).toEqual([`an event cannot be stored ${JSON.stringify(fields)}`]);
    stop.abort();
    await done;
  });
});

describe('bytes that a source threw away', () => {
  it('are counted once, whenever more of them are seen', async () => {
    const { hand, clock } = handClock();
    const { parts, source, warnings, start } = await rig(clock);
    const tally = parts.sources[0]?.tally;
    const running = start();
    for (const [overrunBytes, seen] of [
      [0, 1],
      [7, 2],
      [7, 3],
      [12, 4],
    ] as const) {
      source.overrunBytes = overrunBytes;
      source.text('{"collar":"A","battery":50}\n', hand.monoMs);
      await expect.poll(() => tally?.health().readings).toBe(seen);
    }
    await running.stop();
    expect(tally?.health().discarded).toEqual({ overrun: 12 });
    expect(warnings).toEqual([{ source: '/dev/x', reason: 'overrun', count: 7, sample: '' }]);
  });
});

describe('a recording', () => {
  async function recording() {
    const { hand, clock } = handClock();
    const all = await rig(clock);
    const source = Object.assign(all.source, { recorded: true });
    const lastHeard = () => all.heard.health((monoMs) => String(monoMs - hand.monoMs)).map((one) => one.lastHeard);
    return { ...all, source, hand, lastHeard };
  }

  it('is played at its own pace from now on, up to its last line, and its end is told', async () => {
    const { source, parts, lines, start, lastHeard } = await recording();
    const running = start();
    const line = (t: number) => `{"collar":"A","t":${t},"battery":50}`;
    source.text(`${line(5_000)}\n${line(5_040)}\n${line(5_080)}`, 7);
    source.push({ type: 'ended' });
    const tally = parts.sources[0]?.tally;
    await expect.poll(() => tally?.health().state).toBe('ended');
    expect(tally?.health()).toMatchObject({ readings: 3, reason: null, discarded: {} });
    expect(lastHeard()).toEqual(['80']);
    expect(lines).toEqual(['file has been read to its end {"source":"/dev/x"}']);
    await running.stop();
  });

  it('is left where it is when the agent stops: what is still to come has not happened', async () => {
    const { source, parts, events, start, lastHeard } = await recording();
    const running = start();
    source.text('{"collar":"A","t":0,"battery":50}\n{"collar":"A","t":3600000,"battery":1}\n', 7);
    await expect.poll(lastHeard).toEqual(['0']);
    await running.stop();
    expect(lastHeard()).toEqual(['0']);
    expect(await events()).toEqual([]);
    expect(parts.sources[0]?.tally.health().readings).toBe(0);
  });
});

describe('a collar that is not heard', () => {
  const detector = names.silence;
  const at = (monoMs: number) => new Date(WALL + monoMs - 1_000_000).toISOString();
  const told = (events: readonly StoredEvent[]) =>
    events.map(({ type, time, data }) => [shortType(type), time, JSON.parse(data) as unknown]);

  it('is told when its time is over, and when it is back', async () => {
    const { hand, clock } = handClock();
    const { source, events, start } = await rig(clock);
    const running = start();
    source.text('{"collar":"A","battery":50}\n', 999_000);
    await expect.poll(() => source.taken).toBe(1);
    hand.monoMs += 700_000;
    await expect.poll(events).toHaveLength(1);
    source.text('{"collar":"A","battery":50}\n', 1_650_000);
    await expect.poll(events).toHaveLength(2);
    expect(told(await events())).toEqual([
      ['collar.silent', at(1_599_000), { lastSeen: at(999_000), detector }],
      ['collar.heard', at(1_650_000), { lastSeen: at(999_000), detector }],
    ]);
    await running.stop();
  });

  it.each([
    ['since the event that told it', -90_000],
    ['until now where the clock has been set back since', 90_000],
  ])('is silent over a restart, %s', async (_title, lastMs) => {
    const { hand, clock } = handClock();
    const { log, source, events, start } = await rig(clock);
    const silent = { type: 'collard.collar.silent', version: 1, subject: 'collar/A', data: '{"lastSeen":"x"}' };
    await log.append([{ ...silent, ...eventTime(clock, hand.monoMs + lastMs) }]);
    const running = start();
    source.text('{"collar":"A","battery":50}\n', hand.monoMs);
    await expect.poll(events).toHaveLength(2);
    const lastSeen = at(hand.monoMs + Math.min(0, lastMs));
    expect(told(await events())[1]).toEqual(['collar.heard', at(hand.monoMs), { lastSeen, detector }]);
    await running.stop();
  });

  it('has its full time anew after a restart: while the agent was off nobody listened', async () => {
    const { hand, clock } = handClock();
    const { log, source, events, start } = await rig(clock);
    const low = { type: 'collard.battery.low', version: 1, subject: 'collar/A', data: '{"percent":5}' };
    await log.append([{ ...low, ...eventTime(clock, hand.monoMs - 500_000) }]);
    const running = start();
    // What it remembers has been taken in before it reads.
    source.push({ type: 'opened' });
    await expect.poll(() => source.taken).toBe(1);
    hand.monoMs += 700_000;
    await expect.poll(events).toHaveLength(2);
    expect(told(await events())[1]).toEqual(['collar.silent', at(1_600_000), { lastSeen: at(1_000_000), detector }]);
    await running.stop();
  });
});

describe('a place', () => {
  it('comes with how sure it is, where the detector says so', () => {
    const { clock } = handClock();
    const moved = { type: 'cat.moved', collar: 'A', atMs: 999_000, from: null, to: 'attic' } as const;
    expect(JSON.parse(toEvent(moved, clock, names).data)).toEqual({ from: null, to: 'attic', detector: names.place });
    expect(JSON.parse(toEvent({ ...moved, confidence: 0.7 }, clock, names).data)).toMatchObject({ confidence: 0.7 });
  });
});

describe('what is detected', () => {
  const { clock } = handClock();
  const at = { collar: 'A', atMs: 1_000_000 };
  const burst = { startMs: 999_000, endMs: 999_500, durationMs: 500, peakG: 2.5, readings: 25, place: 'attic' };

  it.each([
    [{ ...at, type: 'meow.started', startMs: 999_000, level: 3 }, 999_000, { level: 3 }, 'shake'],
    [
      { ...at, ...burst, type: 'meow.ended' },
      ...([999_500, { durationMs: 500, peakG: 2.5, readings: 25, place: 'attic' }, 'shake'] as const),
    ],
    [{ ...at, type: 'cat.moved', from: 'hall', to: 'attic' }, 1_000_000, { from: 'hall', to: 'attic' }, 'place'],
    [{ ...at, type: 'battery.low', percent: 7 }, 1_000_000, { percent: 7 }, 'battery'],
  ] as const)('is told as it is, at its time, with what decided it: %j', (detection, monoMs, data, by) => {
    const event = toEvent(detection, clock, names);
    expect([event.type, event.subject]).toEqual([`collard.${detection.type}`, 'collar/A']);
    expect(event.time).toBe(new Date(WALL + monoMs - 1_000_000).toISOString());
    expect(JSON.parse(event.data)).toEqual({ ...data, detector: names[by] });
  });
});

describe('a source', () => {
  it('whose reason is long is told in a part of it, and why it is well again', async () => {
    const { clock } = handClock();
    const { source, parts, events, start } = await rig(clock);
    const running = start();
    source.push({ type: 'failed', reason: 'x'.repeat(501) });
    await expect.poll(events).toHaveLength(1);
    expect(parts.sources[0]?.tally.health()).toMatchObject({ state: 'failed', reason: 'x'.repeat(500) });
    source.push({ type: 'opened' });
    await expect.poll(events).toHaveLength(2);
    expect((await events()).map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      { source: '/dev/x', reason: 'x'.repeat(500) },
      { source: '/dev/x', reason: 'open again' },
    ]);
    await running.stop();
  });

  it('that comes back in the middle of a line goes on in it', async () => {
    const { hand, clock } = handClock();
    const { source, parts, start } = await rig(clock);
    const running = start();
    source.text('{"collar":"A",', hand.monoMs);
    source.push({ type: 'opened' });
    source.text('"battery":50}\n', hand.monoMs);
    await expect.poll(() => parts.sources[0]?.tally.health()).toMatchObject({ readings: 1, discarded: {} });
    await running.stop();
  });
});

it('explains the time of no event before the clock is set', async () => {
  const { hand, clock } = handClock('unsynced');
  const { source, events, start } = await rig(clock);
  const running = start();
  source.text('{"collar":"A","battery":5}\n', hand.monoMs);
  await expect.poll(events).toHaveLength(1);
  // The collar's silence shows on a tick, and that one says nothing of the clock.
  hand.monoMs += 600_000;
  await expect.poll(async () => types(await events())).toEqual(['battery.low', 'collar.silent']);
  await running.stop();
  expect(types(await events())).toEqual(['battery.low', 'collar.silent']);
});
