import { spawn, spawnSync } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SerialPortMock } from 'serialport';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { INBOX_BYTES, openSerialSource, type SerialPorts, UNSENT_BYTES } from '../../../src/agent/source/serial.ts';
import type { Source, SourceInput } from '../../../src/agent/source/source.ts';
import type { PortStream } from '../../../src/agent/source/system-port.ts';
import { openPty as openMaster } from '../../../src/simulator/pty.ts';
import { openPty, skipPty } from './pty.ts';

const whyNoPty = (() => {
  try {
    void openMaster().close();
    return null;
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    return String(error);
  }
})();

/** What nobody holds any more must not count. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 1));
}

const retry = { firstMs: 2, maxMs: 10 };
const steady: SerialPorts = { monoNow: () => 42, random: () => 0.5, retry };

/** Collects what a source gives until the test is over. */
function collect(source: Source) {
  const stop = new AbortController();
  const inputs: SourceInput[] = [];
  const done = (async () => {
    for await (const input of source.inputs(stop.signal)) inputs.push(input);
  })();
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
  return {
    inputs,
    kinds: () => inputs.map((input) => input.type),
    text: () =>
      inputs.map((input) => (input.type === 'bytes' ? Buffer.from(input.bytes).toString('latin1') : '')).join(''),
    reasons: () => inputs.flatMap((input) => (input.type === 'failed' ? [input.reason] : [])),
    stop: async () => {
      stop.abort();
      await done;
    },
  };
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'collard-serial-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A driver that does what the test says. */
function script(steps: ((port: ScriptedPort) => void)[]): SerialPorts & { readonly opened: ScriptedPort[] } {
  const opened: ScriptedPort[] = [];
  return {
    ...steady,
    explain: async (path, fallback) => `${path}: ${fallback}`,
    opened,
    create: () => {
      const port = new ScriptedPort(steps[opened.length] ?? (() => undefined));
      opened.push(port);
      return port;
    },
  };
}

class ScriptedPort implements PortStream {
  isOpen = false;
  readonly listeners = new Map<string, (argument: never) => void>();
  readonly step: (port: ScriptedPort) => void;
  constructor(step: (port: ScriptedPort) => void) {
    this.step = step;
  }
  on(event: string, listener: (argument: never) => void) {
    this.listeners.set(event, listener);
  }
  emit(event: string, argument?: unknown) {
    this.listeners.get(event)?.(argument as never);
  }
  open(done: (error: Error | null) => void) {
    this.isOpen = true;
    try {
      this.step(this);
      done(null);
    } catch (error) {
      this.isOpen = false;
      done(error as Error);
    }
  }
  close(done: (error: Error | null) => void) {
    this.isOpen = false;
    done(null);
  }
  readonly written: string[] = [];
  readonly taken: (() => void)[] = [];
  write(bytes: Buffer, done: (error: Error | null) => void) {
    this.written.push(bytes.toString());
    this.taken.push(() => done(null));
  }
}

describe('a serial source', () => {
  const config = { serial: '/dev/ttyX', baud: 115_200, silentAfterMs: 5_000 };

  it('says that it failed once, and that it is open again once', async () => {
    const refuse = () => {
      throw new Error('nobody home');
    };
    const ports = script([refuse, refuse, refuse, (port) => port.emit('data', Buffer.from('x'))]);
    const seen = collect(openSerialSource(config, ports));
    await expect.poll(() => seen.text()).toBe('x');
    expect(seen.kinds()).toEqual(['failed', 'opened', 'bytes']);
    expect(seen.reasons()).toEqual(['/dev/ttyX: nobody home']);
  });

  it('opens afresh after an unplug, though the driver says close twice', async () => {
    const ports = script([
      (port) => port.emit('data', Buffer.from('a')),
      (port) => port.emit('data', Buffer.from('b')),
    ]);
    const seen = collect(openSerialSource(config, ports));
    await expect.poll(() => seen.text()).toBe('a');
    for (const event of ['error', 'close', 'close']) ports.opened[0]?.emit(event, new Error('EIO'));
    await expect.poll(() => seen.text()).toBe('ab');
    expect(seen.kinds()).toEqual(['opened', 'bytes', 'failed', 'opened', 'bytes']);
    expect(seen.reasons()[0]).toMatch(/went away \(EIO\)/);
  });

  it('takes long silence for a failure, reopens, and is well again with the first byte only', async () => {
    const quiet = () => undefined;
    const ports = script([quiet, quiet, quiet, (port) => port.emit('data', Buffer.from('z'))]);
    const seen = collect(openSerialSource({ ...config, silentAfterMs: 5 }, ports));
    await expect.poll(() => seen.text()).toBe('z');
    expect(seen.kinds().slice(0, 4)).toEqual(['opened', 'failed', 'opened', 'bytes']);
    expect(seen.reasons()[0]).toMatch(/no byte for .* baud rate/);
  });

  it('waits ten seconds only for a port that has not paused for ten minutes', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const clock = { nowMs: 0 };
    const ports = { ...script([() => undefined]), monoNow: () => clock.nowMs };
    const seen = collect(openSerialSource({ ...config, silentAfterMs: 30_000 }, ports));
    await vi.advanceTimersByTimeAsync(0);
    for (clock.nowMs = 0; clock.nowMs <= 600_000; clock.nowMs += 500) {
      ports.opened[0]?.emit('data', Buffer.from('x'));
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(seen.reasons()).toEqual([]);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(seen.reasons()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(seen.reasons()).toEqual([expect.stringContaining('no byte for 10 s')]);
  });

  it('takes no loop that stood still for a silent port: the bytes come a moment after the time', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const ports = script([() => undefined]);
    const seen = collect(openSerialSource(config, ports));
    await vi.advanceTimersByTimeAsync(config.silentAfterMs + 1);
    ports.opened[0]?.emit('data', Buffer.from('late'));
    await vi.advanceTimersByTimeAsync(config.silentAfterMs);
    expect([seen.text(), seen.reasons()]).toEqual(['late', []]);
    await vi.advanceTimersByTimeAsync(500);
    expect(seen.reasons()).toEqual([expect.stringContaining('no byte for 5 s')]);
  });

  it('holds at most its limit of bytes and counts what it threw away', async () => {
    const chunk = Buffer.alloc(INBOX_BYTES / 4, 1);
    const ports = script([
      (port) => {
        for (let i = 0; i < 6; i += 1) port.emit('data', chunk);
        port.emit('close');
      },
    ]);
    const source = openSerialSource(config, ports);
    const seen = collect(source);
    await expect.poll(() => seen.kinds()).toContain('failed');
    expect(seen.text().length).toBe(INBOX_BYTES);
    expect(source.overrunBytes).toBe(2 * chunk.length);
  });

  it('counts what it threw away while the port stays open', async () => {
    const chunk = Buffer.alloc(INBOX_BYTES / 4, 1);
    const ports = script([
      (port) => {
        for (let i = 0; i < 6; i += 1) port.emit('data', chunk);
      },
    ]);
    const source = openSerialSource(config, ports);
    const seen = collect(source);
    await expect.poll(() => seen.text().length).toBe(INBOX_BYTES);
    expect(seen.kinds()).not.toContain('failed');
    expect(source.overrunBytes).toBe(2 * chunk.length);
    await seen.stop();
    expect(source.overrunBytes).toBe(2 * chunk.length);
  });

  it('sends what the device takes, and no more than its limit of what it does not', async () => {
    const ports = script([]);
    const source = openSerialSource(config, ports);
    expect(source.write?.(Buffer.from('early'))).toBe(false);
    const seen = collect(source);
    await expect.poll(() => seen.kinds()).toEqual(['opened']);
    expect(source.write?.(Buffer.from('a'))).toBe(true);
    expect(source.write?.(Buffer.alloc(UNSENT_BYTES))).toBe(false);
    for (const taken of ports.opened[0]?.taken ?? []) taken();
    expect(source.write?.(Buffer.alloc(UNSENT_BYTES, 'b'))).toBe(true);
    expect(ports.opened[0]?.written).toEqual(['a', 'b'.repeat(UNSENT_BYTES)]);
    await seen.stop();
    expect(source.write?.(Buffer.from('late'))).toBe(false);
  });

  it('notices that its path leads to another device, though the driver says nothing', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const ports = script([]);
    let device: string | null = 'first';
    const seen = collect(openSerialSource(config, { ...ports, identify: async () => device }));
    await vi.advanceTimersByTimeAsync(2_500);
    expect(seen.kinds()).toEqual(['opened']);
    device = null;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(seen.reasons()[0]).toContain('it was unplugged');
    expect(ports.opened[0]?.isOpen).toBe(false);
    device = 'second';
    await vi.advanceTimersByTimeAsync(2_500);
    expect(seen.kinds()).toEqual(['opened', 'failed', 'opened']);
  });

  it('knows which USB device is behind it', async () => {
    const usb = { vendorId: '0403', productId: '6001', product: 'FT232R', serialNumber: null };
    const source = openSerialSource(config, { ...script([]), usbOf: async () => usb });
    expect(source.usb).toBeNull();
    const seen = collect(source);
    await expect.poll(() => seen.kinds()).toEqual(['opened']);
    expect(source.usb).toEqual(usb);
  });

  it('ends with its signal while it waits, and closes the port', async () => {
    const ports = script([]);
    const seen = collect(openSerialSource(config, ports));
    await expect.poll(() => seen.kinds()).toEqual(['opened']);
    await seen.stop();
    expect(ports.opened.map((port) => port.isOpen)).toEqual([false]);
  });
});

