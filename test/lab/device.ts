/** The package on a whole machine: simulated GPIO lines, a USB receiver that comes and goes, a card that fills up, a root that forgets. */
import { execFileSync, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { StoredEvent } from '../../src/contract/event.ts';
import { bin } from '../e2e/stack.ts';
import { type Checks, expect } from './checks.ts';
import type { Guest } from './guest.ts';
import { keyOf, type Outside } from './outside.ts';

export const AGENT = 'lab';
export const RECEIVER = '/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_CR0001-if00-port0';
const UNIT = 'collard-agent';
const CHIP = 'pinctrl-lab';

export function agentYaml(port: number, serial: string, more = ''): string {
  return `agent: ${AGENT}
simulated: true
sources:
  - { serial: ${serial}, format: json, place: kitchen }
${more}log: { path: /var/lib/collard/events.db }
mqtt: { url: "mqtt://10.0.2.2:${port}", retryFirstMs: 100, retryMaxMs: 1000, keepaliveSeconds: 10 }
forward: { syncAfterMs: 1000 }
health: { everyMs: 1000 }
`;
}

const GPIO = `  - gpio: ${CHIP}
    lines:
      - { line: 17, kind: motion, place: hall, collar: C0FFEE01, bias: pull-down, debounceMs: 5, mergeMs: 500 }
      - { line: 27, kind: shake, collar: C0FFEE02, bias: pull-down }
`;
const BANK = '/sys/kernel/config/gpio-sim/lab/bank0';

export interface DeviceParts {
  readonly checks: Checks;
  readonly guest: Guest;
  readonly outside: Outside;
}

/** Leaves the package installed, its agent reading the receiver alone, and the machine running. */
export async function tryDevice(parts: DeviceParts): Promise<void> {
  await installed(parts);
  await gpio(parts);
  await receiver(parts);
  await fullDisk(parts);
  await forgetful(parts);
}

const status = `systemctl show ${UNIT} -p StatusText --value`;

async function installed({ checks, guest, outside }: DeviceParts) {
  await checks.check('the package’s agent runs on it, sandboxed', async () => {
    await configure(guest, agentYaml(outside.port, RECEIVER, GPIO));
    return inSandbox(guest);
  });
}

/** Its agent is online, notified so, and has no privilege. */
export async function inSandbox(guest: Guest): Promise<string> {
  const text = await guest.until('a status', status, (out) => out.includes('online'), 900_000);
  const score = /: ([\d.]+)/.exec(await guest.run(`systemd-analyze security ${UNIT} --no-pager | tail -1`))?.[1];
  expect(Number(score) <= 1.2, `the exposure is ${score}`);
  const process = await guest.run(`cat /proc/$(systemctl show ${UNIT} -p MainPID --value)/status`);
  expect(/^CapBnd:\s*0+$/m.test(process) && /^Seccomp:\s*2$/m.test(process), process);
  return `${text.trim()}; exposure ${score}, RSS ${/VmRSS:\s*(.*)/.exec(process)?.[1]}`;
}

async function gpio({ checks, guest, outside }: DeviceParts) {
  const since = mark(outside);
  const pull = (line: number, way: 'up' | 'down') => `echo pull-${way} > "$sim/sim_gpio${line}/pull"`;
  const sim = `sim=/sys/devices/platform/$(cat ${BANK}/../dev_name)/$(cat ${BANK}/chip_name)`;
  await checks.check('simulated GPIO lines become events, by the kernel’s own interface', async () => {
    await guest.run(
      `modprobe configfs; insmod /opt/gpio-sim.ko; mount -t configfs none /sys/kernel/config 2> /dev/null
mkdir -p ${BANK} && echo 28 > ${BANK}/num_lines && echo ${CHIP} > ${BANK}/label && echo 1 > ${BANK}/../live`,
    );
    await outside.until('the agent has the lines', () => since('sensor.recovered', 'gpio') > 0);
    // A pause without a process of its own: the machine is slow.
    const rest = 'exec 9<> <(:); rest() { read -r -t 0.03 -u 9 || true; }';
    await guest.run(`${sim}; ${rest}; ${pull(17, 'up')}; rest; ${pull(17, 'down')}`);
    await guest.run(`${sim}; ${rest}; for n in {1..60}; do ${pull(27, 'up')}; rest; ${pull(27, 'down')}; rest; done`);
    await outside.until('the meow of the vibration switch', () => since('meow.started') > 0);
    await outside.until('the movement in the hall', () => since('cat.moved', 'hall') > 0);
    return `${since('meow.started')} meow started; ${(await guest.run('ls -l /dev/gpiochip0')).trim()}`;
  });
  await checks.check('a GPIO chip that goes away is told, and read again when it is back', async () => {
    const from = mark(outside);
    await guest.run(`echo 0 > ${BANK}/../live`);
    await outside.until('sensor.failed', () => from('sensor.failed', 'gpio') > 0);
    await guest.run(`echo 1 > ${BANK}/../live`);
    await outside.until('sensor.recovered', () => from('sensor.recovered', 'gpio') > 0);
    return '';
  });
}

async function receiver({ checks, guest, outside }: DeviceParts) {
  const collars = simulate();
  try {
    await checks.check('a USB receiver plugged in after boot is read inside the sandbox', async () => {
      const from = mark(outside);
      await guest.plug();
      await outside.until('the port is open', () => from('sensor.recovered', 'serial') > 0);
      collars.stdout.pipe(guest.line, { end: false });
      await outside.until('meows', () => from('meow.ended') >= 3, 900_000);
      return (await guest.run('ls /dev/serial/by-id')).trim();
    });
    await checks.check('pulled and put back it is told, found and read again', async () => {
      for (let turn = 0; turn < 3; turn += 1) {
        const from = mark(outside);
        await guest.unplug();
        await outside.until('sensor.failed', () => from('sensor.failed', 'serial') > 0);
        await guest.plug();
        await outside.until('sensor.recovered', () => from('sensor.recovered', 'serial') > 0);
        await outside.until('meows', () => from('meow.ended') >= 1, 900_000);
      }
      return '3 times';
    });
  } finally {
    collars.kill();
  }
  await checks.check('broker and central outside have what is in the log', async () => agreed(outside));
}

async function fullDisk({ checks, guest, outside }: DeviceParts) {
  await checks.check('a full disk stops nothing for good, and takes nothing', async () => {
    // The blocks that are kept for root are not for a service.
    await guest.run(
      'fallocate -l "$(df -B1 --output=avail / | tail -1)" /var/tmp/full || true; dd if=/dev/zero of=/var/tmp/rest bs=4k 2> /dev/null || true',
    );
    const stop = pace(guest.line, 50);
    try {
      await guest.until(
        'it says so',
        `${status}; journalctl -u ${UNIT} --no-pager -n 50`,
        (out) => /disk/i.test(out),
        900_000,
      );
      const from = mark(outside);
      await guest.run('rm /var/tmp/full /var/tmp/rest');
      await outside.until('fresh events', () => from('cat.moved') > 20, 900_000);
    } finally {
      stop();
    }
    return `${await agreed(outside)}; ${await kept(guest, outside)}`;
  });
}

async function forgetful({ checks, guest }: DeviceParts) {
  await checks.check('an overlay root is told loudly: its events would go with the power', async () => {
    await guest.run(`systemctl stop ${UNIT}; mkdir -p /run/over/up /run/over/work
mount -t overlay overlay -o lowerdir=/var/lib/collard,upperdir=/run/over/up,workdir=/run/over/work /var/lib/collard`);
    try {
      await guest.run(`systemctl start ${UNIT}`);
      const text = await guest.until('a warning', `journalctl -u ${UNIT} -b --no-pager`, (out) =>
        /is on overlay/.test(out),
      );
      const doctor = await guest.run('collard doctor --config /etc/collard/agent.yaml || true');
      expect(/on overlay/.test(doctor), `the doctor says: ${doctor}`);
      return /[^"]*is on overlay[^"]*/.exec(text)?.[0].slice(0, 200) ?? '';
    } finally {
      await guest.run(`systemctl stop ${UNIT}; umount /var/lib/collard; systemctl start ${UNIT}`);
    }
  });
}

export async function configure(guest: Guest, yaml: string): Promise<void> {
  await guest.run(`cat > /etc/collard/agent.yaml << 'YAML'\n${yaml}YAML\nsystemctl restart ${UNIT}`);
}

/** Counts what was heard since, of a type (`cat.moved`) and, of sources, whose name has this in it. */
export function mark(outside: Outside): (type: string, source?: string) => number {
  const before = outside.heard.size;
  return (type, source = '') =>
    [...outside.heard.values()]
      .slice(before)
      .filter((event) => event.type === `collard.${type}` && event.data.includes(source)).length;
}

/** Readings of collars, as `collard simulate` writes them, behind the receiver. */
export function simulate() {
  const args = [
    'simulate',
    '--collars',
    '4',
    '--rate',
    '10',
    '--seconds',
    '0',
    '--format',
    'json',
    '--realtime',
    '--out',
    '-',
  ];
  return spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
}

/** Readings of which each is one event: a cat moves to a place that tells when it was written. */
export function pace(line: Socket, perSecond: number): () => void {
  const everyMs = 20;
  let [written, owed] = [0, 0];
  const timer = setInterval(() => {
    // A line that nobody reads takes no more.
    if (line.writableLength > 16_384) return;
    owed += (perSecond * everyMs) / 1_000;
    for (; owed >= 1; owed -= 1) {
      written += 1;
      line.write(`${JSON.stringify({ collar: `CAT${written % 8}`, place: `${Date.now()}-${written}`, motion: 1 })}\n`);
    }
  }, everyMs);
  return () => clearInterval(timer);
}

/** Agent and central hold the same history, by what both say over the broker. */
export async function agreed(outside: Outside): Promise<string> {
  let said = '';
  for (let attempt = 0; attempt < 30; attempt += 1) {
    try {
      said = execFileSync(
        process.execPath,
        [bin, 'verify', '--agent', AGENT, '--config', outside.centralYaml, '--json'],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      );
      const { status: verdict, seq } = JSON.parse(said) as { status: string; seq: number };
      if (verdict === 'agree') return `both hold the same ${seq} events`;
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      said = `${stdout ?? ''}${stderr ?? ''}`;
    }
    await pause(2_000);
  }
  throw new Error(`agent and central do not agree: ${said}`);
}

/** What was heard and is not in the log of the machine, or is there otherwise. */
export async function lostOf(guest: Guest, outside: Outside): Promise<StoredEvent[]> {
  const text = await guest.run('collard events --config /etc/collard/agent.yaml --json', 900_000);
  const logged = new Map<string, Record<string, unknown>>();
  for (const line of text.split('\n').filter((one) => one.startsWith('{'))) {
    const event = JSON.parse(line) as Record<string, unknown>;
    logged.set(String(event.id), event);
  }
  return [...outside.heard.values()].filter((event) => {
    const own = logged.get(keyOf(event));
    return (
      own === undefined || own.type !== event.type || own.time !== event.time || JSON.stringify(own.data) !== event.data
    );
  });
}

export async function kept(guest: Guest, outside: Outside): Promise<string> {
  const lost = await lostOf(guest, outside);
  expect(
    lost.length === 0,
    `${lost.length} of ${outside.heard.size} events that were heard are gone, the first ${lost[0] && keyOf(lost[0])}`,
  );
  return `all ${outside.heard.size} events that left it are in its log`;
}
