/**
 * GPIO lines as a source: opens, gives each edge as a line of text (gpio-lines.ts), and opens again when the chip went away. By
 * the kernel's own interface where the C library can be called, else by gpiomon.
 */
import { type BackoffLimits, backoffMs, delay } from '../../lib/wait.ts';
import { createByteInbox } from './byte-inbox.ts';
import { watchGpiomonLines } from './gpio-gpiomon.ts';
import { watchKernelLines } from './gpio-kernel.ts';
import { openLibc } from './gpio-libc.ts';
import type { LinesRequest, WatchLines } from './gpio-lines.ts';
import type { Source, SourceInput } from './source.ts';

export interface GpioPorts {
  readonly monoNow: () => number;
  readonly random: () => number;
  readonly watch?: WatchLines;
  readonly retry?: BackoffLimits;
}

/** Edges that wait for the loop: some forty thousand. */
const INBOX_BYTES = 1024 * 1024;
const RETRY: BackoffLimits = { firstMs: 250, maxMs: 10_000 };
const DAY_MS = 86_400_000;

export function openGpioSource(request: LinesRequest, ports: GpioPorts): Source {
  let earlierBytes = 0;
  let overrun = () => 0;
  let watch = ports.watch ?? null;
  return {
    name: `gpio ${request.chip}`,
    get overrunBytes() {
      return earlierBytes + overrun();
    },
    async *inputs(signal): AsyncGenerator<SourceInput> {
      let failedBefore = false;
      let attempt = 0;
      while (!signal.aborted) {
        const inbox = createByteInbox(INBOX_BYTES);
        overrun = () => inbox.overrunBytes;
        let reason: string;
        try {
          watch ??= await bestWatch();
          const sink = {
            text: (bytes: Buffer) => void inbox.push({ bytes, atMs: ports.monoNow() }),
            end: (why: string) => inbox.end(why),
          };
          const lines = await watch(request, sink);
          try {
            failedBefore = false;
            yield { type: 'opened' };
            // A line that says nothing is a room where nobody moves.
            let taken = await inbox.take(DAY_MS, signal);
            for (; taken.type === 'chunk' || taken.type === 'nothing'; taken = await inbox.take(DAY_MS, signal)) {
              if (taken.type === 'nothing') continue;
              attempt = 0;
              yield { type: 'bytes', ...taken.chunk };
            }
            reason = taken.type === 'ended' ? taken.reason : '';
          } finally {
            await lines.close();
          }
        } catch (error) {
          reason = error instanceof Error ? error.message : String(error);
        }
        earlierBytes += inbox.overrunBytes;
        overrun = () => 0;
        if (signal.aborted) return;
        if (!failedBefore) yield { type: 'failed', reason };
        failedBefore = true;
        await delay(backoffMs(attempt, ports.retry ?? RETRY, ports.random()), signal);
        attempt += 1;
      }
    },
  };
}

async function bestWatch(): Promise<WatchLines> {
  const libc = await openLibc();
  return libc === null ? watchGpiomonLines() : watchKernelLines(libc);
}
