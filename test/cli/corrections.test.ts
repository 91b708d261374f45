import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { eventsCommand } from '../../src/cli/events.ts';
import { createSender, type Serving, startServing } from '../central/api/serving.ts';

describe('collard events revoke and reassign', () => {
  let central: Serving;
  let folder: string;
  let config: string;
  let out: string;
  beforeEach(async () => {
    central = await startServing();
    folder = mkdtempSync(join(tmpdir(), 'collard-corrections-'));
    config = join(folder, 'central.yaml');
    const http = `http: { port: ${new URL(central.url).port} }`;
    const mqtt = 'mqtt: { url: "mqtt://127.0.0.1:1883" }';
    writeFileSync(config, `store: { url: "sqlite:${central.path}" }\n${mqtt}\n${http}\n`);
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await central.call('POST', 'api/v1/cats', { name: 'Otto' });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await central.stop();
    rmSync(folder, { recursive: true });
  });

  const run = async (...args: string[]): Promise<string> => {
    out = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text);
      return true;
    });
    await eventsCommand().parseAsync([...args, '--config', config], { from: 'user' });
    return out;
  };
  const locations = async () =>
    (await central.store.cats(new Date())).map(({ name, location }) => `${name} ${location ?? '-'}`);

  test('give an event to another cat, take it back, undo that, and say so each time', async () => {
    const { epoch, seq } = await createSender(central).send('cat.moved', 'collar/C1', { from: null, to: 'attic' });
    const id = `${epoch}/${seq}`;
    expect(await run('reassign', id, 'otto', '--reason', 'his collar')).toBe(`${id} was about otto\n`);
    expect(await run('reassign', id, 'Otto', '--reason', 'his collar')).toBe('it was given to Otto before\n');
    expect(await locations()).toEqual(['Mia -', 'Otto attic']);
    const given = await run('--type', 'cat.moved');
    const [, by = ''] = /\[given to cat 2 by (\S+): his collar\]$/m.exec(given) ?? [];
    expect(await run('revoke', id, '--reason', 'a bird')).toBe(`${id} is taken back\n`);
    expect(await run('revoke', id, '--reason', 'a bird')).toBe('it was taken back before\n');
    expect(await locations()).toEqual(['Mia -', 'Otto -']);
    expect(await run('--type', 'cat.moved')).toMatch(/\[taken back by \S+: a bird\]$/m);
    expect(JSON.parse(await run('--id', id, '--json'))).toMatchObject({
      id,
      revoked: true,
      reassignedto: 2,
      correction: 'a bird',
    });
    const { correctedby: revoked } = JSON.parse(await run('--id', id, '--json'));
    const undone = JSON.parse(await run('revoke', revoked, '--reason', 'no bird', '--json'));
    expect(undone).toEqual({ revoked: true, events: [revoked] });
    await run('revoke', by, '--reason', 'hers');
    expect(await locations()).toEqual(['Mia attic', 'Otto -']);
    expect(JSON.parse(await run('--id', id, '--json'))).not.toHaveProperty('correctedby');
  });

  test('a shake is taken back as a whole', async () => {
    const sender = createSender(central);
    const start = await sender.send('meow.started', 'collar/C1', { level: 1 });
    const shake = { durationMs: 400, peakG: 1, readings: 9, place: null };
    const end = await sender.send('meow.ended', 'collar/C1', shake);
    const ids = [start, end].map(({ epoch, seq }) => `${epoch}/${seq}`);
    expect(await run('revoke', ids[0] ?? '', '--reason', 'a bird')).toBe(
      `${ids.join(' is taken back\n')} is taken back\n`,
    );
  });

  test('refuse what cannot be, in the words of central', async () => {
    const unknown = '01a20867-068a-70da-b9ee-759f41bde6a8/99';
    const no = { exitCode: 1, message: 'event not found' };
    await expect(run('revoke', unknown, '--reason', 'x')).rejects.toMatchObject(no);
    await expect(run('reassign', unknown, 'Mia', '--reason', 'x')).rejects.toMatchObject(no);
    await expect(run('reassign', unknown, 'Tom', '--reason', 'x')).rejects.toMatchObject({ message: 'cat not found' });
    await expect(run('revoke', 'yesterday', '--reason', 'x')).rejects.toMatchObject({ exitCode: 64 });
    await expect(run('revoke', unknown, '--reason', ' ')).rejects.toMatchObject({ exitCode: 64 });
  });
});
