import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { EventLog } from '../../src/agent/log/event-log.ts';
import { openEventLog } from '../../src/agent/log/open-event-log.ts';
import { openStore } from '../../src/central/open-store.ts';
import { eventsCommand } from '../../src/cli/events.ts';
import { chainOver, chainStart } from '../../src/contract/chain.ts';
import { decodeEvent } from '../../src/contract/envelope.ts';
import { newEvent } from '../../src/contract/event.ts';

const bin = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, [bin, 'events', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text.out += part;
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    text.err += part;
  });
  const done = once(child, 'close').then(([code]): Run => ({ code: code as number | null, ...text }));
  return { child, text, done };
}

const run = (...args: string[]) => start(args).done;
const lines = (text: string) => text.split('\n').filter((line) => line !== '');
const at = (second: number) =>
  ({
    time: `2026-11-23T06:00:${String(second).padStart(2, '0')}.000Z`,
    clock: 'synced',
    boot: null,
    monoMs: null,
  }) as const;

const story = [
  newEvent('meow.started', 'collar/A', { level: 1 }, at(1)),
  newEvent('meow.started', 'collar/B', { level: 2 }, at(2)),
  newEvent('meow.ended', 'collar/A', { durationMs: 430, peakG: 1.5, readings: 21, place: 'kitchen' }, at(3)),
  newEvent('cat.moved', 'collar/B', { from: null, to: 'att\u001b[31mic' }, at(4)),
];

function tempFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'collard-events-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function agentHome(): Promise<{ readonly config: string; readonly log: EventLog }> {
  const home = tempFolder();
  const config = join(home, 'agent.yaml');
  const path = join(home, 'events.db');
  writeFileSync(
    config,
    `agent: porch\nsources: [{ serial: /dev/x }]\nlog: { path: ${path} }\nmqtt: { url: "mqtt://127.0.0.1" }\n`,
  );
  const log = await openEventLog(
    { path, agent: 'porch', keepDays: 7, keepBytes: 1e9, budgetBytes: 1e9 },
    { when: () => at(0) },
  );
  onTestFinished(() => log.close());
  await log.append(story.slice(0, 2));
  await log.startEpoch('test');
  await log.append(story.slice(2));
  return { config, log };
}