describe('a serial source on the mock binding', () => {
  afterEach(() => SerialPortMock.binding.reset());

  it('gives the bytes of the port with their arrival', async () => {
    SerialPortMock.binding.createPort('/dev/mock');
    let mock: SerialPortMock | null = null;
    const create = (path: string, baudRate: number) => {
      mock = new SerialPortMock({ path, baudRate, autoOpen: false });
      return mock;
    };
    const seen = collect(
      openSerialSource({ serial: '/dev/mock', baud: 9_600, silentAfterMs: 5_000 }, { ...steady, create }),
    );
    await expect.poll(() => seen.kinds()).toEqual(['opened']);
    const port = (mock as unknown as { readonly port: { emitData(text: string): void } }).port;
    port.emitData('hello ');
    port.emitData('cat');
    await expect.poll(() => seen.text()).toBe('hello cat');
    expect(seen.inputs.find((input) => input.type === 'bytes')).toMatchObject({ atMs: 42 });
  });
});

describe('a serial source on a real pseudo-terminal', () => {
  it.skipIf(skipPty)('reads, notices the unplug, and reads on after the replug', async () => {
    const home = folder();
    const first = await openPty(home);
    const seen = collect(openSerialSource({ serial: first.path, baud: 115_200, silentAfterMs: 10_000 }, steady));
    await expect.poll(() => seen.kinds()).toEqual(['opened']);
    writeFileSync(first.far, '{"collar":"A"}\n');
    await expect.poll(() => seen.text()).toBe('{"collar":"A"}\n');
    await first.unplug();
    await expect.poll(() => seen.kinds().at(-1)).toBe('failed');
    const second = await openPty(home);
    await expect.poll(() => seen.kinds().at(-1)).toBe('opened');
    writeFileSync(second.far, 'again');
    await expect.poll(() => seen.text()).toBe('{"collar":"A"}\nagain');
    expect(seen.kinds().filter((kind) => kind === 'failed')).toHaveLength(1);
  });

  it.skipIf(whyNoPty !== null)("is nobody else's while it is open, and anybody's again afterwards", async () => {
    const pty = openMaster();
    onTestFinished(() => pty.close());
    chmodSync(pty.path, 0o666);
    // Root may always open it: another user asks.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const mayOpen = () => spawnSync('sh', ['-c', `exec 3<>${pty.path}`], user).status === 0;
    expect(mayOpen()).toBe(true);
    const { kinds, stop } = collect(openSerialSource({ serial: pty.path, baud: 9_600, silentAfterMs: 60_000 }, steady));
    await until(() => kinds().includes('opened'));
    expect(mayOpen()).toBe(false);
    await stop();
    expect(mayOpen()).toBe(true);
  });

  it.skipIf(skipPty)('names the program that holds the port', async () => {
    const { path } = await openPty(folder());
    const holder = `import { SerialPort } from 'serialport';
      new SerialPort({ path: process.argv[1], baudRate: 115200 }, () => process.stdout.write('held')).resume();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', holder, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const seen = collect(openSerialSource({ serial: path, baud: 115_200, silentAfterMs: 10_000 }, steady));
    await expect.poll(() => seen.reasons()[0]).toMatch(new RegExp(`is held by .* \\(pid ${child.pid}\\): stop it`));
    child.kill();
    await expect.poll(() => seen.kinds()).toEqual(['failed', 'opened']);
  });

  it.skipIf(whyNoPty !== null)(
    'leaks nothing over a thousand unplugs and replugs under other names',
    async () => {
      const link = join(folder(), 'usb-receiver');
      const source = openSerialSource(
        { serial: link, baud: 115_200, silentAfterMs: 60_000 },
        { ...steady, retry: { firstMs: 1, maxMs: 2 } },
      );
      const stop = new AbortController();
      const counts = { opened: 0, failed: 0, bytes: 0 };
      const done = (async () => {
        for await (const input of source.inputs(stop.signal)) {
          if (input.type === 'bytes') counts.bytes += input.bytes.length;
          else if (input.type !== 'ended') counts[input.type] += 1;
        }
      })();
      const cycle = async () => {
        const before = { ...counts };
        const pty = openMaster();
        rmSync(link, { force: true });
        symlinkSync(pty.path, link);
        await until(() => counts.opened > before.opened);
        await pty.write(Buffer.from('x'));
        await until(() => counts.bytes > before.bytes);
        await pty.close();
        await until(() => counts.failed > before.failed);
      };
      const held = () => {
        collectGarbage();
        const { heapUsed } = process.memoryUsage();
        const listeners = getEventListeners(stop.signal, 'abort').length;
        return { fds: readdirSync('/proc/self/fd').length, listeners, heapUsed };
      };
      for (let i = 0; i < 100; i += 1) await cycle();
      const early = held();
      for (let i = 0; i < 900; i += 1) await cycle();
      const late = held();
      expect(counts.bytes).toBe(1_000);
      expect(late.listeners).toBeLessThanOrEqual(early.listeners);
      expect(late.fds).toBeLessThanOrEqual(early.fds + 2);
      // 900 times anything that is kept, a port with its buffers above all, would be more.
      expect(late.heapUsed - early.heapUsed).toBeLessThan(6_000_000);
      stop.abort();
      await done;
    },
    120_000,
  );

  it('says what is plugged in where the port is missing', async () => {
    const home = folder();
    symlinkSync('/dev/null', join(home, 'usb-Acme_Receiver-if00'));
    const { explainPort, SYSTEM } = await import('../../../src/agent/source/explain-port.ts');
    const missing = join(home, 'ttyNone');
    expect(await explainPort(missing, '?', { ...SYSTEM, byId: home })).toContain('usb-Acme_Receiver-if00');
    expect(await explainPort(missing, '?', { ...SYSTEM, byId: join(home, 'none') })).toContain('plug the receiver in');
    writeFileSync(join(home, 'file'), '');
    expect(await explainPort(join(home, 'file'), '?')).toContain('is not a device');
  });
});
