/**
 * Stands between the program and the machine: timers, the wall clock, randomness and databases of whoever runs inside a life
 * come from the world that is simulated just now. Outside of a life everything is as it was. Taken over once per process.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { Random } from '../../src/simulator/random.ts';
import type { Timeline } from './timeline.ts';

/** One run of a program on one machine, from its start to its end or its crash. */
export interface Life {
  readonly name: string;
  readonly time: Timeline;
  readonly random: Random;
  /** Asks for a stop, as SIGTERM does. */
  readonly stop: AbortController;
  dead: boolean;
  /** Wall clock of the machine, for whoever asks `Date`. */
  readonly wallNow: () => number;
  /** Crash when so many more steps have been taken. */
  stepsLeft: number;
  /** Whether each statement to a database is a step too. */
  readonly countsStatements: boolean;
  readonly databases: Set<Database.Database>;
  /** Files that are open besides. */
  readonly files: Set<number>;
  /** Told at the crash, at most once. */
  readonly onCrash: () => void;
}

const lives = new AsyncLocalStorage<Life>();
const { closeSync: closeFile } = fs;

export function within<T>(life: Life, work: () => T): T {
  return lives.run(life, work);
}

/** One more thing that the program asked of its machine. In front of each it may die. */
export function step(life: Life): void {
  life.stepsLeft -= 1;
  if (life.stepsLeft <= 0) crash(life);
}

/** What is counted where a life has ended at the step that was asked for. */
export const DIED_THERE = 'died at its step';

/** Resolves, unless the life has ended: whoever is dead waits for ever. */
export function gate(life: Life): Promise<void> {
  step(life);
  return life.dead ? new Promise(() => undefined) : Promise.resolve();
}

/** As kill -9: nothing more is written or sent, and what was not committed is gone. */
export function crash(life: Life): void {
  if (life.dead) return;
  life.dead = true;
  for (const database of life.databases) database.close();
  life.databases.clear();
  for (const file of life.files) closeFile(file);
  life.files.clear();
  life.onCrash();
}

/** As a full disk: whoever needs another page from now on gets SQLITE_FULL. */
export function fillDatabases(life: Life): void {
  for (const database of life.databases) {
    if (database.open) database.pragma(`max_page_count = ${String(database.pragma('page_count', { simple: true }))}`);
  }
}

export function takeOverMachine(): void {
  takeOverTimers();
  takeOverRandomness();
  takeOverDatabases();
  takeOverStatements();
  takeOverFiles();
  syncBuiltinESMExports();
}

function takeOverTimers(): void {
  const { setTimeout: realSet, clearTimeout: realClear, setInterval: realInterval, Date: RealDate } = globalThis;
  const realNow = RealDate.now;
  const realTurn = timers.setImmediate;
  const realTimeout = AbortSignal.timeout;
  const wait = (life: Life, ms: number, work: () => void) =>
    life.time.after(ms, () => {
      if (life.dead) return;
      within(life, work);
    });
  const virtualSet = (work: () => void, ms = 0) => {
    const life = lives.getStore();
    if (life === undefined) return realSet(work, ms);
    const waiting = life.dead ? { cancel: () => undefined } : wait(life, ms, work);
    const handle = { cancel: waiting.cancel, unref: () => handle, ref: () => handle };
    return handle;
  };
  const virtualInterval = (work: () => void, ms = 0) => {
    const life = lives.getStore();
    if (life === undefined) return realInterval(work, ms);
    let waiting: { cancel(): void } | null = null;
    const again = () => {
      if (life.dead) return;
      waiting = wait(life, ms, () => {
        again();
        work();
      });
    };
    again();
    const handle = { cancel: () => waiting?.cancel(), unref: () => handle, ref: () => handle };
    return handle;
  };
  const virtualClear = (handle: unknown) => {
    if (typeof handle === 'object' && handle !== null && 'cancel' in handle) (handle.cancel as () => void)();
    else realClear(handle as NodeJS.Timeout);
  };
  const [setTimeout, clearTimeout, setInterval, clearInterval] = [
    virtualSet,
    virtualClear,
    virtualInterval,
    virtualClear,
  ];
  Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval });
  RealDate.now = () => lives.getStore()?.wallNow() ?? realNow();
  AbortSignal.timeout = (ms) => {
    const life = lives.getStore();
    if (life === undefined) return realTimeout(ms);
    const over = new AbortController();
    wait(life, ms, () => over.abort());
    return over.signal;
  };
  timers.setImmediate = <T>(value?: T, options?: object): Promise<T> => {
    const life = lives.getStore();
    if (life === undefined) return realTurn(value as T, options);
    return new Promise((resolve) => wait(life, 0, () => resolve(value as T)));
  };
}

