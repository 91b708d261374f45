/** What the README tells a new user, word by word: init, then what it says is to be done next, until the cat is there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openPty } from '../../src/simulator/pty.ts';
import { collard } from '../cli/run.ts';
import { freePort, until } from '../servers.ts';
import { createPart } from './stack.ts';

test('from nothing to a cat on the page: init, what it says is next, and a name', async () => {
  const home = mkdtempSync(join(tmpdir(), 'collard-first-minutes-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const pty = openPty();
  // A collar that moves a little, and is shaken every few seconds.
  let count = 0;
  const writing = setInterval(() => {
    const n = count++;
    const swing = n % 200 < 50 ? 3 * Math.sin(n * 2) : 0.01 * Math.sin(n);
    const line = { collar: 'C0FFEE01', n: n % 65_536, ax: swing, ay: -swing / 2, az: 1, place: 'kitchen', rssi: -50 };
    void pty.write(Buffer.from(`${JSON.stringify(line)}\n`));
  }, 20);
  onTestFinished(async () => {
    clearInterval(writing);
    await pty.close();
  });
  const [port, broker] = [await freePort(), await freePort()];
  const sets = [
    ...[`sources[0].serial=${pty.path}`, `http.port=${port}`, 'agent=porch'],
    ...['broker.enabled=true', `broker.port=${broker}`, `mqtt.url=mqtt://127.0.0.1:${broker}`],
  ];
  const args = ['init', '--no-input', '--role', 'both', '--dir', home, '--json'];
  const made = await collard([...args, ...sets.flatMap((set) => ['--set', set])], { npm_command: 'exec' });
  expect({ status: made.status, stderr: made.stderr }).toEqual({ status: 0, stderr: '' });
  const { next, checks } = JSON.parse(made.stdout) as {
    next: readonly string[];
    checks: readonly { readonly findings: readonly { readonly result: string }[] }[];
  };
  // What comes only with the start is no fault.
  expect(checks.flatMap(({ findings }) => findings).filter(({ result }) => result === 'fail')).toEqual([]);
  expect(next).toEqual([
    `npx collard central --config ${home}/central.yaml`,
    `npx collard agent --config ${home}/agent.yaml`,
    `npx collard doctor --config ${home}/central.yaml`,
  ]);
  for (const line of next.slice(0, 2)) {
    const words = line.split(' ').slice(2);
    const part = createPart(words[0] ?? '', home, words);
    onTestFinished(() => part.stop().then(() => undefined));
    part.start();
  }
  const url = `http://127.0.0.1:${port}`;
  const answers = async () => (await fetch(`${url}/readyz`).catch(() => null))?.ok === true;
  await until('central is ready', answers, 120_000);
  const named = await collard(['cat', 'add', 'Mia', '--collar', 'C0FFEE01', '--config', `${home}/central.yaml`]);
  expect(named.status).toBe(0);
  const cats = async () => {
    const response = await fetch(`${url}/api/v1/cats`);
    return ((await response.json()) as { cats: { name: string; location: string | null; meowsToday: number }[] }).cats;
  };
  const isThere = async () =>
    (await cats()).some(({ location, meowsToday }) => location === 'kitchen' && meowsToday > 0);
  await until('the cat is where its collar is heard, and was shaken', isThere, 120_000);
  expect((await cats()).map(({ name }) => name)).toEqual(['Mia']);
  const doctor = await collard(['doctor', '--config', `${home}/central.yaml`, '--json']);
  expect(doctor.stdout).toMatch(/answers MQTT 3\.1\.1/);
}, 600_000);
