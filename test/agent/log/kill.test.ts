import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { chainHex, chainOver, chainStart } from '../../../src/contract/chain.ts';
import { openLog, readAll, tempPath } from './log-fixture.ts';

const KILLS = 10;
const program = fileURLToPath(new URL('./append-forever.ts', import.meta.url));

/** Runs the program until it has acknowledged `acks` appends, then kill -9. Returns the last acknowledged seq. */
async function killAfter(path: string, where: string, acks: number): Promise<number> {
  const child = spawn(process.execPath, [program, path, where], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    if (text.split('\n').length > acks) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return Number(text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1));
}

it.each(['alone', 'thread'])(
  'loses no event that was acknowledged before kill -9 (%s)',
  async (where) => {
    const path = tempPath();
    let acked = 0;
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const now = await killAfter(path, where, kill * 7);
      expect(now).toBeGreaterThan(acked);
      acked = now;
      const log = await openLog(path);
      const [head, ...others] = log.epochs();
      expect(others).toEqual([]);
      expect(head?.lastSeq).toBeGreaterThanOrEqual(acked);
      const events = await readAll(log);
      expect(events.map((e) => e.seq)).toEqual(events.map((_, i) => i + 1));
      const chain = await log.chainAt(head?.epoch ?? '', events.length);
      expect(chain && chainHex(chain)).toBe(chainHex(chainOver(chainStart('porch', head?.epoch ?? ''), events)));
      await log.close();
    }
  },
  60_000,
);
