/** What the lab tried, what came of it, and the report of it. */
import { mkdtempSync, rmSync } from 'node:fs';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly detail: string;
}

export interface Checks {
  /** Runs one; what it resolves with is its detail, and a rejection is a failure of this one alone. */
  check(name: string, work: () => Promise<string> | string): Promise<void>;
  add(check: Check): void;
  readonly all: readonly Check[];
}

export function createChecks(): Checks {
  const all: Check[] = [];
  return {
    all,
    add: (one) => void all.push(one),
    async check(name, work) {
      const from = performance.now();
      process.stderr.write(`${name} …\n`);
      const result = await Promise.resolve()
        .then(work)
        .then(
          (detail) => ({ ok: true, detail }),
          (error: Error) => ({ ok: false, detail: error.message.slice(0, 2_000) }),
        );
      all.push({ name, ms: Math.round(performance.now() - from), ...result });
    },
  };
}

/** A folder of its own for this work, gone afterwards, also where the process is told to end meanwhile. */
export async function inFolder<T>(prefix: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(prefix);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    return await work(folder);
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}

export function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

/** One line each, or all of it as JSON; the last line counts them, and the exit code is 1 where one failed. */
export function report(checks: readonly Check[], json: boolean, notes: readonly string[] = []): void {
  const failed = checks.filter(({ ok }) => !ok);
  if (json) process.stdout.write(`${JSON.stringify({ checks, notes }, null, 2)}\n`);
  else {
    for (const { name, ok, ms, detail } of checks)
      process.stdout.write(
        `${ok ? 'ok    ' : 'FAILED'} ${(ms / 1_000).toFixed(1).padStart(6)} s  ${name}${detail === '' ? '' : `: ${detail}`}\n`,
      );
    for (const note of notes) process.stdout.write(`${note}\n`);
    process.stdout.write(`${checks.length - failed.length} passed, ${failed.length} failed\n`);
  }
  process.exitCode = failed.length === 0 ? 0 : 1;
}
