/**
 * npm run bench:queries -- [--events 1000000] [--rounds 200] [--store sqlite|postgres|PATH|postgres://…]
 * A page of 100 from a store full of events, in every shape that is asked for: p50 and p99, by the clock and by the processor of this
 * process alone (a machine with other work delays the first; what a server spends is not in the second), with the disk's flush rate
 * beside them. A path or address keeps the filled store there and takes it again.
 */
import { existsSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { openStore } from '../../src/central/open-store.ts';
import { decodeCursor } from '../../src/central/store/cursor.ts';
import type { EventFilter, EventPage, Store } from '../../src/central/store/store.ts';
import { BATTERY_EVERY, COLLARS, EVENT_MS, fill, SILENT_COLLAR, T0 } from './fill.ts';
import { flushesASecond } from './machine.ts';
import { type BenchDatabase, openDatabase } from './stores.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '200' },
    store: { type: 'string', default: 'sqlite' },
  },
});
const LIMIT = 100;
const total = Number(values.events);
const rounds = Number(values.rounds);

/** A different number for each round, the same in every run. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

type Read = (store: Store, random: () => number) => Promise<EventPage | object | null>;
const types = (...names: string[]) => names.map((name) => `collard.${name}`);
const moment = (random: () => number) => new Date(T0 + Math.floor(random() * total) * EVENT_MS).toISOString();
const collar = (random: () => number) => COLLARS[Math.floor(random() * COLLARS.length)] ?? '';

/** From a random moment on, so that no two rounds read the same rows. */
const both = (name: string, filter: (random: () => number) => EventFilter): [string, Read][] => [
  [`${name}, newest first`, (store, r) => store.newest({ ...filter(r), to: moment(r), limit: LIMIT })],
  [`${name}, oldest first`, (store, r) => store.oldest({ ...filter(r), from: moment(r), limit: LIMIT })],
];
const byPosition = (name: string, filter: EventFilter): [string, Read] => [
  `${name}, by position`,
  (store, random) =>
    store.events({ ...filter, after: decodeCursor(`p0-${Math.floor(random() * total * 0.9)}`), limit: LIMIT }),
];

const SHAPES: readonly [string, Read][] = [
  ['one event by its id', (store, random) => store.event(EPOCH, 1 + Math.floor(random() * total))],
  ...both('all', () => ({})),
  ...both('a cat', (random) => ({ catId: 1 + Math.floor(random() * COLLARS.length) })),
  ...both('a type', () => ({ types: types('meow.ended') })),
  ...both('a rare type', () => ({ types: types('battery.low') })),
  ...both('two types', () => ({ types: types('meow.ended', 'cat.moved') })),
  ...both('a collar', (random) => ({ collar: collar(random) })),
  ...both('an agent', () => ({ agent: 'porch' })),
  ...both('a cat and a type', (random) => ({
    catId: 1 + Math.floor(random() * COLLARS.length),
    types: types('cat.moved'),
  })),
  ...both('a collar and a rare type', (random) => ({ collar: collar(random), types: types('battery.low') })),
  ...both('a collar and a type that it never has', () => ({ collar: SILENT_COLLAR, types: types('meow.ended') })),
  ...both('an agent and a type', () => ({ agent: 'porch', types: types('meow.ended') })),
  ...both('a cat, a type and an agent', () => ({ catId: 2, types: types('meow.ended'), agent: 'porch' })),
  byPosition('all', {}),
  byPosition('a type', { types: types('meow.ended') }),
  byPosition('a cat', { catId: 2 }),
  byPosition('a rare type', { types: types('battery.low') }),
];

const EPOCH = '01a20867-068a-70da-b9ee-759f41bde6a8';

async function measure(store: Store, read: Read): Promise<readonly number[]> {
  const random = sequence(1);
  const times: number[] = [];
  const cpuTimes: number[] = [];
  let rows = 0;
  for (let round = 0; round < rounds + 5; round += 1) {
    const cpu = process.cpuUsage();
    const began = performance.now();
    const answer = await read(store, random);
    const { user, system } = process.cpuUsage(cpu);
    // The first ones open pages and prepare statements.
    if (round >= 5) times.push(performance.now() - began);
    if (round >= 5) cpuTimes.push((user + system) / 1_000);
    if (answer !== null) rows += 'events' in answer ? (answer.events as readonly unknown[]).length : 1;
  }
  const at = (all: number[], share: number) => all.sort((a, b) => a - b)[Math.floor(share * all.length)] ?? 0;
  return [at(times, 0.5), at(times, 0.99), at(cpuTimes, 0.5), at(cpuTimes, 0.99), rows / (rounds + 5)];
}

/** Its address, and whether it must be filled. */
async function storeOf(database: BenchDatabase | null): Promise<{ readonly url: string; readonly isEmpty: boolean }> {
  if (database !== null) return { url: await database.newUrl(), isEmpty: true };
  if (!values.store.includes('://')) return { url: `sqlite:${values.store}`, isEmpty: !existsSync(values.store) };
  const store = await openStore({ url: values.store });
  const { events } = await store.counts();
  await store.close();
  return { url: values.store, isEmpty: events === 0 };
}

const kind = values.store === 'sqlite' || values.store === 'postgres' ? values.store : null;
const database = kind === null ? null : await openDatabase(kind);
try {
  const { url, isEmpty } = await storeOf(database);
  if (isEmpty) {
    const began = performance.now();
    await fill(url, EPOCH, total);
    process.stderr.write(`${total} events in ${((performance.now() - began) / 1_000).toFixed(0)} s\n`);
  }
  const beside = `${flushesASecond(tmpdir())} flushes of 4 KiB a second, load ${(loadavg()[0] ?? 0).toFixed(1)}`;
  process.stdout.write(`${total} events; ${beside}\n`);
  const line = (name: string, cells: readonly string[]) =>
    process.stdout.write(`${name.padEnd(56)}${cells.map((cell) => cell.padStart(10)).join('')}\n`);
  line('a page of 100, in ms', ['p50', 'p99', 'CPU p50', 'CPU p99', 'rows']);
  const store = await openStore({ url });
  for (const [name, read] of SHAPES) {
    const cells = await measure(store, read);
    line(
      name,
      cells.map((cell, i) => cell.toFixed(i === 4 ? 0 : 2)),
    );
  }
  await store.close();
  process.stdout.write(`one event in ${BATTERY_EVERY} is of the rare type\n`);
} finally {
  await database?.stop();
}
