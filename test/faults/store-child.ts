/**
 * The program under fault of `store-cuts`: central's real store, into which people's commands and batches of an agent are committed in
 * turns. Its argument is a `StorePlan` in JSON. Says `a N` once work N is committed.
 */
import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { BATCH_EVENTS, catOf, lastSeqOf } from './store-work.ts';
import { AGENT, truthOf } from './workload.ts';

export interface StorePlan {
  readonly path: string;
  readonly seed: number;
  readonly works: number;
  /** true: a control, opened as SQLite is by itself. */
  readonly powersafeOverwrite: boolean;
}

/** What the file of the store asks for and is shown as the proof of it: bent before it is loaded. */
const BENT = [
  ['?psow=0', '?psow=1'],
  ['pragma wal_checkpoint(NOOP)', 'select 2 * total_changes() as log'],
] as const;

await work(JSON.parse(process.argv[2] ?? '') as StorePlan);

async function work({ path, seed, works, powersafeOverwrite }: StorePlan): Promise<void> {
  if (powersafeOverwrite) bendStore();
  const { openStore } = await import('../../src/central/open-store.ts');
  const { openCatService } = await import('../../src/central/cats/cat-service.ts');
  const clock = () => new Date('2026-11-23T06:00:00.000Z');
  const store = await openStore({ url: `sqlite:${path}`, now: clock });
  const cats = openCatService(store, clock);
  const truth = truthOf(seed);
  for (let n = 1; n <= works; n += 1) {
    const name = catOf(n);
    const last = lastSeqOf(n);
    if (name !== null) await cats.addCat(name);
    else {
      const events = Array.from({ length: BATCH_EVENTS }, (_, i) => truth.event(last - BATCH_EVENTS + 1 + i));
      await store.ingest({ agent: AGENT, events, chain: truth.chain(last) }, clock().toISOString());
    }
    writeSync(1, `a ${n}\n`);
  }
  await store.close();
}

function bendStore(): void {
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.endsWith('/store/sqlite-file.ts')) return loaded;
      const source = BENT.reduce((text, [from, to]) => {
        if (!text.includes(from)) throw new Error(`${url} holds no ${from}`);
        return text.replace(from, to);
      }, String(loaded.source));
      return { ...loaded, source };
    },
  });
}
