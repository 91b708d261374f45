/** What a family of processes has used so far: proc(5). */
import { readdirSync, readFileSync } from 'node:fs';
import { cpuSeconds } from './machine.ts';

const PAGE_BYTES = 4_096;

/** Those processes and all that they have begun. */
export function familyOf(pids: readonly number[]): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== null) parents.set(Number(name), parent);
  }
  const family = new Set(pids.filter((pid) => parents.has(pid)));
  for (let grown = -1; grown !== family.size; ) {
    grown = family.size;
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid);
  }
  return [...family];
}

export interface Usage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** Of all that live now; whoever ended meanwhile is not counted. */
export function usageOf(pids: readonly number[]): Usage {
  let [cpu, rssBytes] = [0, 0];
  for (const pid of familyOf(pids)) {
    try {
      cpu += cpuSeconds(pid);
      rssBytes += Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * PAGE_BYTES;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && (error as NodeJS.ErrnoException).code !== 'ESRCH')
        throw error;
    }
  }
  return { cpuSeconds: cpu, rssBytes };
}

/** Null where it has ended. */
function parentOf(pid: number): number | null {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[1]);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
