/** A terminal for one screen: keys one by one, and lines drawn in place. What was there comes back at the end. */
import { createQueue, type Queue } from '../lib/queue.ts';

export interface Terminal {
  /** Single characters as they are pressed. */
  readonly keys: Queue<string>;
  size(): { readonly columns: number; readonly rows: number };
  draw(lines: readonly string[]): void;
  close(): void;
}

const MAX_KEYS = 64;
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';

/** stdin and stdout must be terminals. */
export function openTerminal(): Terminal {
  const { stdin, stdout } = process;
  const keys = createQueue<string>(MAX_KEYS);
  const press = (bytes: Buffer) => {
    for (const key of bytes.toString('latin1')) keys.push(key);
  };
  stdin.setRawMode(true);
  stdin.on('data', press).resume();
  stdout.write(ENTER);
  return {
    keys,
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    draw: (lines) => void stdout.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\r\n')}\u001b[J`),
    close() {
      keys.close();
      stdin.off('data', press).pause();
      stdin.setRawMode(false);
      stdout.write(LEAVE);
    },
  };
}
