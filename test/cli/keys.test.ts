import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodePublicKey } from '../../src/contract/signature.ts';
import { type Serving, startServing } from '../central/api/serving.ts';
import { newKey } from '../contract/signing.ts';
import { collard } from './run.ts';

let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'collard-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeAgent(): void {
  const lines = ['agent: porch', 'sources: [{ file: /dev/null }]', `log: { path: ${at('events.db')} }`];
  writeFileSync(at('agent.yaml'), [...lines, 'mqtt: { url: "mqtt://127.0.0.1:1" }', ''].join('\n'), { mode: 0o600 });
}

describe('collard agent key', () => {
  beforeEach(writeAgent);

  test('makes the key once and prints its public half with the id', async () => {
    const first = await collard(['agent', 'key', '--config', at('agent.yaml')]);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(first.stdout).toMatch(/^[A-Za-z0-9_-]{43} [0-9a-f]{16}\n$/);
    expect(statSync(at('agent.key')).mode & 0o777).toBe(0o600);
    const again = await collard(['agent', 'key', '--config', at('agent.yaml'), '--json']);
    const [key, keyId] = first.stdout.trim().split(' ');
    expect(JSON.parse(again.stdout)).toEqual({ agent: 'porch', key, keyId });
  });

  test('tells of a damaged key that it is another one now', async () => {
    writeFileSync(at('agent.key'), '');
    const { status, stderr } = await collard(['agent', 'key', '--config', at('agent.yaml')]);
    expect(status).toBe(0);
    expect(stderr).toContain('the key was damaged and is a new one now');
  });

  test('ends with 78 where the file is something else, and leaves it', async () => {
    writeFileSync(at('agent.key'), '-----BEGIN CERTIFICATE-----\n');
    const { status, stderr, stdout } = await collard(['agent', 'key', '--config', at('agent.yaml')]);
    expect({ status, stdout }).toEqual({ status: 78, stdout: '' });
    expect(stderr).toContain('is left as it is: set signing.key to another path');
  });

  test('ends with 74 where no key can be made', async () => {
    const { status, stderr } = await collard(['agent', 'key', '--config', at('agent.yaml')], {
      COLLARD_SIGNING_KEY: at('missing/agent.key'),
    });
    expect(status).toBe(74);
    expect(stderr).toContain(`signing key ${at('missing/agent.key')}: ENOENT`);
  });
});

describe('collard central', () => {
  let central: Serving;
  beforeEach(async () => {
    central = await startServing();
    const { port } = new URL(central.url);
    const lines = [`store: { url: "sqlite:${at('central.db')}" }`, 'mqtt: { url: "mqtt://127.0.0.1:1" }'];
    writeFileSync(at('central.yaml'), [...lines, `http: { port: ${port} }`, ''].join('\n'));
  });
  afterEach(() => central.stop());
  const run = (...args: string[]) => collard(['central', ...args, '--config', at('central.yaml')]);

  test('enrols what "agent key" printed, lists it, and revokes it', async () => {
    writeAgent();
    expect((await run('keys')).stdout).toBe('no keys yet: collard central enroll --agent NAME --key KEY\n');
    const printed = await collard(['agent', 'key', '--config', at('agent.yaml')]);
    writeFileSync(at('porch.pub'), printed.stdout);
    const keyId = printed.stdout.trim().split(' ')[1];
    const enrolled = await run('enroll', '--agent', 'porch', '--key', `@${at('porch.pub')}`);
    expect(enrolled).toMatchObject({ status: 0, stderr: '' });
    expect(enrolled.stdout).toBe(`key ${keyId} is enrolled: what porch sends must be signed with it\n`);
    expect((await run('keys')).stdout).toMatch(new RegExp(`^porch +${keyId} +a person +\\S+Z +-$`, 'm'));
    expect((await run('revoke', '--agent', 'porch')).stdout).toBe(`key ${keyId} of porch is revoked\n`);
    expect(JSON.parse((await run('keys', '--json')).stdout)).toMatchObject({
      agent: 'porch',
      keyId,
      how: 'enrolled',
      revokedAt: expect.stringMatching(/Z$/),
    });
  });

  test('takes the key itself, and revokes one of several', async () => {
    const [first, second] = [newKey(), newKey()];
    for (const { publicKey } of [first, second]) {
      const { status } = await run('enroll', '--agent', 'porch', '--key', encodePublicKey(publicKey));
      expect(status).toBe(0);
    }
    const revoked = await run('revoke', '--agent', 'porch', '--key', first.keyId, '--json');
    expect(JSON.parse(revoked.stdout)).toMatchObject({ keyId: first.keyId });
    expect((await central.store.keys('porch')).map(({ revokedAt }) => revokedAt === null).sort()).toEqual([
      false,
      true,
    ]);
  });

  test.each([
    ['text that is no key', ['enroll', '--agent', 'porch', '--key', 'AAAA'], 64, 'there is no public key in --key'],
    [
      'a file that is not there',
      ['enroll', '--agent', 'porch', '--key', '@/nowhere'],
      64,
      'cannot read /nowhere: ENOENT',
    ],
    ['no key at all', ['enroll', '--agent', 'porch'], 64, "required option '--key <key>' not specified"],
    ['an agent without a key', ['revoke', '--agent', 'shed'], 1, 'collard central enroll --agent shed --key KEY'],
  ])('says what is wrong with %s', async (_title, args, status, words) => {
    const ran = await run(...args);
    expect(ran).toMatchObject({ status, stdout: '' });
    expect(ran.stderr).toContain(words);
  });

  test('ends with 69 where central does not run', async () => {
    await central.stop();
    const ran = await run('keys');
    expect(ran.status).toBe(69);
    expect(ran.stderr).toContain('central does not answer');
    central = await startServing();
  });
});
