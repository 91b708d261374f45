/**
 * npm run bench:port -- [--rates 11520,1000000] [--seconds 10] [--runs 3]
 * What it costs to read a port at the pace of a line: 115 200 baud, and what USB at full speed carries. Bytes come every millisecond, as
 * from a receiver. Collars lie still: this is about reading, not about events. In turns, beside serialport's readline, which only counts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openPty, type Pty } from '../../src/simulator/pty.ts';
import { startMosquitto } from '../servers.ts';
import type { Contender } from './contender.ts';
import { begin } from './contenders/child.ts';
import { collard } from './contenders/collard.ts';
import { cpuSeconds } from './machine.ts';
import { median } from './report.ts';
import { framesOfRest, jsonOfRest } from './rest.ts';

const { values } = parseArgs({
  options: {
    rates: { type: 'string', default: '11520,1000000' },
    seconds: { type: 'string', default: '10' },
    runs: { type: 'string', default: '3' },
  },
});
/** V8 has compiled what is used much, and the log has found its size. */
const SETTLE_MS = 4_000;
const EACH_MS = 1;

/** The library as its manual shows it, and what nobody can do without: JSON.parse. */
function readline(parses: boolean): Contender {
  return {
    name: `serialport + readline${parses ? ' + JSON.parse' : ''}`,
    durable: false,
    format: 'json',
    missing: null,
    async start({ port, env }) {
      const program = fileURLToPath(new URL('./contenders/readline.mjs', import.meta.url));
      const child = begin(process.execPath, [program, port, String(parses)], { env });
      await child.says(/reads/, 60_000);
      return child;
    },
  };
}

const contenders = [readline(false), readline(true), collard('json'), collard('frame')];
const percents = new Map<string, number[]>();
for (let run = 1; run <= Number(values.runs); run += 1) {
  for (const rate of values.rates.split(',').map(Number)) {
    for (const one of contenders) {
      const { percent, bytesPerSecond } = await measure(one, rate);
      const key = `${rate} B/s, ${one.name}`;
      percents.set(key, [...(percents.get(key) ?? []), percent]);
      process.stderr.write(`run ${run}: ${key}: ${percent.toFixed(1)} % at ${Math.round(bytesPerSecond)} B/s\n`);
    }
  }
}
for (const rate of values.rates.split(',')) {
  const of = (name: string) => percents.get(`${rate} B/s, ${name}`) ?? [];
  const base = of(contenders[0]?.name ?? '');
  for (const { name } of contenders) {
    const ratio = median(of(name).map((percent, i) => percent / (base[i] ?? Number.NaN)));
    const cpu = `${median(of(name))?.toFixed(1)} % of a core (${Math.min(...of(name)).toFixed(1)} to ${Math.max(...of(name)).toFixed(1)})`;
    process.stdout.write(`${rate} B/s: ${name}: ${cpu}, ${ratio?.toFixed(2)} × serialport + readline\n`);
  }
}

async function measure(one: Contender, rate: number): Promise<{ percent: number; bytesPerSecond: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-port-'));
  const broker = await startMosquitto();
  const pty = openPty();
  const running = await one.start({ port: pty.path, brokerPort: broker.port, folder, env: process.env });
  try {
    const bytes = one.format === 'json' ? jsonOfRest() : framesOfRest();
    const from = await paced(pty, bytes, 0, rate, SETTLE_MS);
    const spent = () => running.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
    const [began, before] = [performance.now(), spent()];
    const to = await paced(pty, bytes, from, rate, Number(values.seconds) * 1_000);
    const seconds = (performance.now() - began) / 1_000;
    return { percent: ((spent() - before) / seconds) * 100, bytesPerSecond: (to - from) / seconds };
  } finally {
    await running.stop();
    await pty.close();
    await broker.stop();
    rmSync(folder, { recursive: true });
  }
}

/** What is due each millisecond, from byte `from` of `bytes` on, over and over. Resolves with how far it came. */
async function paced(pty: Pty, bytes: Uint8Array, from: number, rate: number, forMs: number): Promise<number> {
  const began = performance.now();
  let at = from;
  for (let passedMs = 0; passedMs < forMs; passedMs = performance.now() - began) {
    const due = from + Math.floor((passedMs * rate) / 1_000);
    while (at < due) {
      const start = at % bytes.length;
      const piece = bytes.subarray(start, Math.min(bytes.length, start + Math.min(4_096, due - at)));
      const left = await pty.write(piece);
      at += piece.length - left;
      if (left > 0) break;
    }
    await pause(EACH_MS);
  }
  return at;
}