describe('collard events', () => {
  it('prints the log of a running agent as CloudEvents, in order, over its epochs', async () => {
    const { config, log } = await agentHome();
    const { code, out } = await run('--config', config, '--json');
    expect(code).toBe(0);
    const decoded = lines(out).map((line) => decodeEvent(JSON.parse(line)));
    const epochs = log.epochs().map((e) => e.epoch);
    expect(decoded).toEqual(story.map((event, i) => ({ ...event, epoch: epochs[i < 2 ? 0 : 1], seq: (i % 2) + 1 })));
  });

  it('takes only the type, collar and time that were asked for, and no more than the limit', {
    timeout: 60_000,
  }, async () => {
    const { config } = await agentHome();
    const seqs = async (...args: string[]) =>
      lines((await run('--config', config, '--json', ...args)).out).map((line) => JSON.parse(line).time.slice(17, 19));
    expect(await seqs('--type', 'meow.started,collard.cat.moved')).toEqual(['01', '02', '04']);
    expect(await seqs('--collar', 'A')).toEqual(['01', '03']);
    expect(await seqs('--from', '2026-11-23T06:00:02Z', '--to', '2026-11-23T06:00:04Z')).toEqual(['02', '03']);
    expect(await seqs('--limit', '3')).toEqual(['01', '02', '03']);
    expect((await run('--config', config, '--from', 'yesterday')).code).toBe(64);
  });

  it('prints lines for people, with nothing in them that a terminal obeys', async () => {
    const { config } = await agentHome();
    const { out } = await run('--config', config);
    expect(lines(out)[2]).toMatch(
      /^2026-11-23T06:00:03\.000Z +meow\.ended +collar\/A +durationMs=430 .*place=kitchen porch #1$/,
    );
    expect(out).toContain('to=att\\u001b[31mic');
  });

  it('follows what comes until Ctrl-C', async () => {
    const { config, log } = await agentHome();
    const { child, text, done } = start(['--config', config, '--json', '--follow']);
    await expect.poll(() => lines(text.out).length).toBe(4);
    await log.append(story.slice(0, 1));
    await log.startEpoch('another');
    await log.append(story.slice(1, 2));
    await expect.poll(() => lines(text.out).length).toBe(6);
    child.kill('SIGINT');
    expect(await done).toMatchObject({ code: 130, err: '' });
  });

  it('ends quietly when nobody reads on', async () => {
    const { config, log } = await agentHome();
    await log.append(Array.from({ length: 5_000 }, () => story[2] ?? story).flat());
    const { child, done } = start(['--config', config, '--json']);
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await done).toMatchObject({ code: 0, err: '' });
  });

  it('prints the store of central the same way', async () => {
    const home = tempFolder();
    const config = join(home, 'central.yaml');
    const url = `sqlite:${join(home, 'central.db')}`;
    writeFileSync(config, `store: { url: "${url}" }\nmqtt: { url: "mqtt://127.0.0.1" }\n`);
    expect(await run('--config', config)).toMatchObject({
      code: 69,
      err: expect.stringContaining('there is no store'),
    });
    const store = await openStore({ url });
    const epoch = '01a20867-068a-70da-b9ee-759f41bde6a8';
    const stored = story.map((event, i) => ({ ...event, epoch, seq: i + 1 }));
    const chain = chainOver(chainStart('porch', epoch), stored);
    await store.ingest({ agent: 'porch', events: stored, chain }, '2026-11-23T07:00:00.000Z');
    const { out, code } = await run('--config', config, '--json');
    expect(code).toBe(0);
    expect(lines(out).map((line) => decodeEvent(JSON.parse(line)))).toEqual(stored);
    expect(lines((await run('--config', config, '--json', '--collar', 'B')).out)).toHaveLength(2);
    await store.close();
  });

  it('says that there is no log yet', async () => {
    const home = tempFolder();
    const config = join(home, 'agent.yaml');
    writeFileSync(
      config,
      `agent: porch\nsources: [{ serial: /dev/x }]\nlog: { path: ${home}/none.db }\nmqtt: { url: "mqtt://127.0.0.1" }\n`,
    );
    expect(await run('--config', config)).toMatchObject({ code: 69, err: expect.stringContaining('there is no log') });
  });

  it('prints one event by its id, and says where the rest goes on', async () => {
    const home = tempFolder();
    const { config, stored } = await centralHome(home);
    const one = await run('--config', config, '--id', `${stored[1]?.epoch}/2`);
    expect(one.out).toMatch(/^2026-11-23T06:00:04\.000Z +cat\.moved .*porch #2\n$/);
    const first = await run('--config', config, '--json', '--order', 'desc', '--cat', '1', '--limit', '2');
    const cursor = /^more: --before (\S+)$/m.exec(first.err)?.[1] ?? '';
    const rest = await run('--config', config, '--json', '--order', 'desc', '--cat', '1', '--before', cursor);
    const seqs = lines(first.out + rest.out).map((line) => JSON.parse(line).seq);
    expect(seqs).toEqual([1, 4, 3]);
  });

  it('says what it cannot be asked', async () => {
    const { config } = await agentHome();
    const ask = (...args: string[]) =>
      eventsCommand()
        .exitOverride()
        .configureOutput({ writeErr: () => undefined })
        .parseAsync(['--config', config, ...args], { from: 'user' });
    const wrong = [
      ['--cat', '1'],
      ['--sort', 'time'],
      ['--after', 'p1-2'],
      ['--order', 'desc', '--follow'],
      ['--order', 'desc', '--sort', 'position'],
      ['--before', 't'],
      ['--id', 'first'],
    ];
    for (const args of wrong) await expect(ask(...args), args.join(' ')).rejects.toMatchObject({ exitCode: 64 });
    await expect(ask('--id', '01a20867-068a-70da-b9ee-759f41bde6a8/1')).rejects.toMatchObject({ exitCode: 1 });
    await expect(ask('--order', 'up')).rejects.toMatchObject({ code: 'commander.invalidArgument' });
    const central = await centralHome(tempFolder());
    await expect(ask('--config', central.config, '--after', 'page2')).rejects.toMatchObject({ exitCode: 64 });
  });
});

/** A store whose order is not the order of time. */
async function centralHome(home: string) {
  const config = join(home, 'central.yaml');
  const url = `sqlite:${join(home, 'central.db')}`;
  writeFileSync(config, `store: { url: "${url}" }\nmqtt: { url: "mqtt://127.0.0.1" }\n`);
  const store = await openStore({ url });
  const epoch = '01a20867-068a-70da-b9ee-759f41bde6a8';
  const assigned = newEvent('collar.assigned', 'cat/1', { catId: 1, collar: 'A' }, at(0));
  const stored = [...story.slice(2), assigned, ...story.slice(0, 2)].map((e, i) => ({ ...e, epoch, seq: i + 1 }));
  await store.ingest({ agent: 'porch', events: stored, chain: null }, at(5).time);
  await store.close();
  return { config, stored };
}
