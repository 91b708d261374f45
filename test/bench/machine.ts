/** What the machine did meanwhile, and what its disk can do: beside every figure, since both vary more than the program. */
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Of 4 KiB each, appended to one file for a second. */
export function flushesASecond(folder: string): number {
  const path = join(folder, `flush-${process.pid}`);
  const file = openSync(path, 'w');
  const page = Buffer.alloc(4_096, 1);
  let count = 0;
  for (const began = performance.now(); performance.now() - began < 1_000; count += 1) {
    writeSync(file, page, 0, page.length, count * page.length);
    fdatasyncSync(file);
  }
  closeSync(file);
  rmSync(path);
  return count;
}

/** Of all threads of a process, user and system: proc(5), fields 14 and 15 in ticks of 10 ms. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
