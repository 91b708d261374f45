/** Opens the file of a log so that it can be trusted, or puts it aside and another one, with what could be saved, in its place. */

import { hasSalvage, markMade, putAside, removeFiles, salvagePaths, takeSalvage } from './aside.ts';
import { releaseBallast } from './ballast.ts';
import { type BeginPorts, beginLog, type Lost } from './begin.ts';
import { type EpochState, type LogCore, loadCore, readFact, saveFact, write } from './core.ts';
import type { FoundHead } from './head-witness.ts';
import { codeOf, explainDisk, isDamage, isUnreadable, logError, messageOf } from './log-error.ts';
import {
  checkFile,
  clearSuspicion,
  isSuspect,
  openLogFile,
  prepareFile,
  SCHEMA_VERSION,
  trySuspect,
} from './log-file.ts';
import { copyKey, epochCopy } from './rows.ts';
import { type Salvaged, salvage } from './salvage.ts';
import { assertWhole } from './whole.ts';

export interface OpenPorts extends BeginPorts {
  /** Told once: the damaged file was moved to `aside`. */
  readonly onDamaged?: (aside: string, reason: string) => void;
  /** Told of each run of events that was acknowledged and is gone; `history.lost` says the same. */
  readonly onLost?: (lost: Lost) => void;
  /** The one of `salvage.ts` by default. */
  readonly salvage?: typeof salvage;
}

interface Place {
  readonly path: string;
  readonly agent: string;
  /** The file was made at this start. */
  readonly isNew?: boolean;
}

/** Resolves with a log that has an epoch to be written. Rejects with LOG_OTHER_AGENT, LOG_FOREIGN, LOG_NEWER, LOG_UNSAFE or the disk's code. */
export async function openCore(place: Place, head: FoundHead | null, ports: OpenPorts): Promise<LogCore> {
  const { path } = place;
  if (hasSalvage(path))
    ports.onDamaged?.(takeSalvage(path, timeOf(ports)), 'a salvage that was interrupted is finished');
  const wasSuspect = isSuspect(path);
  try {
    return begun(load(place, head), head, ports);
  } catch (error) {
    if (!isLost(error, path, wasSuspect) && !isDisguised(error, place, head)) throw explainDisk(path, error);
    return await replace(place, head, ports, messageOf(error));
  }
}

/** What cannot be read may be read at the next start. Where it cannot, it is damage: else no start would come to an end any more. */
function isLost(error: unknown, path: string, wasSuspect: boolean): boolean {
  if (!isUnreadable(error)) return isDamage(error);
  trySuspect(path);
  return wasSuspect;
}

/** The file says that it is not ours, but the witness knows better: its header is damaged. */
function isDisguised(error: unknown, { agent }: Place, head: FoundHead | null): boolean {
  const code = codeOf(error);
  if (head?.agent !== agent) return false;
  return code === 'LOG_FOREIGN' || (code === 'LOG_NEWER' && head.version <= SCHEMA_VERSION);
}

function begun(core: LogCore, head: FoundHead | null, ports: OpenPorts): LogCore {
  try {
    for (const lost of beginLog(core, head, null, ports)) ports.onLost?.(lost);
    return core;
  } catch (error) {
    core.db.close();
    throw error;
  }
}

async function replace(place: Place, head: FoundHead | null, ports: OpenPorts, reason: string): Promise<LogCore> {
  const { path } = place;
  const unknown = head === null && place.isNew !== true;
  const saved = await save(place, head, ports);
  const aside = saved === null ? putAside(path, timeOf(ports)) : takeSalvage(path, timeOf(ports));
  clearSuspicion(path);
  ports.onDamaged?.(aside, `${reason}; ${saved === null ? 'no room to save anything' : `${saved.saved} events saved`}`);
  const core = prepared(place, head);
  // Where nothing could be saved for want of room the witness alone tells what was there.
  const lost = saved?.lost ?? beginLog(core, head, { lost: [], unknown }, ports);
  for (const one of lost) ports.onLost?.(one);
  return core;
}

/** null where the disk has no room even for what is not confirmed. */
async function save(
  { path, agent, isNew = false }: Place,
  head: FoundHead | null,
  ports: OpenPorts,
): Promise<Salvaged | null> {
  const target = salvagePaths(path).making;
  const make = ports.salvage ?? salvage;
  for (const onlyUnconfirmed of [false, true]) {
    try {
      const saved = await make({ path, target, agent, head, onlyUnconfirmed, isNew }, ports);
      markMade(path);
      return saved;
    } catch (error) {
      removeFiles(target);
      if (!/^(SQLITE_FULL|ENOSPC)$/.test(codeOf(error))) throw explainDisk(path, error);
      releaseBallast(path);
    }
  }
  return null;
}

function prepared(place: Place, head: FoundHead | null): LogCore {
  prepareFile(place.path);
  try {
    return load(place, head);
  } catch (error) {
    throw explainDisk(place.path, error);
  }
}

function load({ path, agent }: Place, head: FoundHead | null): LogCore {
  const db = openLogFile(path);
  try {
    const suspected = isSuspect(path);
    if (suspected) checkFile(db, path);
    const core = loadCore(db, path, agent);
    assertNames(core, head);
    if (suspected) {
      assertWhole(core);
      clearSuspicion(path);
    }
    return core;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Another name is another agent's log, if all that tells it agrees; else bytes have changed. */
function assertNames(core: LogCore, head: FoundHead | null): void {
  const { path, agent, db } = core;
  const without: EpochState[] = [];
  for (const epoch of core.epochs) {
    const copy = readFact(db, copyKey(epoch.no));
    if (copy === null) without.push(epoch);
    else if (copy !== epochCopy(epoch))
      throw logError('SQLITE_CORRUPT', `log ${path}: what names its epochs does not agree, the file is damaged`);
  }
  // They are numbered from 1 on, and none ever goes.
  if (core.epochs.some(({ no }, i) => no !== i + 1) || readFact(db, copyKey(core.epochs.length + 1)) !== null)
    throw logError('SQLITE_CORRUPT', `log ${path}: an epoch is missing, the file is damaged`);
  const owner = core.epochs.at(-1)?.agent ?? agent;
  if (owner !== agent) {
    if (without.length > 0 && head?.agent === agent)
      throw logError('SQLITE_CORRUPT', `log ${path}: the name of its agent is damaged`);
    throw logError(
      'LOG_OTHER_AGENT',
      `log ${path} belongs to agent "${owner}", not "${agent}": set agent or log.path accordingly`,
    );
  }
  // A file of a version that kept no copies.
  if (without.length > 0)
    write(core, () => {
      for (const epoch of without) saveFact(db, copyKey(epoch.no), epochCopy(epoch));
    });
}

function timeOf(ports: OpenPorts): number {
  return Date.parse(ports.when().time);
}
