import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Running, runAsService, type Vitals } from '../../src/cli/as-service.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const well: Vitals = { status: () => 'all is well', overdue: () => [] };
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

interface Bench {
  readonly told: Readonly<Record<string, string>>[];
  readonly lines: string[];
  readonly stop: AbortController;
  reload(): void;
  readonly done: Promise<void>;
}

/** Runs `run` with the configurations in turn; one that is an error does not load. */
function bench(
  configs: readonly (string | Error)[],
  run: (config: string, running: Running, signal: AbortSignal) => Promise<void>,
  notify?: () => void,
): Bench {
  const told: Readonly<Record<string, string>>[] = [];
  const lines: string[] = [];
  const stop = new AbortController();
  const line = (_fields: object, text: string) => void lines.push(text);
  const [first, ...later] = configs;
  let reload = () => undefined as undefined;
  const done = runAsService<string>(
    {
      manager: { watchdogMs: 9_000, notify: notify ?? ((state) => void told.push(state)) },
      first: String(first),
      load: () => {
        const next = later.shift() ?? new Error('no more');
        if (next instanceof Error) throw next;
        return next;
      },
      run,
      logger: { info: line, warn: line, error: line },
      onReload: (call) => {
        reload = () => void call();
      },
    },
    stop.signal,
  );
  return { told, lines, stop, reload: () => reload(), done };
}

describe('a service', () => {
  it('says that it is ready, how it stands when that changes, and that it moves', async () => {
    let status = 'all is well';
    const { told, stop, done } = bench(['a'], async (_config, { ready }, signal) => {
      ready({ status: () => status, overdue: () => [] });
      await untilAborted(signal);
    });
    await vi.advanceTimersByTimeAsync(3_000);
    status = '3 events wait';
    await vi.advanceTimersByTimeAsync(3_000);
    stop.abort();
    await done;
    expect(told).toEqual([
      { READY: '1' },
      { STATUS: 'all is well', WATCHDOG: '1' },
      { WATCHDOG: '1' },
      { STATUS: '3 events wait', WATCHDOG: '1' },
      { STOPPING: '1' },
    ]);
  });

  it('starves the watchdog while one of its loops stands still, and says which', async () => {
    let overdue: readonly string[] = [];
    const { told, stop, done } = bench(['a'], async (_config, { ready }, signal) => {
      ready({ status: () => 'online', overdue: () => overdue });
      await untilAborted(signal);
    });
    overdue = ['log for 301 s'];
    await vi.advanceTimersByTimeAsync(3_000);
    expect(told.slice(2)).toEqual([{ STATUS: 'stands still: log for 301 s; online' }]);
    stop.abort();
    await done;
  });

  it('goes on with a new configuration at a reload', async () => {
    const seen: string[] = [];
    const { told, stop, done, reload } = bench(['a', 'b'], async (config, { ready }, signal) => {
      seen.push(config);
      ready(well);
      await untilAborted(signal);
    });
    reload();
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toEqual(['a', 'b']);
    expect(told.map((state) => Object.keys(state).join())).toEqual([
      'READY',
      'STATUS,WATCHDOG',
      'RELOADING,MONOTONIC_USEC',
      'READY',
      'WATCHDOG',
    ]);
    stop.abort();
    await done;
  });

  it('keeps the old one where the new one is not sound', async () => {
    const seen: string[] = [];
    const { lines, stop, done, reload } = bench(
      ['a', new Error('agent.yaml:3:1')],
      async (config, { ready }, signal) => {
        seen.push(config);
        ready(well);
        await untilAborted(signal);
      },
    );
    reload();
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toEqual(['a']);
    expect(lines).toEqual(['not loaded anew: the configuration before goes on']);
    stop.abort();
    await done;
  });

  it('goes back to the old one where the new one does not start', async () => {
    const seen: string[] = [];
    const { lines, stop, done, reload } = bench(['a', 'b'], async (config, { ready }, signal) => {
      seen.push(config);
      if (config === 'b') throw new Error('the log is of another agent');
      ready(well);
      await untilAborted(signal);
    });
    reload();
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toEqual(['a', 'b', 'a']);
    expect(lines.at(-1)).toBe('the new configuration does not start: back to the one before');
    stop.abort();
    await done;
  });

  it('ends with the error of its run', async () => {
    const { done } = bench(['a'], async (_config, { ready }) => {
      ready(well);
      throw new Error('the disk is gone');
    });
    await expect(done).rejects.toThrow('the disk is gone');
  });

  it('goes on where nobody can be told, and says so once', async () => {
    const fail = () => {
      throw new Error('no socket');
    };
    const run = async (_config: string, { ready }: Running, signal: AbortSignal) => {
      ready(well);
      await untilAborted(signal);
    };
    const { lines, stop, done } = bench(['a'], run, fail);
    await vi.advanceTimersByTimeAsync(9_000);
    stop.abort();
    await done;
    expect(lines).toEqual(['systemd is not told how it stands']);
  });
});
