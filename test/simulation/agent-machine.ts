/** A Raspberry Pi with the whole agent on it: card, clock, a port with collars behind it, and a supervisor that starts it again. */
import { createPrivateKey } from 'node:crypto';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { type AgentDeps, runAgent } from '../../src/agent/agent.ts';
import type { Clock } from '../../src/agent/clock.ts';
import { type AgentConfig, agentSchema } from '../../src/agent/config.ts';
import type { IngestLog } from '../../src/agent/log/event-log.ts';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import type { StoredEvent } from '../../src/contract/event.ts';
import { keyIdOf, type SigningKey } from '../../src/contract/signature.ts';
import { aborted } from '../../src/lib/wait.ts';
import type { Random } from '../../src/simulator/random.ts';
import { createLedger, type Head, type Ledger } from './ledger.ts';
import { linksOf } from './link.ts';
import { crash, DIED_THERE, fillDatabases, gate, type Life, uuidOf, within } from './machine.ts';
import { createPort, type Port } from './port.ts';
import { createLife, type Surroundings, T0 } from './world.ts';

/** The machine's own sockets answer in real time, and here none passes. */
const NO_SOCKETS: NonNullable<AgentDeps['beside']> = {
  openLiveFeed: () => ({ note: () => undefined, run: (stop) => aborted(stop) }),
  runReport: (_parts, stop) => aborted(stop),
};

export interface AgentMachine {
  readonly name: string;
  readonly ledger: Ledger;
  readonly clientId: string;
  /** The log of the living agent, or null. */
  readonly log: IngestLog | null;
  readonly running: boolean;
  start(): void;
  /** kill -9, or the plug pulled: then the broker hears nothing, and the clock may be wrong afterwards. */
  kill(powerOff: boolean): void;
  /** Dies before its n-th step from now. */
  killAtStep(steps: number): void;
  /** SIGTERM. */
  stop(): void;
  /** One line of a collar comes in. */
  hear(line: string): void;
  unplug(): void;
  stepClock(byMs: number): void;
  keepCopyOfCard(): void;
  /** Puts the copy back: what was written since is gone. The whole card, or the log without its witness. */
  putBackCopy(whole: boolean): void;
  /** The card takes no new page until the next start. False where nothing runs. */
  fill(): boolean;
  /** What the log may take of the card from now on. */
  budgetBytes: number;
  /** From now on the agent starts at once when it ends. */
  heal(): void;
}

export interface AgentSettings {
  readonly name: string;
  readonly config: Partial<AgentConfig['forward']>;
  readonly keepDays: number;
  readonly signs: boolean;
  /** Central's newest mark of an epoch, over all its restores. */
  readonly committed: (epoch: string) => number;
  /** Its first life ends in front of this step. */
  readonly diesAtStep?: number | undefined;
}

const logger = pino({ level: 'silent' });
export const PLENTY_BYTES = 1e9;
/** Too little for a ballast: a hundred thousand of them would be written for nothing. */
const FREE_BYTES = 3e6;
const FILE = ['', '-wal', '-shm'] as const;
const WHOLE = [...FILE, '.head'] as const;

