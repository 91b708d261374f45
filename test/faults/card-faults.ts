/** Cards that are restored or cloned, and strangers that say what central would. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { encodeStored } from '../../src/contract/message.ts';
import { copyCard, copyDatabase } from './copies.ts';
import type { Fault } from './fault.ts';
import { below } from './frame.ts';
import { readCard } from './nemesis-oracle.ts';

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
