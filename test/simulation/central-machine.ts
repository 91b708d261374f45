/** Central's machine: receive and project over a real SQLite store, the service for people, and a supervisor. No page. */
import { copyFileSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import { createChanges } from '../../src/central/api/changes.ts';
import { type CatService, openCatService } from '../../src/central/cats/cat-service.ts';
import { openStore } from '../../src/central/open-store.ts';
import { runProject } from '../../src/central/project.ts';
import { runReceive } from '../../src/central/receive.ts';
import type { IngestBatch, Outcome, Store } from '../../src/central/store/store.ts';
import { createOutbox } from '../../src/central/subscriber/outbox.ts';
import { createTrust } from '../../src/central/trust.ts';
import { decodeStored } from '../../src/contract/message.ts';
import { catTopic, DEFAULT_BASE_TOPIC, meowTopic } from '../../src/contract/topic.ts';
import type { OpenLink } from '../../src/lib/mqtt-link.ts';
import { runAll } from '../../src/lib/run-all.ts';
import { linksOf } from './link.ts';
import { crash, DIED_THERE, fillDatabases, gate, type Life, within } from './machine.ts';
import { createLife, POISON, type Surroundings, T0 } from './world.ts';

export interface CentralMachine {
  readonly running: boolean;
  start(): void;
  kill(): void;
  killAtStep(steps: number): void;
  stop(): void;
  /** A person does something; what central refuses is no fault. */
  ask(command: (cats: CatService) => Promise<unknown>): void;
  /** The newest mark that any of its stores has committed. */
  committed(epoch: string): number;
  keepBackup(): void;
  /** Puts the backup back as another file. False where there is none. */
  restore(): boolean;
  readonly restores: number;
  /** A look at what is committed, beside the program. */
  readonly observer: Database.Database;
  /** The mark of an epoch that is committed now; 0 for none. */
  markOf(epoch: string): number;
  /** The models hold everything that is committed. */
  readonly folded: boolean;
  /** The store takes no new page until the next start. False where nothing runs. */
  fill(): boolean;
  heal(): void;
  close(): void;
}

export interface CentralSettings {
  /** A store as this program's first start makes it. */
  readonly template: string;
  /** A negative control: answers before it commits. */
  readonly answersEarly: boolean;
  /** Its first life ends in front of this step. */
  readonly diesAtStep?: number | undefined;
}

export const GROUP = 'central';
const logger = pino({ level: 'silent' });
const EARLY_MS = 400;
/** Nobody else writes to the store: looking for it is rare. */
const IDLE_MS = 10_000;

export function createCentralMachine(around: Surroundings, settings: CentralSettings): CentralMachine {
  const { world, network, weather } = around;
  const { time } = world;
  const random = world.random('machine central');
  const path = join(world.folder, 'central.db');
  copyFileSync(settings.template, path);
  const marks = new Map<string, number>();
  let observer = openObserver(path);
  let life: Life | null = null;
  let cats: CatService | null = null;
  let wake: () => void = () => undefined;
  let births = 0;
  let healing = false;
  let backup: Buffer | null = null;
  let restores = 0;
  const wallNow = () => T0 + time.nowMs;
  const clock = () => new Date(wallNow());

  const committedNow = (epoch: string): number => {
    const mark = observer.select.get(epoch) ?? 0;
    marks.set(epoch, Math.max(mark, marks.get(epoch) ?? 0));
    return mark;
  };
  const machine: CentralMachine = {
    get running() {
      return life !== null;
    },
    get restores() {
      return restores;
    },
    get observer() {
      return observer.database;
    },
    markOf: committedNow,
    get folded() {
      return observer.behind.get() === 0;
    },
    committed(epoch) {
      committedNow(epoch);
      return marks.get(epoch) ?? 0;
    },
    start() {
      if (life !== null) return;
      births += 1;
      const born = createLife(world, `central#${births}`, {
        wallNow,
        countsStatements: true,
        onCrash: () => over(born),
      });
      life = born;
      world.note('start', born.name);
      if (!healing && random.next() < 0.2) machine.killAtStep(random.whole(1, 100));
      if (births === 1 && settings.diesAtStep !== undefined) born.stepsLeft = settings.diesAtStep;
      const end = (error: unknown) => {
        if (born.dead) return;
        world.note('end', `${born.name} ${String(error)}`);
        if (error !== null) world.count('central ended by itself');
        crash(born);
      };
      within(born, () => void run(born).then(() => end(null), end));
    },
    kill() {
      if (life !== null) crash(life);
    },
    killAtStep(steps) {
      if (life !== null) life.stepsLeft = steps;
    },
    stop() {
      life?.stop.abort();
    },
    ask(command) {
      const [born, service] = [life, cats];
      if (born === null || service === null) return;
      const failed = (error: unknown) => {
        if (born.dead || /^(CAT|EVENT|INVALID)_|^SQLITE_FULL$/.test(String(Reflect.get(Object(error), 'code')))) return;
        world.breach(`a command failed: ${String(error)}`);
      };
      const done = () => {
        world.count('commands');
        wake();
      };
      within(born, () => void command(service).then(done, failed));
    },
    keepBackup() {
      backup = observer.database.serialize();
    },
    restore() {
      if (backup === null) return false;
      machine.kill();
      observer.database.close();
      writeFileSync(`${path}.new`, backup);
      for (const suffix of ['', '-wal', '-shm']) if (existsSync(path + suffix)) rmSync(path + suffix);
      renameSync(`${path}.new`, path);
      observer = openObserver(path);
      restores += 1;
      return true;
    },
    fill() {
      if (life !== null) fillDatabases(life);
      return life !== null;
    },
    heal() {
      healing = true;
      if (life === null) machine.start();
      else life.stepsLeft = Number.POSITIVE_INFINITY;
    },
    close() {
      machine.kill();
      observer.database.close();
    },
  };

  function over(ended: Life): void {
    world.note('over', ended.name);
    if (life !== ended) return;
    if (births === 1 && ended.stepsLeft <= 0) world.count(DIED_THERE);
    life = null;
    cats = null;
    network.open.get(GROUP)?.die(false);
    const awayMs = healing ? 100 : random.next() < 0.2 ? random.whole(5_000, 40_000) : random.whole(100, 2_000);
    time.after(awayMs, machine.start);
  }

  async function run(born: Life): Promise<void> {
    await gate(born);
    const store = guardStore(await openStore({ url: `sqlite:${path}`, now: clock }), born);
    await gate(born);
    const outbox = createOutbox();
    const arrived = createChanges();
    cats = openCatService(store, clock);
    wake = arrived.announce;
    try {
      await runAll(
        [
          (stop) =>
            runReceive(
              {
                store,
                trust: createTrust({ store, policy: 'first-use', logger, clock }),
                openLink: watched(linksOf(network, born)),
                subscriber: {
                  base: DEFAULT_BASE_TOPIC,
                  group: GROUP,
                  sessionExpirySeconds: 3_600,
                  link: { url: 'mqtt://broker', keepaliveSeconds: 5, connectTimeoutMs: 3_000 },
                },
                outbox,
                retry: { firstMs: 100, maxMs: 2_000 },
                logger,
                clock,
                random: born.random.next,
                // Models are folded where something was stored: what agents say of themselves changes none.
                ingested: arrived.announce,
                changed: () => undefined,
                onConnection: () => undefined,
              },
              stop,
            ),
          (stop) =>
            runProject(
              {
                store,
                arrived,
                clock,
                idleMs: IDLE_MS,
                announceCat: (row) =>
                  outbox.put(catTopic(DEFAULT_BASE_TOPIC, row.id), JSON.stringify(row), {
                    retain: true,
                    about: `cat ${row.id}`,
                  }),
                announceMeow: (meow) =>
                  outbox.put(meowTopic(DEFAULT_BASE_TOPIC, meow.catId), JSON.stringify(meow), { retain: false }),
                changed: () => undefined,
              },
              stop,
            ),
        ],
        born.stop.signal,
      );
    } finally {
      await gate(born);
      await store.close();
    }
  }

  /** Each `stored` is held against what is committed when it is sent. */
  function watched(openLink: OpenLink): OpenLink {
    return async (options, signal) => {
      const link = await openLink(options, signal);
      const publish: typeof link.publish = (topic, payload, how) => {
        const stored = topic.endsWith('/stored') ? decodeStored(Buffer.from(payload)) : null;
        if (stored !== null && stored.seq > committedNow(stored.epoch)) {
          world.breach(`stored ${stored.seq} of ${stored.epoch} was sent, committed is ${committedNow(stored.epoch)}`);
        }
        return link.publish(topic, payload, how);
      };
      return Object.assign(Object.create(link) as typeof link, { publish });
    };
  }

  function slow(): Promise<void> {
    const ms = random.whole(0, weather.slowStoreMs);
    return new Promise((resolve) => void time.after(ms, resolve));
  }

  function guardStore(real: Store, born: Life): Store {
    const guard =
      <A extends readonly unknown[], T>(work: (...args: A) => Promise<T>) =>
      async (...args: A): Promise<T> => {
        await gate(born);
        if (weather.slowStoreMs > 0) await slow();
        await gate(born);
        const result = await work(...args);
        await gate(born);
        return result;
      };
    const early = (batch: IngestBatch, now: string): Outcome => {
      time.after(EARLY_MS, () => {
        if (!born.dead) within(born, () => void real.ingest(batch, now).catch(() => undefined));
      });
      const last = batch.events.at(-1);
      const { incarnation } = real;
      const chain = batch.chain ?? new Uint8Array(32);
      const stored = { incarnation, epoch: last?.epoch ?? '', seq: last?.seq ?? 0, chain, need: [] };
      const none = { duplicates: 0, conflicts: 0, unkept: 0, rejected: 0, waiting: 0 };
      return { type: 'ingested', result: { stored, inserted: batch.events.length, ...none, chainOk: true } };
    };
    const ingestAll: Store['ingestAll'] = async (works, now) => {
      for (const work of works) {
        if (work.type !== 'quarantine') continue;
        const { topic, payload, reason } = work.message;
        if (!Buffer.from(payload).includes(POISON)) world.breach(`central refused a message: ${topic}: ${reason}`);
      }
      if (!settings.answersEarly) return real.ingestAll(works, now);
      const outcomes: Outcome[] = [];
      for (const work of works) {
        outcomes.push(...(work.type === 'batch' ? [early(work.batch, now)] : await real.ingestAll([work], now)));
      }
      return outcomes;
    };
    const own: Partial<Store> = {
      ingestAll: guard(ingestAll),
      project: guard(real.project),
      cats: guard(real.cats),
    };
    return Object.assign(Object.create(real) as Store, own);
  }
  return machine;
}

function openObserver(path: string) {
  const database = new Database(path, { readonly: true });
  const select = database.prepare<[string], number>('SELECT mark FROM epoch WHERE epoch = ?').pluck();
  const behind = database
    .prepare<[], number>(
      'SELECT count(*) FROM shard LEFT JOIN model_cursor USING (shard) WHERE coalesce(arrival, 0) < next_arrival - 1',
    )
    .pluck();
  return { database, select, behind };
}
