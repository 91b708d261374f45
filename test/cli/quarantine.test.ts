import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { quarantineCommand } from '../../src/cli/quarantine.ts';
import { encodeBatch } from '../../src/contract/envelope.ts';
import { agentTopic } from '../../src/contract/topic.ts';
import { type Serving, startServing } from '../central/api/serving.ts';
import { epochId, meowing, NOW } from '../central/store/events.ts';
import { quarantine, saveHealth, saveState } from '../central/store/said.ts';

describe('collard quarantine', () => {
  let central: Serving;
  let out = '';
  let err = '';
  beforeEach(async () => {
    central = await startServing();
    await saveState(central.store, 'porch', { state: 'online', session: 1, version: '1' }, NOW);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
    await central.stop();
  });

  const run = async (...args: string[]): Promise<string> => {
    [out, err] = ['', ''];
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text);
      return true;
    });
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      err += String(text);
      return true;
    });
    await quarantineCommand().parseAsync([...args, '--url', central.url], { from: 'user' });
    return out;
  };
  const put = (payload: string, reason = 'is no JSON') => {
    const topic = agentTopic('collard/v1', 'porch', 'events');
    const message = { agent: 'porch', topic, payload: Buffer.from(payload), kind: 'unreadable', reason } as const;
    return quarantine(central.store, message, NOW);
  };

  test('lists what is there, harmless for a terminal, and what agents cannot send', async () => {
    expect(await run('list')).toBe('nothing is in quarantine\n');
    await put('{', 'bad \u001b[31m');
    await saveHealth(central.store, 'porch', { oversize: 2 }, NOW);
    expect(await run('list')).toMatch(/^1 +\S+ +1 +porch +unreadable +1 +\S+\/porch\/events +bad \\u001b\[31m$/m);
    expect(err).toContain('1 messages, 1 bytes held; 1 came in all');
    expect(err).toContain('porch holds 2 events that are larger than its broker takes');
    expect(JSON.parse(await run('list', '--json'))).toMatchObject({ no: 1, agent: 'porch', bytes: 1 });
    expect(await run('list', '--agent', 'shed')).toBe('nothing is in quarantine\n');
  });

  test('exports messages whole', async () => {
    await put('{"a":1');
    await put('second');
    const lines = (await run('export')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { no: 1, payload: Buffer.from('{"a":1').toString('base64'), text: '{"a":1' },
      { no: 2, text: 'second' },
    ]);
    expect(JSON.parse(await run('export', '2'))).toMatchObject({ no: 2 });
    await expect(run('export', '7')).rejects.toMatchObject({ exitCode: 1 });
  });

  test('retries all: what can be stored leaves, the rest stays and the exit code tells', async () => {
    await put(encodeBatch(meowing('porch', epochId(1), 2).batch(1, 2)));
    expect(await run('retry', '--all')).toBe('1 is stored: 2 new, 0 known, 0 conflicting\n');
    expect(process.exitCode).toBeUndefined();
    await put('{');
    await put(encodeBatch(meowing('porch', epochId(1), 3).batch(3, 3)));
    expect(await run('retry', '--all')).toBe(
      '2 stays: payload is not JSON in UTF-8, or nested too deeply\n3 is stored: 1 new, 0 known, 0 conflicting\n',
    );
    expect(process.exitCode).toBe(1);
    expect(JSON.parse(await run('retry', '2', '--json'))).toMatchObject({ no: 2, ok: false });
  });

  test('drops those named, or all when told so', async () => {
    for (const text of ['a', 'b', 'c']) await put(text);
    expect(await run('drop', '2')).toBe('1 dropped\n');
    await expect(run('drop')).rejects.toMatchObject({ exitCode: 64 });
    await expect(run('drop', 'two')).rejects.toMatchObject({ exitCode: 64 });
    expect(JSON.parse(await run('drop', '--all', '--json'))).toEqual({ dropped: 2 });
    expect(await run('list')).toBe('nothing is in quarantine\n');
  });

  test('lists and exports conflicts', async () => {
    expect(await run('list', '--conflicts')).toBe('no conflicts\n');
    await central.store.ingest(meowing('porch', epochId(1), 2).batch(1, 2), NOW);
    await central.store.ingest(meowing('porch', epochId(1), 2, 'COPY').batch(1, 2), NOW);
    expect(await run('list', '--conflicts')).toContain('collar/COPY');
    const lines = (await run('export', '--conflicts')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).seq)).toEqual([1, 2]);
    await run('list');
    expect(err).toContain('porch has 2 conflicts');
  });
});