function takeOverRandomness(): void {
  const real = { uuid: crypto.randomUUID, int: crypto.randomInt, rss: process.memoryUsage.rss };
  const realValues = globalThis.crypto.getRandomValues.bind(globalThis.crypto);
  crypto.randomUUID = ((options: object) => {
    const life = lives.getStore();
    return life === undefined ? real.uuid(options) : uuidOf(life.random);
  }) as typeof real.uuid;
  crypto.randomInt = ((min: number, max: number) => {
    const life = lives.getStore();
    return life === undefined ? real.int(min, max) : life.random.whole(min, max - 1);
  }) as typeof real.int;
  globalThis.crypto.getRandomValues = (array) => {
    const life = lives.getStore();
    if (life === undefined || !(array instanceof Uint8Array)) return realValues(array);
    for (let i = 0; i < array.length; i += 1) array[i] = life.random.whole(0, 255);
    return array;
  };
  process.memoryUsage.rss = () => (lives.getStore() === undefined ? real.rss() : 0);
}

/** Each database is noted with the life that opened it, so that a crash can close it without a word. */
function takeOverDatabases(): void {
  const databases = Database.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const method of ['pragma', 'exec', 'prepare']) {
    const real = databases[method];
    if (real === undefined) throw new Error(`databases have no ${method}`);
    databases[method] = function (this: Database.Database, ...args) {
      const life = lives.getStore();
      if (life?.dead === false) life.databases.add(this);
      return real.apply(this, args);
    };
  }
}

/** Central waits between the statements of a transaction: there it may die, too. */
function takeOverStatements(): void {
  const memory = new Database(':memory:');
  const statements = Object.getPrototypeOf(memory.prepare('SELECT 1')) as Record<
    string,
    (...args: unknown[]) => unknown
  >;
  memory.close();
  for (const method of ['run', 'all', 'get']) {
    const real = statements[method];
    if (real === undefined) throw new Error(`statements have no ${method}`);
    statements[method] = function (...args) {
      const life = lives.getStore();
      if (life?.countsStatements === true) step(life);
      return real.apply(this, args);
    };
  }
}

/** Whoever is dead writes and closes nothing: the number of its file may be another's by now. */
function takeOverFiles(): void {
  const { openSync, writeSync } = fs;
  const isDead = () => lives.getStore()?.dead === true;
  fs.openSync = (...args) => {
    const file = openSync(...args);
    const life = lives.getStore();
    if (life?.dead === false) life.files.add(file);
    return file;
  };
  fs.writeSync = ((...args: Parameters<typeof writeSync>) => (isDead() ? 0 : writeSync(...args))) as typeof writeSync;
  fs.closeSync = (file) => {
    lives.getStore()?.files.delete(file);
    if (!isDead()) closeFile(file);
  };
}

export function uuidOf(random: Random): `${string}-${string}-${string}-${string}-${string}` {
  const digits = (count: number) => Array.from({ length: count }, () => random.whole(0, 15).toString(16)).join('');
  return `${digits(8)}-${digits(4)}-7${digits(3)}-8${digits(3)}-${digits(12)}`;
}
