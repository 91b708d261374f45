/**
 * The key with which this agent signs what it sends. Made at the first start, readable by its owner only, never replaced while it
 * can be read. A key that cannot be had stops no reading and no event: then batches go out unsigned, and it is told.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { link, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodePublicKey, keyIdOf, type SigningKey } from '../../contract/signature.ts';
import type { AgentConfig } from '../config.ts';
import type { Logger } from './session-state.ts';

/** Ours has 119 bytes. What is larger is another file that the configuration names by mistake. */
const MAX_KEY_BYTES = 1_024;
const PUBLIC_KEY_BYTES = 32;
const OTHERS = 0o077;

export interface OpenedKey {
  readonly key: SigningKey;
  /** Made just now: central does not know it. */
  readonly made: boolean;
  /** Where a damaged key was moved to, or null. */
  readonly aside: string | null;
  /** Others than its owner may read or write the file. */
  readonly exposed: boolean;
}

/** Beside the log, where the configuration names no other place. */
export function signingKeyPath(config: Pick<AgentConfig, 'log' | 'signing'>): string {
  return config.signing.key ?? join(dirname(config.log.path), 'agent.key');
}

/** For each link: the key, or null where there is none now. Looks again at each call until it has one; never rejects. */
export function createSigner(path: string, agent: string, logger: Logger): () => Promise<SigningKey | null> {
  let key: SigningKey | null = null;
  let told = '';
  return async () => {
    if (key !== null) return key;
    try {
      const opened = await openSigningKey(path);
      key = opened.key;
      tellOpened(opened, path, agent, logger);
    } catch (error) {
      const text = (error as Error).message;
      if (text !== told) logger.error({ path }, `events go out unsigned: ${text}`);
      told = text;
    }
    return key;
  };
}

/**
 * Reads the key, or makes one; resolves when it is on the card. A file that was cut off while it was written is moved aside.
 * Rejects with the disk's code, or SIGNING_KEY_FOREIGN for a file that is something else: that one is not touched.
 */
export async function openSigningKey(path: string): Promise<OpenedKey> {
  try {
    const found = await readSigningKey(path);
    if (found !== null && found.key !== null)
      return { key: found.key, made: false, aside: null, exposed: found.exposed };
    const aside = found === null ? null : `${path}.damaged-${randomUUID()}`;
    if (aside !== null) await rename(path, aside);
    return { key: await makeKey(path), made: true, aside, exposed: false };
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException;
    if (syscall === undefined) throw cause;
    throw Object.assign(new Error(`signing key ${path}: ${code} in ${syscall}`, { cause }), { code });
  }
}

/** As it stands, and nothing is made or moved. null: there is none yet. Rejects as `openSigningKey` does, with the disk's own words. */
export async function readSigningKey(
  path: string,
): Promise<{ readonly key: SigningKey | null; readonly exposed: boolean } | null> {
  const found = await readKeyFile(path);
  if (found === null) return null;
  const privateKey = parseKey(found.text, path);
  return { key: privateKey === null ? null : asKey(privateKey), exposed: found.exposed };
}

function tellOpened({ key, made, aside, exposed }: OpenedKey, path: string, agent: string, logger: Logger): void {
  const { keyId, publicKey } = key;
  const fields = { keyId, path };
  const enroll = `collard central enroll --agent ${agent} --key ${encodePublicKey(publicKey)}`;
  if (aside !== null) {
    const text = `the signing key was damaged and a new one is made: a central that knows the old one takes nothing until: ${enroll}`;
    logger.error({ ...fields, aside }, text);
  } else if (made) logger.info(fields, `a signing key is made; central learns it by: ${enroll}`);
  else logger.info(fields, 'events are signed');
  if (exposed) logger.warn(fields, `others may read the signing key: chmod 600 ${path}`);
}

/** null: there is no such file. */
async function readKeyFile(path: string): Promise<{ readonly text: string; readonly exposed: boolean } | null> {
  try {
    const file = await open(path, 'r');
    try {
      const { size, mode } = await file.stat();
      if (size > MAX_KEY_BYTES) throw foreign(path);
      return { text: await file.readFile('utf8'), exposed: (mode & OTHERS) !== 0 };
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** null: no key at all, as a power cut leaves it. */
function parseKey(text: string, path: string): KeyObject | null {
  if (/^-----BEGIN (?!PRIVATE KEY-----)[A-Z0-9 ]+-----/.test(text)) throw foreign(path);
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    return null;
  }
  if (key.asymmetricKeyType !== 'ed25519') throw foreign(path);
  return key;
}

/** Under a name of its own until it is whole, so that no cut leaves half a key. Two that make one at once get the same. */
async function makeKey(path: string): Promise<SigningKey> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const draft = `${path}.${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  let key: SigningKey;
  try {
    try {
      await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
      await file.sync();
    } finally {
      await file.close();
    }
    key = await link(draft, path).then(
      () => asKey(privateKey),
      (error) => keyThatWon(path, error),
    );
  } finally {
    await unlink(draft);
  }
  await syncFolder(dirname(path));
  return key;
}

/** What stands where ours cannot be put. Where that is no key either, ours is not used: the next start would not know it. */
async function keyThatWon(path: string, error: unknown): Promise<SigningKey> {
  const kept = await readSigningKey(path);
  if (kept === null || kept.key === null) throw error;
  return kept.key;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function asKey(privateKey: KeyObject): SigningKey {
  // A DER of Ed25519 ends in the raw key.
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(-PUBLIC_KEY_BYTES);
  return { privateKey, publicKey, keyId: keyIdOf(publicKey) };
}

function foreign(path: string): Error {
  const text = `${path} is no Ed25519 key of ours and is left as it is: set signing.key to another path`;
  return Object.assign(new Error(text), { code: 'SIGNING_KEY_FOREIGN' });
}
