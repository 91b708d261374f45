/** What stands in etcd of a group of workers, as far as it is known here. */
import { z } from 'zod';
import { parseJson } from '../../contract/json.ts';
import type { KeyValue } from '../../etcd/entry.ts';
import { type Etcd, isAway } from '../../etcd/gateway.ts';
import { backoffMs, childOf, delay } from '../../lib/wait.ts';
import type { Duty } from './ownership.ts';

/** All is read anew after so long: a watch that hears nothing may be one that is dead. */
const READ_AGAIN_MS = 30_000;
const RETRY = { firstMs: 100, maxMs: 2_000 };

const registration = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.int(),
  http: z.string(),
  version: z.string(),
});

/** A worker, as it has registered: the key is gone with its lease. */
export type Registration = Readonly<z.infer<typeof registration>>;

export interface Owner {
  /** Of the worker. */
  readonly lease: string;
  /** Of the claim: no two have the same. */
  readonly revision: number;
}

/** Workers and duties by their keys; a worker is known by its lease, so that a new life is another worker. */
export interface View {
  readonly workers: ReadonlyMap<string, Registration>;
  readonly owners: ReadonlyMap<Duty, Owner>;
}

export interface Keys {
  readonly root: string;
  /** What is added to a claim's revision: see `etcd-owner.ts`. */
  readonly base: string;
  worker(lease: string): string;
  duty(duty: Duty): string;
}

export function keysOf(group: string): Keys {
  const root = `/collard/${group}/`;
  return {
    root,
    base: `${root}base`,
    worker: (lease) => `${root}workers/${lease}`,
    duty: (duty) => `${root}duties/${duty}`,
  };
}

export function viewOf(keys: Keys, entries: Iterable<KeyValue>): View {
  const workers = new Map<string, Registration>();
  const owners = new Map<Duty, Owner>();
  for (const { key, value, lease, createRevision } of entries) {
    const [kind, name = ''] = key.slice(keys.root.length).split('/');
    if (kind === 'workers') {
      const { data } = registration.safeParse(parseJson(Buffer.from(value)));
      workers.set(name, data ?? { id: name, host: '', pid: 0, http: '', version: '' });
    }
    if (kind === 'duties') owners.set(name === 'lead' ? 'lead' : Number(name), { lease, revision: createRevision });
  }
  return { workers, owners };
}

/** Tells what it sees at once and at each change, until the signal aborts. While etcd is away it tells nothing. */
export async function followView(
  { etcd, keys, random }: { readonly etcd: Etcd; readonly keys: Keys; readonly random: () => number },
  seen: (view: View) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const reading = childOf(signal);
    const timer = setTimeout(reading.abort, READ_AGAIN_MS);
    try {
      const { entries, revision } = await etcd.range(keys.root, reading.signal);
      const known = new Map(entries.map((entry) => [entry.key, entry]));
      seen(viewOf(keys, known.values()));
      attempt = 0;
      for await (const changes of etcd.watch(keys.root, revision + 1, reading.signal)) {
        for (const { type, entry } of changes) {
          if (type === 'delete') known.delete(entry.key);
          else known.set(entry.key, entry);
        }
        seen(viewOf(keys, known.values()));
      }
    } catch (error) {
      // Whoever keeps the lease alive meets the same and tells; here it is only tried again.
      if (!isAway(error) && !reading.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      reading.release();
    }
    await delay(backoffMs(attempt, RETRY, random()), signal);
  }
}
