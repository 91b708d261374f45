/** How far a command has come through work of a known size: one line on a terminal, from the second second on, and nothing elsewhere. */
import { safe } from './output.ts';

export interface Meter {
  /** So much of `total` is done. */
  at(done: number, total: number, label: string): void;
  /** Before anything else is written to the terminal. */
  clear(): void;
}

const QUIET_MS = 1_000;
const EVERY_MS = 100;

type Stream = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'>;

/** `quietMs`: nothing is shown before so long. */
export function createMeter(
  stream: Stream = process.stderr,
  nowMs = () => performance.now(),
  quietMs = QUIET_MS,
): Meter {
  const beganAt = nowMs();
  let shownAt = beganAt + quietMs - EVERY_MS;
  let isShown = false;
  return {
    at(done, total, label) {
      const now = nowMs();
      if (!stream.isTTY || now - shownAt < EVERY_MS || total <= 0) return;
      shownAt = now;
      isShown = true;
      const share = Math.min(1, done / total);
      const left = share > 0 ? `, ${inWords(((now - beganAt) * (1 - share)) / share)} left` : '';
      const line = `${safe(label)}: ${Math.floor(100 * share)} %${left}`;
      stream.write(`\r\u001b[K${line.slice(0, widthOf(stream) - 1)}`);
    },
    clear() {
      if (isShown) stream.write('\r\u001b[K');
      isShown = false;
    },
  };
}

/** A serial console tells no width, or 0. */
export function widthOf({ columns }: { readonly columns: number | undefined }): number {
  return columns === undefined || columns < 2 ? 80 : columns;
}

function inWords(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  return seconds < 100 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
