/** The faults of the nemesis. Each does its harm, heals it, and says whether it is proved to have happened. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { encodeStored } from '../../src/contract/message.ts';
import type { BrokerLink, Trouble } from './broker-link.ts';
import { fillDisk } from './disk-full.ts';
import { below } from './frame.ts';
import { copyCard, copyDatabase, type House, restoreDatabase } from './house.ts';
import { type Card, type Replaced, readCard } from './nemesis-oracle.ts';
import type { Supervised } from './supervised.ts';

/** At most one fault at a time for each. */
export type Target = 'agent' | 'broker' | 'central' | 'agent-link' | 'central-link' | 'marks';

/** What faults leave behind for later ones and for the oracle. */
export interface Past {
  /** A copy of the log as it was, and how far it went. */
  cardBackup: { readonly path: string; readonly card: Card } | null;
  storeBackup: { readonly path: string; readonly mark: number } | null;
  readonly replaced: Replaced[];
}

export interface Fault {
  readonly name: string;
  readonly target: Target;
  /** How often, against the others. */
  readonly weight: number;
  /** False: it found nothing to harm, and is not counted. */
  run(house: House, past: Past, random: () => number): Promise<boolean>;
}

/** Mostly short, now and then up to 20 s. */
function someMs(random: () => number): number {
  const kind = random();
  if (kind < 0.6) return 100 + random() * 500;
  if (kind < 0.9) return 600 + random() * 1_900;
  if (kind < 0.98) return 2_500 + random() * 3_500;
  return 6_000 + random() * 14_000;
}

function killing(part: 'agent' | 'broker' | 'central', weight: number): Fault {
  return {
    name: `${part}: kill -9`,
    target: part,
    weight,
    async run(house, _past, random) {
      const killed = await house[part].kill();
      await pause(random() * 400);
      house[part].start();
      return killed;
    },
  };
}

function stopping(part: 'agent' | 'broker' | 'central'): Fault {
  const name = `${part}: SIGSTOP, SIGCONT`;
  return { name, target: part, weight: 3, run: (house, _past, random) => stopFor(house[part], someMs(random)) };
}

async function stopFor(part: Supervised, ms: number): Promise<boolean> {
  const stopped = part.freeze();
  await pause(ms);
  part.thaw();
  return stopped;
}

/** One kind of trouble for a while, proved by what `count` counts. */
function trouble(
  what: string,
  weight: number,
  make: (random: () => number) => Trouble,
  count: (proxy: BrokerLink) => number,
  cutFirst = false,
): Fault[] {
  return (['agent', 'central'] as const).map((side) => ({
    name: `link of ${side}: ${what}`,
    target: `${side}-link` as const,
    weight,
    async run(house, _past, random) {
      const link = house[`${side}Link`];
      const before = count(link);
      link.set(make(random));
      if (cutFirst) link.cut();
      await pause(someMs(random));
      const happened = count(link) > before;
      link.heal();
      return happened;
    },
  }));
}

const held = ({ counts }: BrokerLink) => counts.held;
const kept = ({ counts }: BrokerLink) => counts.kept;
const droppedAcks = ({ counts }: BrokerLink) => counts.droppedAcks;

/** Frozen links count what they held only once they are well again: what came in meanwhile proves it. */
function freezing(what: string, frozen: NonNullable<Trouble['frozen']>, weight: number): Fault[] {
  return (['agent', 'central'] as const).map((side) => ({
    name: `link of ${side}: half-open, ${what}`,
    target: `${side}-link` as const,
    weight,
    async run(house, _past, random) {
      const link = house[`${side}Link`];
      const before = link.counts.held;
      link.set({ frozen });
      await pause(someMs(random));
      link.heal();
      await pause(30);
      return link.counts.held > before;
    },
  }));
}

