/** Logging in and out in a real browser, through a proxy that speaks TLS, and without scripts. */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hashPassword } from '../../src/central/api/password.ts';
import { chromiumArgs } from '../e2e/browser.ts';
import { createAuthority } from '../lib/certificates.ts';
import { chromiumPath, requireServer } from '../servers.ts';
import { axeFaults, buildPage } from './api/page/bench.ts';
import { CHEAP, PASSWORD, type Serving, startServing } from './api/serving.ts';

describe.skipIf(!requireServer('chromium', chromiumPath))('a login in a real browser', { timeout: 90_000 }, () => {
  let pageDir: string;
  let browser: Browser;
  let context: BrowserContext;
  let central: Serving;
  beforeAll(async () => {
    pageDir = buildPage();
    browser = await chromium.launch({ executablePath: chromiumPath ?? '', args: chromiumArgs });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(pageDir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    central = await startServing({ pageDir, http: { login: 'required', trustProxy: ['127.0.0.1'] } });
    await central.store.setPassword(await hashPassword(PASSWORD, CHEAP));
  });
  afterEach(async () => {
    await context.close();
    await central.stop();
  });
  const open = async (url = central.url, options: Parameters<Browser['newContext']>[0] = {}) => {
    context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForURL(/\/login$/);
    return page;
  };

  test('leads from the page to the password and back, and out again', async () => {
    const page = await open();
    await page.keyboard.type('wrong password');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('That is not the password.').waitFor();
    expect(await axeFaults(page)).toEqual([]);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.locator('#live[data-state=live]').waitFor();
    expect(page.url()).toBe(central.url);
    expect(await page.evaluate(() => document.cookie)).toBe('');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByText('You are logged out.').waitFor();
    await page.goBack();
    await page.waitForURL(/\/login/);
  });

  test('that ends elsewhere ends on the open page, which asks for the password again', async () => {
    const page = await open();
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.locator('#live[data-state=live]').waitFor();
    // In the same browser: that page is told at once.
    const other = await context.newPage();
    await other.goto(central.url);
    await other.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(/\/login$/);
  });

  test('works without scripts', async () => {
    const page = await open(central.url, { javaScriptEnabled: false });
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForURL(central.url);
    expect(await page.content()).toContain('This page needs JavaScript.');
  });

  test('by TLS and below a path is bound to TLS, and an address of another site leads to it', async () => {
    const authority = createAuthority();
    const proxy = createServer(authority.issue('localhost'), (incoming, outgoing) => {
      const { method = 'GET', url = '/' } = incoming;
      const headers = { ...incoming.headers, 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7' };
      const onward = request(new URL(url.slice('/collard'.length), central.url), { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on('error', () => outgoing.destroy());
      outgoing.on('close', () => onward.destroy());
      incoming.pipe(onward);
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const url = `https://localhost:${(proxy.address() as AddressInfo).port}/collard/`;
    try {
      const page = await open(url);
      expect(await page.getByText('not encrypted').count()).toBe(0);
      await page.getByLabel('Password').fill(PASSWORD);
      await page.keyboard.press('Enter');
      await page.locator('#live[data-state=live]').waitFor();
      expect(await context.cookies()).toMatchObject([
        { name: '__Host-collard', path: '/', httpOnly: true, secure: true, sameSite: 'Strict' },
      ]);
      // A link in a message or on another site: the browser leaves the cookie out, and the page asks once more.
      await page.goto('data:text/html,');
      await page.setContent(`<a href="${url}">to the cats</a>`);
      await page.getByText('to the cats').click();
      await page.locator('#live[data-state=live]').waitFor();
      expect(page.url()).toBe(url);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
      authority.remove();
    }
  });

  test('is asked for by a page that was open when central got a password', async () => {
    await central.stop();
    central = await startServing({ pageDir });
    context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(central.url);
    await page.locator('#live[data-state=live]').waitFor();
    expect(await page.getByRole('button', { name: 'Log out' }).count()).toBe(0);
    await central.store.setPassword(await hashPassword(PASSWORD, CHEAP));
    await page.waitForURL(/\/login$/, { timeout: 30_000 });
  });
});
