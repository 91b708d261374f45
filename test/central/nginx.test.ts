/** The example for nginx as it is shipped, on a real nginx with a real browser: at the root, and below a path. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hashPassword } from '../../src/central/api/password.ts';
import { chromiumArgs } from '../e2e/browser.ts';
import { createAuthority } from '../lib/certificates.ts';
import { chromiumPath, findProgram, freePort, requireServer, until } from '../servers.ts';
import { buildPage } from './api/page/bench.ts';
import { CHEAP, PASSWORD, type Serving, startServing } from './api/serving.ts';

const nginxPath = findProgram('nginx');
const example = readFileSync(new URL('../../config/nginx/collard.conf', import.meta.url), 'utf8');

/** Its address. Only names, ports and paths of this machine are changed in the example. */
async function startNginx(central: Serving, location: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-nginx-'));
  const authority = createAuthority();
  const { cert, key } = authority.issue('localhost');
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  const [port, plain] = [await freePort(), await freePort()];
  const site = example
    .replaceAll(/^ *listen \[::\].*\n/gm, '')
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('listen 80;', `listen 127.0.0.1:${plain};`)
    .replaceAll('cats.example.org;', 'localhost;')
    .replace(/\/\S+fullchain\.pem/, join(folder, 'cert.pem'))
    .replace(/\/\S+privkey\.pem/, join(folder, 'key.pem'))
    .replace('    location / {', `    location ${location} {`)
    .replaceAll('http://127.0.0.1:8321/', central.url);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const paths = temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
  const main = `daemon off; master_process off; pid ${folder}/pid; error_log stderr; events {}\n`;
  writeFileSync(join(folder, 'nginx.conf'), `${main}http { access_log off; ${paths}\n${site}}\n`);
  const child: ChildProcess = spawn(nginxPath ?? '', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  child.stderr?.on('data', (text) => {
    told += text;
  });
  onTestFinished(async () => {
    if (child.exitCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    authority.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `https://localhost:${port}${location}`;
  await until(
    'nginx answers',
    async () => {
      if (child.exitCode !== null) throw new Error(`nginx ended: ${told}`);
      return (await get(`${url}healthz`, {})).status === 200;
    },
    30_000,
  );
  return url;
}

function get(url: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const asked = request(url, { headers, rejectUnauthorized: false }, (answer) => {
      let text = '';
      answer.on('data', (part) => {
        text += part;
        // A stream does not end: its first word is enough.
        if (/^event: hello/m.test(text)) answer.destroy();
      });
      answer.on('close', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asked.on('error', () => resolve({ status: 0, text: '' }));
    asked.end();
  });
}

const hasAll = requireServer('nginx', nginxPath, 'nginx-light') && requireServer('chromium', chromiumPath);

describe.skipIf(!hasAll)('behind nginx', { timeout: 120_000 }, () => {
  let pageDir: string;
  let browser: Browser;
  beforeAll(async () => {
    pageDir = buildPage();
    browser = await chromium.launch({ executablePath: chromiumPath ?? '', args: chromiumArgs });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(pageDir, { recursive: true, force: true });
  });

  test.each(['/', '/collard/'])('at %s: login, page, stream and API', async (location) => {
    const central = await startServing({ pageDir, http: { login: 'required', trustProxy: ['127.0.0.1'] } });
    onTestFinished(() => central.stop());
    await central.store.setPassword(await hashPassword(PASSWORD, CHEAP));
    const url = await startNginx(central, location);
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForURL(/\/login$/);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.locator('#live[data-state=live]').waitFor();
    expect(page.url()).toBe(url);
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ name: '__Host-collard', secure: true });
    const headers = { cookie: `__Host-collard=${cookie?.value}` };
    expect((await get(`${url}api/v1/cats`, {})).status).toBe(401);
    expect((await get(`${url}api/v1/cats`, headers)).status).toBe(200);
    // At once: nothing of it waits in the proxy.
    expect((await get(`${url}api/v1/stream`, headers)).text).toMatch(/^event: hello/m);
    const made = await page.evaluate(async () => {
      const body = JSON.stringify({ name: 'Mia' });
      return (await fetch('api/v1/cats', { method: 'POST', headers: { 'content-type': 'application/json' }, body }))
        .status;
    });
    expect(made).toBe(201);
    await page.getByText('Mia').first().waitFor();
  });
});
