import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { isPassword } from '../../src/central/api/password.ts';
import { askSecret } from '../../src/cli/ask-secret.ts';
import { catCommand } from '../../src/cli/cat.ts';
import { centralCommand } from '../../src/cli/central.ts';
import { logInTo, type Serving, startServing } from '../central/api/serving.ts';
import { until } from '../servers.ts';
import { BARE_ENV } from './run.ts';

const BIN = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));

let central: Serving;
let folder: string;
let config: string;
beforeEach(async () => {
  central = await startServing();
  folder = mkdtempSync(join(tmpdir(), 'collard-access-'));
  config = join(folder, 'central.yaml');
  const { port } = new URL(central.url);
  writeFileSync(
    config,
    `store: { url: "sqlite:${central.path}" }\nmqtt: { url: "mqtt://127.0.0.1:9" }\nhttp: { port: ${port} }\n`,
  );
});
afterEach(async () => {
  await central.stop();
  rmSync(folder, { recursive: true, force: true });
});

afterEach(() => vi.restoreAllMocks());

/** Resolves to what it printed. */
async function run(...args: string[]): Promise<string> {
  let out = '';
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const [name, ...rest] = args;
  const command = name === 'cat' ? catCommand() : centralCommand();
  await command.parseAsync([...(name === 'cat' ? rest : args), '--config', config], { from: 'user' });
  vi.restoreAllMocks();
  return out;
}

describe('collard central passwd', () => {
  test('takes the password from stdin, shows it nowhere, and logs out who is logged in', {
    timeout: 60_000,
  }, async () => {
    const cookie = await logInTo(central);
    const child = spawn(process.execPath, [BIN, 'central', 'passwd', '--config', config], {
      env: BARE_ENV,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.end('correct horse battery\nmore\n');
    const [stdout, stderr, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: '',
      stderr: 'The password is set. Who was logged in is logged out.\n',
    });
    expect(await isPassword('correct horse battery', (await central.store.passwordHash()) ?? '')).toBe(true);
    expect((await fetch(new URL('api/v1/cats', central.url), { headers: { cookie } })).status).toBe(401);
  });

  test('takes it away', async () => {
    await logInTo(central);
    await run('passwd', '--remove');
    expect(await central.store.passwordHash()).toBeNull();
  });

  test.each([
    ['first\r\nsecond\n', 'first'],
    ['Kätzchen ohne Ende', 'Kätzchen ohne Ende'],
    ['', ''],
  ])('of %o takes the first line', async (input, password) => {
    const source = { input: Readable.from([Buffer.from(input)]) as never, output: new PassThrough() };
    expect(await askSecret('New password', source)).toBe(password);
  });

  test('does not read on for ever', async () => {
    const source = {
      input: Readable.from([Buffer.alloc(3_000, 'x'), Buffer.alloc(3_000, 'x')]) as never,
      output: new PassThrough(),
    };
    await expect(askSecret('New password', source)).rejects.toMatchObject({ exitCode: 64 });
  });
});

describe('collard central passwd on a terminal', () => {
  let shell: ChildProcess;
  let seen: string;
  /** `script` gives it a terminal, and passes on what is typed. */
  const start = () => {
    seen = '';
    const command = `'${process.execPath}' '${BIN}' central passwd --config '${config}'`;
    shell = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...BARE_ENV, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    shell.stdout?.setEncoding('utf8').on('data', (some: string) => {
      seen += some;
    });
  };
  afterEach(() => {
    shell.kill('SIGKILL');
  });
  const type = async (prompt: string, keys: string) => {
    await until(prompt, () => seen.includes(prompt), 30_000);
    seen = seen.slice(seen.indexOf(prompt) + prompt.length);
    shell.stdin?.write(keys);
  };
  const ended = async () => ((await once(shell, 'close')) as [number])[0];

  test('asks twice, shows nothing of it, and knows backspace, arrows and Ctrl-U', { timeout: 60_000 }, async () => {
    start();
    await type('New password: ', 'wrong\u0015correct horsf\u007f\u001b[De\r');
    await type('once more: ', 'correct horse\r');
    expect(await ended()).toBe(0);
    expect(seen).toContain('The password is set.');
    expect(seen).not.toMatch(/wrong|horse|hors|\*/);
    expect(await isPassword('correct horse', (await central.store.passwordHash()) ?? '')).toBe(true);
  });

  test('changes nothing where the two differ, or at Ctrl-C', { timeout: 60_000 }, async () => {
    start();
    await type('New password: ', 'correct horse\r');
    await type('once more: ', 'correct horsf\r');
    expect(await ended()).toBe(64);
    start();
    await type('New password: ', 'correct horse\u0003');
    expect(await ended()).toBe(130);
    expect(await central.store.passwordHash()).toBeNull();
  });
});

describe('collard central token', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('prints a token once, by which the other commands get in', async () => {
    await logInTo(central);
    await expect(run('cat', 'add', 'Mia')).rejects.toMatchObject({
      exitCode: 1,
      fix: expect.stringContaining('collard central token add NAME --scope command'),
    });
    const token = (await run('token', 'add', 'laptop', '--scope', 'command')).trim();
    expect(token).toMatch(/^collard_[\w-]{43}$/);
    vi.stubEnv('COLLARD_TOKEN', token);
    expect(await run('cat', 'add', 'Mia')).toBe('Mia is cat 1\n');
    vi.stubEnv('COLLARD_TOKEN', '');
    writeFileSync(join(folder, 'token'), `${token}\n`);
    vi.stubEnv('COLLARD_TOKEN_FILE', join(folder, 'token'));
    expect(await run('cat', 'list')).toContain('Mia');
    const listed = await run('token', 'list');
    expect(listed).toMatch(/^laptop +command +\d{4}-/m);
    expect(listed).not.toContain(token.slice('collard_'.length));
    await run('token', 'revoke', 'laptop');
    await expect(run('token', 'revoke', 'laptop')).rejects.toMatchObject({ exitCode: 1 });
    await expect(run('cat', 'list')).rejects.toThrow('unknown or revoked');
    vi.stubEnv('COLLARD_TOKEN_FILE', join(folder, 'none'));
    await expect(run('cat', 'list')).rejects.toMatchObject({
      exitCode: 64,
      message: expect.stringContaining('ENOENT'),
    });
  });

  test('with the scope read lets look and not touch', async () => {
    await logInTo(central);
    const made = JSON.parse(await run('token', 'add', 'grafana', '--json')) as Record<string, string>;
    expect(made).toEqual({ name: 'grafana', scope: 'read', token: expect.stringMatching(/^collard_/) });
    vi.stubEnv('COLLARD_TOKEN', made.token);
    expect(await run('cat', 'list')).toContain('no cats yet');
    await expect(run('cat', 'add', 'Mia')).rejects.toThrow('grafana may only read');
  });

  test.each(['page', 'two words', '../x', '', 'x'.repeat(65)])('has no name such as "%s"', async (name) => {
    await expect(run('token', 'add', name)).rejects.toMatchObject({ exitCode: 64 });
    expect(await central.store.tokens()).toEqual([]);
  });

  test('has a name of its own', async () => {
    await run('token', 'add', 'grafana');
    await expect(run('token', 'add', 'grafana')).rejects.toMatchObject({
      exitCode: 1,
      message: 'there is a token grafana already',
    });
  });
});