export function createAgentMachine(around: Surroundings, settings: AgentSettings): AgentMachine {
  const { world, network, weather } = around;
  const { time } = world;
  const { name } = settings;
  const random = world.random(`machine ${name}`);
  const ledger = createLedger();
  const path = join(world.folder, `${name}.db`);
  const config = configOf(settings, path);
  const clientId = `collard-agent-${name}`;
  const signingKey = settings.signs ? keyOf(random) : null;
  let life: Life | null = null;
  let log: IngestLog | null = null;
  let port: Port | null = null;
  let births = 0;
  let bootMs = -60_000;
  let boot = uuidOf(random);
  let offsetMs = 0;
  let synced = true;
  let healing = false;
  let copy: readonly Head[] | null = null;

  const clock: Clock = {
    wallNow: () => T0 + time.nowMs + offsetMs,
    monoNow: () => time.nowMs - bootMs,
    quality: () => (synced ? 'synced' : 'unsynced'),
    get boot() {
      return boot;
    },
  };
  const machine: AgentMachine = {
    name,
    ledger,
    clientId,
    budgetBytes: PLENTY_BYTES,
    get log() {
      return life === null ? null : log;
    },
    get running() {
      return life !== null;
    },
    start() {
      if (life !== null) return;
      births += 1;
      const born = createLife(world, `${name}#${births}`, {
        wallNow: clock.wallNow,
        countsStatements: false,
        onCrash: () => over(born),
      });
      life = born;
      world.note('start', born.name);
      if (!healing && random.next() < 0.2) machine.killAtStep(random.whole(1, 40));
      if (births === 1 && settings.diesAtStep !== undefined) born.stepsLeft = settings.diesAtStep;
      const end = (error: unknown) => {
        if (born.dead) return;
        // It ended by itself: the supervisor sees that and starts it again.
        world.note('end', `${born.name} ${String(error)}`);
        if (error !== null) world.count('agent ended by itself');
        crash(born);
      };
      const { random: chance } = born;
      const deps = {
        openLink: linksOf(network, born),
        logger,
        version: '0',
        clock,
        random: chance.next,
        createPort: () => {
          port = createPort(born);
          return port;
        },
        openLog: async (...[options, ports]: Parameters<typeof openEventLog>) => {
          await gate(born);
          const newEpochId = () => uuidOf(random);
          const scarce = {
            ...options,
            get budgetBytes() {
              return machine.budgetBytes;
            },
          };
          const opened = await openEventLog(scarce, {
            ...ports,
            newEpochId,
            freeBytes: () => FREE_BYTES,
            written: () => 0,
          });
          log = guardLog(opened, born);
          await observe(opened);
          await gate(born);
          return log;
        },
        freeBytes: async () => FREE_BYTES,
        totalBytes: async () => 2 * FREE_BYTES,
        signer: async () => signingKey,
        beside: NO_SOCKETS,
      };
      within(born, () => void runAgent(config, deps, born.stop.signal).then(() => end(null), end));
    },
    kill(powerOff) {
      if (life !== null) {
        if (powerOff) network.open.get(clientId)?.die(true);
        crash(life);
      }
      if (!powerOff) return;
      boot = uuidOf(random);
      bootMs = time.nowMs;
      if (random.next() < 0.5) return;
      // No clock of its own: it goes on from some old time until somebody tells it.
      synced = false;
      offsetMs = -random.whole(60_000, 2_000_000_000);
      time.after(random.whole(1_000, 30_000), () => {
        synced = true;
        offsetMs = 0;
      });
    },
    killAtStep(steps) {
      if (life === null) return;
      life.stepsLeft = steps;
    },
    stop() {
      life?.stop.abort();
    },
    hear(line) {
      if (port?.isOpen === true) port.emit('data', Buffer.from(`${line}\n`));
    },
    unplug() {
      if (port?.isOpen !== true) return;
      port.isOpen = false;
      port.emit('close', null);
    },
    stepClock(byMs) {
      offsetMs += byMs;
    },
    keepCopyOfCard() {
      copyCard(path, `${path}.copy`);
      copy = ledger.heads;
    },
    putBackCopy(whole) {
      if (copy === null || !existsSync(`${path}.copy`)) return;
      machine.kill(true);
      world.count(whole ? 'older card put back' : 'older log put back');
      copyCard(`${path}.copy`, path, whole ? WHOLE : FILE);
      ledger.rollBack(copy, !whole);
    },
    fill() {
      if (life !== null) fillDatabases(life);
      return life !== null;
    },
    heal() {
      healing = true;
      if (life === null) machine.start();
      else life.stepsLeft = Number.POSITIVE_INFINITY;
      machine.budgetBytes = PLENTY_BYTES;
    },
  };

  /** The process is gone, however it ended. */
  function over(ended: Life): void {
    world.note('over', ended.name);
    if (life !== ended) return;
    if (births === 1 && ended.stepsLeft <= 0) world.count(DIED_THERE);
    life = null;
    port = null;
    network.open.get(clientId)?.die(false);
    const awayMs = healing ? 100 : random.next() < 0.2 ? random.whole(5_000, 40_000) : random.whole(100, 2_000);
    time.after(awayMs, machine.start);
  }

  /** Writes down what the card holds and the ledger does not know, and looks what has gone. */
  async function observe(from: IngestLog): Promise<void> {
    const heads = from.epochs();
    for (const { epoch, firstSeq, lastSeq } of heads) {
      const after = Math.max(ledger.lastOf(epoch), firstSeq - 1);
      if (lastSeq > after)
        commit(await from.read(epoch, after + 1, lastSeq, lastSeq - after, Number.POSITIVE_INFINITY));
    }
    const reason = ledger.trimmed(heads, settings.committed);
    if (reason !== null) world.breach(`trimmed too early: ${reason}`);
  }
  function commit(events: readonly StoredEvent[]): void {
    ledger.commit(events);
    for (const { epoch, seq, data } of events) world.note('commit', `${epoch}/${seq} ${data}`);
  }

  /** On the machine's own time; a life that has ended meanwhile goes on no more. */
  async function slow(): Promise<void> {
    if (weather.slowCardMs === 0) return;
    const ms = random.whole(0, weather.slowCardMs);
    await new Promise<void>((resolve) => void time.after(ms, resolve));
  }

  /** The log as this life sees it: each word to it is a place where the life may end, before and after. */
  function guardLog(real: IngestLog, born: Life): IngestLog {
    const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
      await gate(born);
      const result = await work();
      await gate(born);
      return result;
    };
    const own: Partial<IngestLog> = {
      read: (...args) => guarded(() => real.read(...args)),
      chainAt: (...args) => guarded(() => real.chainAt(...args)),
      startEpoch: (...args) =>
        guarded(async () => {
          const epoch = await real.startEpoch(...args);
          world.note('epoch', `${epoch} ${args[0]}`);
          world.count('epochs given up');
          await observe(real);
          return epoch;
        }),
      tellMissing: (...args) =>
        guarded(async () => {
          const lost = await real.tellMissing(...args);
          if (lost > 0) world.count('told as gone on both sides', lost);
          await observe(real);
          return lost;
        }),
      nextSession: () => guarded(() => real.nextSession()),
      remembered: () => guarded(() => real.remembered()),
      async append(events) {
        await gate(born);
        await slow();
        const done = await real.append(events);
        commit(events.map((event, i) => ({ ...event, epoch: done.epoch, seq: done.firstSeq + i })));
        await gate(born);
        ledger.acknowledge(done.epoch, done.firstSeq, done.lastSeq);
        return done;
      },
      trim: (now) =>
        guarded(async () => {
          const result = await real.trim(now);
          await observe(real);
          if (result.deleted > 0) world.count('confirmed events trimmed', result.deleted);
          if (result.lost > 0) world.count('events given up for the disk', result.lost);
          return result;
        }),
    };
    return Object.assign(Object.create(real) as IngestLog, own);
  }
  return machine;
}

