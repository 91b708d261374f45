/** The faults of the nemesis that happen to any house: to its programs, its broker, its store. */
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { restoreDatabase } from './copies.ts';
import { fillDisk } from './disk-full.ts';
import { type Fault, type Past, someMs } from './fault.ts';
import { below } from './frame.ts';
import { linkFaults } from './link-faults.ts';
import type { Supervised } from './supervised.ts';

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

const brokerRestored: Fault = {
  name: 'broker: put back to an older state',
  target: 'broker',
  weight: 2,
  async run({ broker, folder }, _past, random) {
    const [now, before] = [join(folder, 'mosquitto.db'), join(folder, 'backup-mosquitto.db')];
    if (!(await broker.kill())) return false;
    const has = [now, before].every((path) => existsSync(path));
    const isOlder = has && random() < 0.8 && !readFileSync(now).equals(readFileSync(before));
    if (isOlder) copyFileSync(before, now);
    else if (existsSync(now)) copyFileSync(now, before);
    broker.start();
    return isOlder;
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

/** Where the broker keeps its sessions over a restart. */
export const KEPT_FAULTS: readonly Fault[] = [brokerRestored];
export const NARROW_FAULTS: readonly Fault[] = [overflow];
export const DISK_FAULTS: readonly Fault[] = [storeFull];
