/** The page as the build makes it, over a real central, in a real browser. What the browser complains of is kept. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { chromiumArgs } from '../../../e2e/browser.ts';
import { chromiumPath } from '../../../servers.ts';
import { createSender, type Sender, type Serving, startServing } from '../serving.ts';

const root = new URL('../../../..', import.meta.url).pathname;

/** In a folder of its own. */
export function buildPage(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-page-'));
  const source = join(root, 'src/central/api/page');
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', source, '--outDir', folder]);
  const plain = readdirSync(source).filter((name) => /\.(html|css)$/.test(name));
  for (const name of plain) copyFileSync(join(source, name), join(folder, name));
  return folder;
}

/** Read as text: it runs in the page. */
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds wrong with what the page shows now, as `rule: element`. */
export async function axeFaults(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: { run(): Promise<AxeResult> } }).axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

interface AxeResult {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
}

type ContextOptions = NonNullable<Parameters<Browser['newContext']>[0]>;

export interface Bench {
  readonly central: Serving;
  readonly sender: Sender;
  /** Errors and warnings of the console since the start. */
  readonly complaints: string[];
  start(options?: Parameters<typeof startServing>[0]): Promise<void>;
  /** Resolves when the page is live. `path` from the root of central, or a whole address. */
  open(path?: string, options?: ContextOptions): Promise<Page>;
  /** The open page and central end; the browser stays. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

const ASKED_IN_VAIN = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING/;

export async function openBench(): Promise<Bench> {
  const pageDir = buildPage();
  const browser = await chromium.launch({ executablePath: chromiumPath ?? '', args: chromiumArgs });
  const complaints: string[] = [];
  let central: Serving | null = null;
  let sender: Sender | null = null;
  let context: BrowserContext | null = null;
  const started = <T>(part: T | null): T => {
    if (part === null) throw new Error('start() comes first');
    return part;
  };
  const stop = async () => {
    await context?.close();
    await central?.stop();
    context = null;
    central = null;
  };
  return {
    get central() {
      return started(central);
    },
    get sender() {
      return started(sender);
    },
    complaints,
    async start(options = {}) {
      complaints.length = 0;
      central = await startServing({ pageDir, ...options });
      sender = createSender(central);
    },
    async open(path = '', options = {}) {
      context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
      const page = await context.newPage();
      page.on('console', (message) => {
        if (message.type() !== 'error' && message.type() !== 'warning') return;
        // That a central that was stopped is asked in vain is told by the browser, as often as the page tries.
        if (central?.isAway === true && ASKED_IN_VAIN.test(message.text())) return;
        complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(new URL(path, started(central).url).href);
      await page.locator('#live[data-state=live]').waitFor();
      return page;
    },
    stop,
    async close() {
      await stop();
      await browser.close();
      rmSync(pageDir, { recursive: true, force: true });
    },
  };
}
