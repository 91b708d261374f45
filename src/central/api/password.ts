/** Passwords as scrypt hashes (RFC 7914) that tell their own parameters, so that a later version may ask for more. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

export const MIN_PASSWORD_LENGTH = 10;
export const MAX_PASSWORD_LENGTH = 256;

/** 32 MiB, three times: as OWASP recommends where memory is dear. */
const COST = { ln: 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** What another hand has written must not cost more than this. */
const MAX_LN = 20;
const SHAPE = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w-]+)\$([\w-]+)$/;

/** Why it cannot be a password, or null. */
export function passwordFault(password: string): string | null {
  const { length } = [...password];
  if (length < MIN_PASSWORD_LENGTH) return `a password has at least ${MIN_PASSWORD_LENGTH} characters`;
  return length > MAX_PASSWORD_LENGTH ? `a password has at most ${MAX_PASSWORD_LENGTH} characters` : null;
}

export async function hashPassword(password: string, cost: typeof COST = COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, HASH_BYTES, cost);
  const { ln, r, p } = cost;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

/** Throws where `hash` is none of ours. */
export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [, ln = '', r = '', p = '', salt = '', wanted = ''] = SHAPE.exec(hash) ?? [];
  if (wanted === '' || Number(ln) > MAX_LN) throw new Error('the password in the store cannot be read: set it again');
  const expected = Buffer.from(wanted, 'base64url');
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const found = await derive(password, Buffer.from(salt, 'base64url'), expected.length, cost);
  return timingSafeEqual(found, expected);
}

/** The same text, however it was typed: in NFKC. */
function derive(password: string, salt: Buffer, length: number, { ln, r, p }: typeof COST): Promise<Buffer> {
  const N = 2 ** ln;
  const options: ScryptOptions = { N, r, p, maxmem: 128 * r * (N + p + 2) };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, length, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}
