/** A whole machine by QEMU: Debian's kernel, a disk that outlives it, a USB socket, and a power cord that can be pulled. No KVM is needed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type GuestOptions, qemuOf } from './qemu.ts';

const BOOT_MS = 900_000;
const RUN_MS = 900_000;
const TICKS_PER_SECOND = 100;

export interface Guest {
  /** From power-on until the lab's shell answers. */
  readonly bootMs: number;
  readonly bootId: string;
  /** What the script wrote. Rejects with all of it where it ends with another code than 0. */
  run(script: string, withinMs?: number): Promise<string>;
  /** Asks again until it holds, or rejects with what came last. */
  until(what: string, script: string, holds: (out: string) => boolean, withinMs?: number): Promise<string>;
  /** The USB receiver is put into its socket, or pulled. */
  plug(): Promise<void>;
  unplug(): Promise<void>;
  /** Its power button. */
  press(): Promise<void>;
  /** The other end of the receiver's line. */
  readonly line: Socket;
  /** The last it said on its console. */
  console(): string;
  /** What all of it took of this machine's processors until now. A figure that does not grow with what else runs here. */
  cpuSeconds(): number;
  /** The power is gone, now. */
  cut(): Promise<void>;
}

interface Lines {
  readonly shell: Socket;
  readonly usb: Socket;
  readonly qmp: Socket;
}

export async function startGuest(options: GuestOptions): Promise<Guest> {
  const folder = mkdtempSync(join(tmpdir(), 'collard-guest-'));
  const startedAt = performance.now();
  const waits = { shell: listen(folder, 'shell'), usb: listen(folder, 'usb'), qmp: listen(folder, 'qmp') };
  const { program, args } = qemuOf(options, folder);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const orphan = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', orphan);
  const gone = once(child, 'close');
  let told = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part) => {
      told = (told + part).slice(-8_000);
    });
  const cut = async () => {
    child.kill('SIGKILL');
    await gone;
    process.removeListener('exit', orphan);
    rmSync(folder, { recursive: true, force: true });
  };
  const failed = ended(child, () => told);
  // Whoever waits for the machine is told; that it ends when nobody waits is no error.
  failed.catch(() => told);
  try {
    const [shell, usb, qmp] = await Promise.race([Promise.all([waits.shell, waits.usb, waits.qmp]), failed]);
    const monitor = createMonitor(qmp);
    const { run, boot } = createShell({ shell, usb, qmp });
    const bootId = await within(Promise.race([boot, failed]), BOOT_MS, () => `no machine has booted: ${told}`);
    const ask: Guest['run'] = (script, withinMs = RUN_MS) =>
      within(Promise.race([run(script), failed]), withinMs, () => `no answer to ${script}; ${told}`);
    return {
      bootMs: performance.now() - startedAt,
      bootId,
      run: ask,
      async until(what, script, holds, withinMs = 900_000) {
        const end = performance.now() + withinMs;
        while (true) {
          const out = await ask(`{ ${script}\n} || true`);
          if (holds(out)) return out;
          if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}; last: ${out}`);
          await pause(500);
        }
      },
      plug: () =>
        monitor('device_add', { driver: 'usb-serial', chardev: 'usb', id: 'receiver', bus: 'usb.0', serial: 'CR0001' }),
      unplug: () => monitor('device_del', { id: 'receiver' }),
      press: () => monitor('system_powerdown'),
      line: usb,
      console: () => told,
      cpuSeconds: () => cpuSecondsOf(child.pid),
      cut,
    };
  } catch (error) {
    await cut();
    throw error;
  }
}

function cpuSecondsOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resolves with the one that comes. */
async function listen(folder: string, name: string): Promise<Socket> {
  const server = createServer().listen(join(folder, name));
  server.unref();
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  // A line ends with its machine; what that means, its reader knows.
  socket.on('error', () => socket.destroy());
  return socket;
}

async function ended(child: ChildProcess, told: () => string): Promise<never> {
  const [code, signal] = await once(child, 'exit');
  throw new Error(`the machine ended with ${code ?? signal}: ${told()}`);
}

function createShell({ shell }: Lines) {
  const waiting = new Map<string, (answer: { status: number; out: string }) => void>();
  const boot = Promise.withResolvers<string>();
  let rest = '';
  let turn = 0;
  shell.on('data', (part) => {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [id = '', status = '', out = ''] = line.trim().split(' ');
      if (id === 'boot') boot.resolve(status);
      waiting.get(id)?.({ status: Number(status), out: Buffer.from(out, 'base64').toString() });
      waiting.delete(id);
    }
  });
  const run = async (script: string) => {
    turn += 1;
    const answer = Promise.withResolvers<{ status: number; out: string }>();
    waiting.set(String(turn), answer.resolve);
    shell.write(`${turn} ${Buffer.from(script).toString('base64')}\n`);
    const { status, out } = await answer.promise;
    if (status !== 0) throw new Error(`${script}: ended with ${status}: ${out}`);
    return out;
  };
  return { run, boot: boot.promise };
}

/** Commands to QEMU. What they start is not yet done when one resolves. */
function createMonitor(qmp: Socket) {
  const answers: ((error: Error | null) => void)[] = [];
  let rest = '';
  qmp.on('data', (part) => {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const said = JSON.parse(line) as { return?: unknown; error?: { desc: string } };
      if (said.return !== undefined) answers.shift()?.(null);
      else if (said.error !== undefined) answers.shift()?.(new Error(`QEMU: ${said.error.desc}`));
    }
  });
  const send = (execute: string, given?: object) =>
    new Promise<void>((resolve, reject) => {
      answers.push((error) => (error === null ? resolve() : reject(error)));
      qmp.write(`${JSON.stringify({ execute, arguments: given })}\n`);
    });
  const ready = send('qmp_capabilities');
  return async (execute: string, given?: object) => {
    await ready;
    await send(execute, given);
  };
}

async function within<T>(work: Promise<T>, ms: number, otherwise: () => string): Promise<T> {
  const stop = new AbortController();
  const late = pause(ms, null, { signal: stop.signal }).then(
    () => Promise.reject(new Error(`not within ${ms} ms: ${otherwise()}`)),
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    stop.abort();
  }
}