function linkFaults(): Fault[] {
  const cut = (['agent', 'central'] as const).map(
    (side): Fault => ({
      name: `link of ${side}: cut (RST)`,
      target: `${side}-link`,
      weight: 4,
      run: async (house) => house[`${side}Link`].cut() > 0,
    }),
  );
  const refused = (['agent', 'central'] as const).map(
    (side): Fault => ({
      name: `link of ${side}: refused`,
      target: `${side}-link`,
      weight: 2,
      async run(house, _past, random) {
        const link = house[`${side}Link`];
        const open = link.counts.open;
        await link.refuse();
        await pause(someMs(random));
        await link.listen();
        return open > 0;
      },
    }),
  );
  return [
    ...cut,
    ...refused,
    ...freezing('both ways', ['up', 'down'], 2),
    ...freezing('towards the broker', ['up'], 1),
    ...freezing('from the broker', ['down'], 1),
    ...trouble('delayed', 1, (random) => ({ delayMs: 20 + random() * 400 }), held),
    ...trouble('losing packets', 2, (random) => ({ stallShare: 0.05 + random() * 0.25, stallMs: 200 }), held),
    ...trouble('64 kbit/s', 1, () => ({ bytesPerSecond: 8_000 }), held),
    ...trouble('slow accept', 1, (random) => ({ acceptDelayMs: 200 + random() * 2_000 }), kept, true),
    ...trouble('no CONNACK', 1, () => ({ mute: true }), kept, true).map(cutAfter),
    ...trouble('PUBACK lost', 2, () => ({ dropAcks: 'down' }), droppedAcks),
    ...repeating(),
  ];
}

/** A mute connection stays mute for its client: healed, it has to be told. */
function cutAfter(fault: Fault): Fault {
  return {
    ...fault,
    async run(house, past, random) {
      const happened = await fault.run(house, past, random);
      house.agentLink.cut();
      return happened;
    },
  };
}

/** The broker never hears central's PUBACKs, then the link ends: it delivers all of it again. */
function repeating(): Fault[] {
  return [
    {
      name: 'link of central: delivered again (DUP)',
      target: 'central-link',
      weight: 3,
      async run(house, _past, random) {
        const link = house.centralLink;
        const before = link.counts.repeated;
        link.set({ dropAcks: 'up' });
        await pause(200 + random() * 800);
        link.cut();
        link.heal();
        for (let i = 0; i < 100 && link.counts.repeated === before; i += 1) await pause(20);
        return link.counts.repeated > before;
      },
    },
  ];
}

const sessionLost: Fault = {
  name: 'broker: session and queue lost',
  target: 'broker',
  weight: 2,
  async run(house, _past, random) {
    const killed = await house.broker.kill();
    rmSync(join(house.folder, 'mosquitto.db'), { force: true });
    await pause(random() * 400);
    house.broker.start();
    return killed;
  },
};

const overflow: Fault = {
  name: 'broker: full queue drops what it has acknowledged',
  target: 'central',
  weight: 4,
  async run(house, _past, random) {
    const before = house.listener.dropped;
    if (!(await house.central.kill())) return false;
    await pause(3_000 + random() * 3_000);
    const dropped = house.listener.dropped > before;
    house.central.start();
    return dropped;
  },
};

const storeLocked: Fault = {
  name: 'central: store locked by another process',
  target: 'central',
  weight: 2,
  async run(house, _past, random) {
    const db = new Database(house.storePath, { timeout: 1_000 });
    try {
      db.exec('BEGIN IMMEDIATE');
      await pause(someMs(random));
      db.exec('ROLLBACK');
      return true;
    } catch {
      return false;
    } finally {
      db.close();
    }
  },
};

const storeFull: Fault = {
  name: 'central: disk full',
  target: 'central',
  weight: 2,
  async run(house, _past, random) {
    const ballast = join(house.options.storeFolder ?? house.folder, 'ballast');
    const ends = house.central.ends.length;
    fillDisk(ballast);
    await pause(1_000 + someMs(random));
    rmSync(ballast);
    return house.central.ends.length > ends;
  },
};

const storeRestored: Fault = {
  name: 'central: restored from an older backup',
  target: 'central',
  weight: 2,
  async run(house, past, random) {
    const { storePath } = house;
    if (past.storeBackup === null || random() < 0.2) {
      const path = join(house.folder, 'backup-central.db');
      past.storeBackup = await backUp(storePath, path);
      return false;
    }
    const { path, mark } = past.storeBackup;
    if (!(await house.central.kill())) return false;
    const now = markIn(storePath);
    restoreDatabase(path, storePath, random() < 0.5);
    house.central.start();
    return mark < now;
  },
};

