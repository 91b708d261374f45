/** What all databases that are servers have in common: each new connection is looked at before anything is stored through it. */
import { readFileSync } from 'node:fs';
import type { ServerAddress } from './store-url.ts';

/** Enough for the three loops and some requests. */
export const MAX_CONNECTIONS = 8;
export const CONNECT_MS = 10_000;
/** Whoever holds a row longer than this is stuck: the transaction is made again. */
export const LOCK_SECONDS = 10;

/** Runs one statement on a connection that nobody else has yet. */
export type Ask = (text: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

export interface Checks {
  /** Sets what may be set, and asserts what may not. Rejects with code NOT_DURABLE or STORE_SETTING; the message names the fix. */
  prepare(ask: Ask): Promise<void>;
  identity(ask: Ask): Promise<string>;
}

export interface Guard {
  /** Rejects where this connection must not be used. */
  admit(ask: Ask): Promise<void>;
  expect(identity: string | null): void;
  readonly hurried: () => boolean;
}

export function createGuard(name: string, checks: Checks): Guard {
  let expected: string | null = null;
  return {
    async admit(ask) {
      await checks.prepare(ask);
      if (expected === null || (await checks.identity(ask)) === expected) return;
      const text = `${name}: another database answers than before`;
      throw Object.assign(new Error(text), { code: 'STORE_AWAY' });
    },
    expect: (identity) => {
      expected = identity;
    },
    hurried: () => expected !== null,
  };
}

/** Names the setting and what it must be. */
export function notDurable(name: string, setting: string, value: unknown, wanted: string): Error {
  const text = `${name}: ${setting} is ${String(value)}: a power cut would lose what was stored. Set ${setting} = ${wanted} on the server`;
  return Object.assign(new Error(text), { code: 'NOT_DURABLE' });
}

export function badSetting(name: string, what: string): Error {
  return Object.assign(new Error(`${name}: ${what}`), { code: 'STORE_SETTING' });
}

/** For `tls.connect`, which checks the certificate by itself. Throws the disk's error for a file that cannot be read. */
export function tlsFiles({ tls }: ServerAddress): {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
} {
  const files = Object.entries(tls ?? {}).flatMap(([name, path]) =>
    path === null ? [] : [[name, readFileSync(path, 'utf8')]],
  );
  return Object.fromEntries(files);
}
