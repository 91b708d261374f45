/** Asks a process of Node.js that was started with `--inspect` what its memory holds, after it has collected what it can. */
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../servers.ts';

export interface Memory {
  readonly rssBytes: number;
  /** Of the main thread, after its garbage was collected. */
  readonly heapBytes: number;
  /** Buffers and what else V8 knows of outside of its heap. */
  readonly externalBytes: number;
}

export interface Inspector {
  memory(): Promise<Memory>;
  close(): void;
}

const ANSWER_MS = 60_000;

/** Resolves once the process answers. */
export async function openInspector(port: number): Promise<Inspector> {
  let url: string | undefined;
  const look = async () => {
    const list = await fetch(`http://127.0.0.1:${port}/json`).catch(() => null);
    url =
      list === null ? undefined : ((await list.json()) as { webSocketDebuggerUrl: string }[])[0]?.webSocketDebuggerUrl;
    return url !== undefined;
  };
  await until('the process can be looked into', look);
  const socket = new WebSocket(url ?? '');
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error('the inspector lets nobody in')), { once: true });
  });
  const waiting = new Map<number, (result: Readonly<Record<string, unknown>>) => void>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data));
    waiting.get(id)?.(result ?? { error });
    waiting.delete(id);
  });
  let asked = 0;
  const ask = (method: string, params = {}): Promise<Readonly<Record<string, unknown>>> => {
    asked += 1;
    const id = asked;
    socket.send(JSON.stringify({ id, method, params }));
    const answer = new Promise<Readonly<Record<string, unknown>>>((resolve) => waiting.set(id, resolve));
    const late = new AbortController();
    const never = pause(ANSWER_MS, null, { signal: late.signal }).then(() => {
      throw new Error(`${method} is not answered within ${ANSWER_MS} ms`);
    });
    never.catch(() => undefined);
    return Promise.race([answer, never]).finally(() => late.abort());
  };
  return {
    async memory() {
      // What the first collection lets go of, the second one takes.
      for (let n = 0; n < 2; n += 1) await ask('HeapProfiler.collectGarbage');
      const expression = 'JSON.stringify(process.memoryUsage())';
      const { result } = await ask('Runtime.evaluate', { expression, returnByValue: true });
      const { value } = result as { value: string };
      const { rss, heapUsed, external } = JSON.parse(value) as Record<'rss' | 'heapUsed' | 'external', number>;
      return { rssBytes: rss, heapBytes: heapUsed, externalBytes: external };
    },
    close: () => socket.close(),
  };
}