async function backUp(from: string, to: string): Promise<Past['storeBackup']> {
  rmSync(to, { force: true });
  if (!existsSync(from)) return null;
  const db = new Database(from, { readonly: true });
  try {
    await db.backup(to);
  } catch {
    // Central is writing its first tables: the next one.
    return null;
  } finally {
    db.close();
  }
  return { path: to, mark: markIn(to) };
}

/** Over all epochs: it only grows while a store lives. */
function markIn(path: string): number {
  const db = new Database(path, { readonly: true });
  try {
    return Number(db.prepare('SELECT coalesce(sum(mark), 0) FROM epoch').pluck().get());
  } finally {
    db.close();
  }
}

const lateMark: Fault = {
  name: 'an old mark, said again',
  target: 'marks',
  weight: 2,
  async run({ listener }, _past, random) {
    const old = listener.stored[below(random, listener.stored.length)];
    return old !== undefined && (await listener.saysStored(old));
  },
};

/** What happens to any house. */
export const FAULTS: readonly Fault[] = [
  killing('agent', 5),
  killing('broker', 4),
  killing('central', 5),
  stopping('agent'),
  stopping('broker'),
  stopping('central'),
  sessionLost,
  ...linkFaults(),
  storeLocked,
  storeRestored,
  lateMark,
];

export const NARROW_FAULTS: readonly Fault[] = [overflow];
export const DISK_FAULTS: readonly Fault[] = [storeFull];

const cardRestored: Fault = {
  name: 'card: restored from an older copy',
  target: 'agent',
  weight: 4,
  async run(house, past, random) {
    const { agent, logPath, folder } = house;
    if (!(await agent.kill())) return false;
    const card = await readCard(logPath, join(folder, 'scratch')).catch(() => null);
    const backup = past.cardBackup;
    const path = join(folder, 'backup-events.db');
    let older = false;
    if (card !== null && (backup === null || random() < 0.3)) {
      copyCard(logPath, path);
      past.cardBackup = { path, card };
    } else if (card !== null && backup !== null) {
      past.replaced.push({ card, knew: new Map(backup.card.epochs.map(({ epoch, lastSeq }) => [epoch, lastSeq])) });
      // The log alone, or the whole card: then nothing on it knows of what it has lost.
      (random() < 0.5 ? copyDatabase : copyCard)(path, logPath);
      older = card.events.length > backup.card.events.length;
      // A backup of central from before would lack what only the card that is gone could send again.
      past.storeBackup = null;
    }
    agent.start();
    return older;
  },
};

const cardCloned: Fault = {
  name: 'card: cloned, both run',
  target: 'agent',
  weight: 2,
  async run(house, past, random) {
    const { agent, logPath, folder } = house;
    if (!(await agent.kill())) return false;
    const path = join(folder, `clone-${past.replaced.length}.db`);
    copyCard(logPath, path);
    const knew = await readCard(path, join(folder, 'scratch')).catch(() => null);
    agent.start();
    if (knew === null) return false;
    const second = house.clone(path);
    await pause(2_000 + random() * 3_000);
    await second.close();
    past.storeBackup = null;
    const card = await readCard(path, join(folder, 'scratch'));
    past.replaced.push({ card, knew: new Map(knew.epochs.map(({ epoch, lastSeq }) => [epoch, lastSeq])) });
    return card.events.length > knew.events.length;
  },
};

/** With no rules of access at the broker, anybody may say that central has stored something. */
function forged(name: string, ahead: (random: () => number) => number, retain: boolean): Fault {
  return {
    name,
    target: 'marks',
    weight: 2,
    async run({ listener }, _past, random) {
      const last = listener.stored.at(-1);
      if (last === undefined) return false;
      const { incarnation, epoch, seq } = JSON.parse(last.toString()) as Record<'incarnation' | 'epoch', string> & {
        seq: number;
      };
      const chain = new Uint8Array(32).fill(below(random, 256));
      const message = { incarnation, epoch, seq: Math.max(0, seq + ahead(random)), chain, need: [] };
      return listener.saysStored(encodeStored(message), retain);
    },
  };
}

/** Cards that are copied and strangers that lie: numbers are used twice, epochs begin. */
export const CARD_FAULTS: readonly Fault[] = [
  cardRestored,
  cardCloned,
  forged('a forged mark above the log', () => 100_000, false),
  forged('a forged mark within the log', (random) => below(random, 60) - 30, false),
  forged('a forged mark, retained', (random) => below(random, 2_000), true),
];