function configOf({ name, config, keepDays }: AgentSettings, path: string): AgentConfig {
  const parsed = agentSchema.parse({
    agent: name,
    sources: [{ serial: '/dev/collars', format: 'json', silentAfterMs: 1e9 }],
    log: { path },
    mqtt: { url: 'mqtt://broker', keepaliveSeconds: 5, connectTimeoutMs: 3_000, retryFirstMs: 100, retryMaxMs: 2_000 },
    forward: { syncAfterMs: 2_000, stalledAfterMs: 6_000 },
    health: { everyMs: 15_000 },
  });
  return { ...parsed, log: { ...parsed.log, keepDays }, forward: { ...parsed.forward, ...config } };
}

/** Made of chance of the seed: the program would ask the machine's. */
function keyOf(random: Random): SigningKey {
  const head = Buffer.from('302e020100300506032b657004220420', 'hex');
  const bytes = Buffer.from(Array.from({ length: 32 }, () => random.whole(0, 255)));
  const privateKey = createPrivateKey({ key: Buffer.concat([head, bytes]), format: 'der', type: 'pkcs8' });
  const publicKey = Buffer.from(privateKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  return { privateKey, publicKey, keyId: keyIdOf(publicKey) };
}

/** The whole card, or all but what stands beside the log as its witness. */
function copyCard(from: string, to: string, suffixes: readonly string[] = WHOLE): void {
  for (const suffix of suffixes) {
    rmSync(to + suffix, { force: true });
    if (suffix !== '-shm' && existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
  }
}
