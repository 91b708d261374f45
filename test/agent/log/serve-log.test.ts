/** What the thread of the log does, here in ours: behind a port, as there. */
import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type LogAnswer, type LogMethod, type LogRequest, serveLog } from '../../../src/agent/log/serve-log.ts';
import type { StoredEvent } from '../../../src/contract/event.ts';
import { GIGABYTE, levels, openLog, T0, tempPath, timeAt } from './log-fixture.ts';

const DAY_MS = 86_400_000;
const whenAt = (ms: number) => ({ time: timeAt(ms), clock: 'synced', boot: null, monoMs: null }) as const;

interface Caller {
  readonly port: MessagePort;
  /** What came, in order, until `count` have come. */
  heard(count: number): Promise<readonly LogAnswer[]>;
  ask(method: LogMethod, args?: readonly unknown[], ms?: number): number;
}

async function serve(path: string, limits: object = {}): Promise<Caller> {
  const { port1, port2 } = new MessageChannel();
  const answers: LogAnswer[] = [];
  port1.on('message', (answer: LogAnswer) => answers.push(answer));
  onTestFinished(() => port1.close());
  let id = 0;
  const options = { path, agent: 'porch', keepDays: 7, keepBytes: GIGABYTE, budgetBytes: GIGABYTE, ...limits };
  await serveLog(port2, { options, when: whenAt(T0) });
  return {
    port: port1,
    async heard(count) {
      while (answers.length < count) await once(port1, 'message');
      return answers;
    },
    ask(method, args = [], ms = T0) {
      id += 1;
      port1.postMessage({ id, when: whenAt(ms), method, args } satisfies LogRequest);
      return id;
    },
  };
}

describe('the thread of the log', () => {
  it('tells that it has opened the log, and how it stands after each call', async () => {
    const { heard, ask } = await serve(tempPath());
    ask('append', [levels(3)]);
    const [opened, done] = await heard(2);
    expect(opened).toMatchObject({
      type: 'opened',
      state: { epochs: [{ lastSeq: 0 }], incarnation: null, unsyncedBoot: null, failedSources: [] },
    });
    expect(done).toMatchObject({ type: 'done', id: 1, value: { firstSeq: 1, lastSeq: 3 } });
    expect(done).toMatchObject({ state: { epochs: [{ firstSeq: 1, lastSeq: 3 }], bytes: expect.any(Number) } });
    expect(done?.type === 'done' && done.state.bytes).toBeGreaterThan(4_096);
    ask('close');
    await heard(3);
  });

  it('answers in the order of the calls, with the code of what fails, and goes on', async () => {
    const { heard, ask } = await serve(tempPath());
    ask('append', [[{ ...levels(1)[0], data: 'no JSON' }]]);
    ask('no such call' as LogMethod);
    ask('append', [levels(1)]);
    expect((await heard(4)).slice(1)).toEqual([
      {
        type: 'failed',
        id: 1,
        code: 'BAD_EVENT',
        message: 'event collard.meow.started cannot be stored: data is not JSON',
      },
      // A fault of ours has no code.
      { type: 'failed', id: 2, code: '', message: expect.stringContaining('is not a function') },
      expect.objectContaining({ type: 'done', id: 3 }),
    ]);
    ask('close');
    await heard(5);
  });

  it('takes the time of what the log tells by itself from its caller', async () => {
    const { heard, ask } = await serve(tempPath(), { budgetBytes: 100_000 });
    for (let i = 0; i < 30; i += 1) ask('append', [levels(100)]);
    ask('trim', [T0], T0 + 77_000);
    const [, , trimmed] = (await heard(32)).slice(-3);
    expect(trimmed).toMatchObject({ type: 'done', id: 31, value: { lost: expect.any(Number) } });
    const [head] = trimmed?.type === 'done' ? trimmed.state.epochs : [];
    ask('read', [head?.epoch, head?.lastSeq, head?.lastSeq, 1, 1e9]);
    const read = (await heard(33)).at(-1);
    const [told] = read?.type === 'done' ? (read.value as StoredEvent[]) : [];
    expect(told).toMatchObject({ type: 'collard.history.lost', time: timeAt(T0 + 77_000) });
    ask('close');
    await heard(34);
  });

  it('says why the log is not opened, and ends', async () => {
    const path = tempPath();
    await (await openLog(path, { agent: 'garden' })).close();
    const { heard, port } = await serve(path);
    expect(await heard(1)).toEqual([
      { type: 'refused', code: 'LOG_OTHER_AGENT', message: expect.stringContaining('belongs to agent "garden"') },
    ]);
    port.close();
  });

  it('tells of a damaged log before it has opened another one', async () => {
    const path = tempPath();
    const log = await openLog(path);
    await log.append(levels(20));
    await log.append(levels(20));
    await log.close();
    const db = new Database(path);
    db.exec('DELETE FROM event WHERE pos = 35');
    db.close();
    const { heard, ask } = await serve(path);
    expect(await heard(3)).toMatchObject([
      { type: 'damaged', aside: expect.stringContaining(`${path}.damaged-`), reason: expect.stringContaining('saved') },
      { type: 'lost', lost: { fromSeq: 21, toSeq: 40, count: 20, reason: 'damaged log' } },
      { type: 'opened', state: { epochs: [{ lastSeq: 40 }, { lastSeq: 1 }] } },
    ]);
    ask('close');
    await heard(4);
  });

  it('tells that another program holds the file, before the call is answered', async () => {
    const path = tempPath();
    const { heard, ask } = await serve(path);
    const locked = vi.spyOn(Database.prototype, 'transaction').mockImplementationOnce(() => {
      throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' });
    });
    onTestFinished(() => locked.mockRestore());
    ask('append', [levels(1)]);
    expect((await heard(3)).slice(1)).toMatchObject([
      { type: 'held', message: expect.stringContaining(`log ${path}: database is locked: end the program`) },
      { type: 'done', value: { firstSeq: 1 } },
    ]);
    ask('close');
    await heard(4);
  });

  it('closes its port behind the last answer, also of a trim that was under way', async () => {
    const { heard, ask, port } = await serve(tempPath(), { keepDays: 0 });
    ask('append', [levels(9_000, -9_000_000)]);
    const opened = (await heard(2))[1];
    const epoch = opened?.type === 'done' ? (opened.state.epochs[0]?.epoch ?? '') : '';
    ask('saveMark', [epoch, 9_000, 'i']);
    const [trim, close] = [ask('trim', [T0 + DAY_MS]), ask('close')];
    await once(port, 'close');
    expect((await heard(5)).slice(-2)).toMatchObject([
      { type: 'done', id: close },
      { type: 'done', id: trim, value: { deleted: 2_000, lost: 0 } },
    ]);
  });
});
