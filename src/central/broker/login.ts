/** Who connects to the broker: by name and password, or from this machine without. Few passwords are tried, and each at its price. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Member } from './rights.ts';

/** Passwords that are looked at or wait for it. Each takes 32 MiB and a good part of a second on a small board. */
export const MAX_CHECKS = 8;
/** Passwords that were right are known again without that, so that an agent that comes back waits for nothing. */
export const MAX_KNOWN = 1_024;

export interface Account extends Member {
  /** Its hash. */
  readonly password: string;
}

export interface Guest {
  readonly username: string | undefined;
  readonly password: Buffer | undefined;
  readonly address: string;
}

export type LoggedIn =
  | { readonly ok: true; readonly member: Member }
  | { readonly ok: false; readonly why: 'refused' | 'busy'; readonly reason: string };

export interface LoginParts {
  readonly accounts: readonly Account[];
  /** Whether who is on this machine needs no account. */
  readonly openHere: boolean;
  readonly isPassword: (password: string, hash: string) => Promise<boolean>;
  /** A hash that takes as long as a real one: for names that are not there. */
  readonly nobody: () => Promise<string>;
  readonly limit: {
    take(address: string): number | null;
    forget(address: string): void;
  };
  /** Central's own name and password, which nobody else knows. */
  readonly own: { readonly username: string; readonly password: string };
}

export function createLogin(parts: LoginParts): (guest: Guest) => Promise<LoggedIn> {
  const { accounts, limit, own } = parts;
  const key = randomBytes(32);
  const mark = (username: string, password: Buffer) =>
    createHmac('sha256', key).update(username).update('\0').update(password);
  const known = new Map<string, string>();
  let last: Promise<unknown> = Promise.resolve();
  let checks = 0;
  const refuse = (why: 'refused' | 'busy', reason: string): LoggedIn => ({ ok: false, why, reason });
  /** One after the other. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
  return async ({ username, password, address }) => {
    if (username === undefined || password === undefined) {
      if (username === undefined && parts.openHere && isHere(address))
        return { ok: true, member: { name: 'local', may: 'all' } };
      return refuse('refused', 'no user name and password');
    }
    if (username === own.username) {
      const isOwn = isHere(address) && isSame(password, Buffer.from(own.password));
      return isOwn
        ? { ok: true, member: { name: username, may: 'all' } }
        : refuse('refused', "this name is central's own");
    }
    const account = accounts.find(({ name }) => name === username);
    const digest = mark(username, password).digest('hex');
    if (account !== undefined && known.get(username) === digest) return { ok: true, member: account };
    if (checks >= MAX_CHECKS) return refuse('busy', `${MAX_CHECKS} others are being looked at`);
    const waitSeconds = limit.take(address);
    if (waitSeconds !== null)
      return refuse('refused', `too many wrong passwords from there: ${waitSeconds} s are left`);
    checks += 1;
    try {
      const hash = account?.password ?? (await parts.nobody());
      const isRight = await inTurn(() => parts.isPassword(password.toString('utf8'), hash));
      if (!isRight || account === undefined) return refuse('refused', 'wrong user name or password');
      limit.forget(address);
      if (known.size < MAX_KNOWN) known.set(username, digest);
      return { ok: true, member: account };
    } finally {
      checks -= 1;
    }
  };
}

/** The address of a peer on this machine. */
export function isHere(address: string): boolean {
  return /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(address);
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
