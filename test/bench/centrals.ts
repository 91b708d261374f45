/** One central or several that share the shards, as processes on a store. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPart, type Part } from '../e2e/stack.ts';
import { freePort, until } from '../servers.ts';

export interface CentralProcess {
  readonly port: number;
  readonly part: Part;
}

export interface CentralsOptions {
  readonly url: string;
  /** The line of the configuration. */
  readonly mqtt: string;
  /** 1: a central that runs alone. */
  readonly workers: number;
}

const SHARDS = 64;

/** Written down, and not started yet. */
export function createCentrals(folder: string, { url, mqtt, workers }: CentralsOptions): Promise<CentralProcess[]> {
  const share = (part: number) => Math.floor((SHARDS * part) / workers);
  const all = Array.from({ length: workers }, async (_, n) => {
    const port = await freePort();
    const path = join(folder, `central${n}.yaml`);
    const own = workers === 1 ? '' : `workers: { shards: ${share(n)}-${share(n + 1) - 1} }\n`;
    writeFileSync(path, `store: { url: "${url}" }\n${mqtt}\nhttp: { port: ${port} }\n${own}`, { mode: 0o600 });
    const args = ['central', ...(workers === 1 ? [] : ['--worker']), '--config', path];
    return { port, part: createPart(`central${n}`, folder, args) };
  });
  return Promise.all(all);
}

/** One after the other, since the first one makes the tables. Resolves when all answer. */
export async function startCentrals(centrals: readonly CentralProcess[]): Promise<void> {
  for (const { part, port } of centrals) {
    part.start();
    const answers = async () => {
      if (part.exitCode() !== null) throw new Error(`central ended with ${part.exitCode()}: see ${part.log}`);
      return (await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null))?.ok === true;
    };
    await until('central answers', answers, 60_000);
  }
}
