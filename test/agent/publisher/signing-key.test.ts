import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { agentSchema } from '../../../src/agent/config.ts';
import { createSigner, openSigningKey, signingKeyPath } from '../../../src/agent/publisher/signing-key.ts';
import { encodePublicKey, keyIdOf } from '../../../src/contract/signature.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-key-'));
  path = join(folder, 'agent.key');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function recorder() {
  const lines: { level: string; text: string; fields: object }[] = [];
  const tell = (level: string) => (fields: object, text: string) => void lines.push({ level, text, fields });
  return { lines, logger: { info: tell('info'), warn: tell('warn'), error: tell('error') } };
}

describe('the key of an agent', () => {
  test('is made at the first start as PKCS#8 for its owner only, and is the same at every start after it', async () => {
    const first = await openSigningKey(path);
    expect(first).toMatchObject({ made: true, aside: null, exposed: false });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['agent.key']);
    const again = await openSigningKey(path);
    expect(again).toMatchObject({ made: false, aside: null, exposed: false });
    expect(again.key.publicKey).toEqual(first.key.publicKey);
    expect(again.key.keyId).toBe(keyIdOf(first.key.publicKey));
  });

  test('is one that openssl reads', async () => {
    const { key } = await openSigningKey(path);
    const der = execFileSync('openssl', ['pkey', '-in', path, '-pubout', '-outform', 'DER']);
    expect(der.subarray(-32)).toEqual(Buffer.from(key.publicKey));
  });

  test('is another for each agent', async () => {
    const other = await openSigningKey(join(folder, 'other.key'));
    expect((await openSigningKey(path)).key.keyId).not.toBe(other.key.keyId);
  });

  test('is one also where two make it at once', async () => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => openSigningKey(path)));
    expect(new Set(opened.map(({ key }) => key.keyId)).size).toBe(1);
    expect(readdirSync(folder)).toEqual(['agent.key']);
  });

  test('lies beside the log where the configuration names no other place', () => {
    const config = (signing: object) =>
      agentSchema.parse({
        agent: 'porch',
        sources: [{ file: 'f' }],
        log: { path: '/var/lib/c/events.db' },
        mqtt: { url: 'mqtt://b' },
        signing,
      });
    expect(signingKeyPath(config({}))).toBe('/var/lib/c/agent.key');
    expect(signingKeyPath(config({ key: '/etc/c/k' }))).toBe('/etc/c/k');
  });

  test.each([0o640, 0o604, 0o660])('that others may reach (%o) is used and told', async (mode) => {
    await openSigningKey(path);
    chmodSync(path, mode);
    expect(await openSigningKey(path)).toMatchObject({ made: false, exposed: true });
    const { lines, logger } = recorder();
    await createSigner(path, 'porch', logger)();
    expect(lines.filter(({ level }) => level === 'warn').map(({ text }) => text)).toEqual([
      `others may read the signing key: chmod 600 ${path}`,
    ]);
  });
});

describe('a key that a power cut has spoilt', () => {
  test('is moved aside for a new one, wherever the file ends', async () => {
    await openSigningKey(path);
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length += 1) {
      const cut = join(folder, `cut-${length}.key`);
      writeFileSync(cut, whole.subarray(0, length));
      const opened = await openSigningKey(cut);
      if (!opened.made) continue;
      expect(readFileSync(opened.aside ?? '')).toEqual(whole.subarray(0, length));
      expect((await openSigningKey(cut)).key.keyId).toBe(opened.key.keyId);
    }
    expect((await openSigningKey(path)).made).toBe(false);
  });

  test.each([
    ['zeros', Buffer.alloc(119)],
    ['noise', Buffer.from('\u00ff\u0000key?')],
  ])('is moved aside where it holds %s', async (_title, bytes) => {
    writeFileSync(path, bytes);
    expect(await openSigningKey(path)).toMatchObject({ made: true, aside: expect.stringContaining('.damaged-') });
  });

  test('is told as an error with what to do at central', async () => {
    writeFileSync(path, '');
    const { lines, logger } = recorder();
    const key = await createSigner(path, 'porch', logger)();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'error', fields: { path, keyId: key?.keyId } });
    expect(lines[0]?.text).toContain(
      `collard central enroll --agent porch --key ${encodePublicKey(key?.publicKey ?? Buffer.alloc(32))}`,
    );
  });
});

describe('a file that is no key of ours', () => {
  const rsa = () =>
    generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  const x25519 = () => generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' });

  test.each([
    ['a key for TLS', rsa],
    ['a short key of another kind', x25519],
    ['a certificate', () => '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ['an encrypted key', () => '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n'],
    ['a large file', () => 'x'.repeat(2_000)],
  ])('such as %s is left as it is', async (_title, content) => {
    const text = String(content());
    writeFileSync(path, text);
    await expect(openSigningKey(path)).rejects.toMatchObject({ code: 'SIGNING_KEY_FOREIGN' });
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(readdirSync(folder)).toEqual(['agent.key']);
  });
});

describe('a key that cannot be had', () => {
  test('is none where nothing can be put in its place: the next start would not know it', async () => {
    symlinkSync(join(folder, 'not-there', 'agent.key'), path);
    await expect(openSigningKey(path)).rejects.toMatchObject({
      code: 'EEXIST',
      message: `signing key ${path}: EEXIST in link`,
    });
    expect(readdirSync(folder)).toEqual(['agent.key']);
  });

  test('stops nothing: it is told once, and looked for again at the next link', async () => {
    const missing = join(folder, 'not-yet', 'agent.key');
    const { lines, logger } = recorder();
    const signer = createSigner(missing, 'porch', logger);
    expect(await signer()).toBeNull();
    expect(await signer()).toBeNull();
    expect(lines.map(({ level, text }) => [level, text])).toEqual([
      ['error', `events go out unsigned: signing key ${missing}: ENOENT in open`],
    ]);
    mkdirSync(join(folder, 'not-yet'));
    const key = await signer();
    expect(key?.keyId).toMatch(/^[0-9a-f]{16}$/);
    expect(lines.at(-1)).toMatchObject({ level: 'info', fields: { keyId: key?.keyId } });
    expect(await signer()).toBe(key);
  });
});
