/** A machine without a clock of its own: what it says before it hears of the time is corrected by what it says then. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { StoredEvent } from '../../src/contract/event.ts';
import { type Checks, expect } from './checks.ts';
import { agentYaml, agreed, configure, pace, RECEIVER } from './device.ts';
import { startGuest } from './guest.ts';
import type { Kernel } from './kernel.ts';
import type { Outside } from './outside.ts';

/** A date long before its files. */
const WRONG = '2001-01-01T00:00:00';
const BOOT_MS = 900_000;
const EVENTS = 20;
/** On its way and on a busy machine an event may take so long. The error that is corrected is months or years. */
const SLACK_MS = 300_000;
const SECONDS_1900_TO_1970 = 2_208_988_800;

export interface ClockParts {
  readonly checks: Checks;
  readonly kernel: Kernel;
  readonly disk: string;
  readonly outside: Outside;
}

export async function tryClock({ checks, kernel, disk, outside }: ClockParts): Promise<void> {
  await checks.check(
    'without a clock its events are unsynced; when NTP answers, clock.synced corrects them',
    async () => {
      // One core: the kernel changes its own code at boot, which QEMU shows a second one half done now and then (oops: int3).
      const guest = await startGuest({ kernel, disk, rtc: WRONG, cores: 1 });
      const stop = pace(guest.line, 20);
      let server: Awaited<ReturnType<typeof serveTime>> | null = null;
      try {
        await guest.run(
          `mkdir -p /etc/systemd/timesyncd.conf.d && printf '[Time]\\nNTP=10.0.2.2\\nFallbackNTP=\\nConnectionRetrySec=5\\n' > /etc/systemd/timesyncd.conf.d/lab.conf`,
        );
        await guest.until(
          'systemd runs',
          'systemctl is-system-running',
          (out) => /running|degraded/.test(out),
          BOOT_MS,
        );
        await configure(guest, agentYaml(outside.port, RECEIVER));
        const before = outside.heard.size;
        const fresh = () => [...outside.heard.values()].slice(before);
        const moves = (clock: string) =>
          fresh().filter((event) => event.type === 'collard.cat.moved' && event.clock === clock);
        await outside.until('events without a clock', () => moves('unsynced').length >= EVENTS, 900_000);
        server = await serveTime();
        await guest.run('systemctl restart systemd-timesyncd');
        const told = () => fresh().find(({ type }) => type === 'collard.clock.synced');
        await outside.until('clock.synced', () => told() !== undefined, 900_000);
        const since = moves('synced').length;
        await outside.until('events with a clock', () => moves('synced').length >= since + EVENTS, 900_000);
        const { offsetMs, boot } = JSON.parse(told()?.data ?? '') as { offsetMs: number; boot: string };
        const blind = moves('unsynced').filter((event) => event.boot === boot);
        expect(blind.length >= EVENTS, `${blind.length} unsynced events of boot ${boot}`);
        const off = (event: StoredEvent, timeMs: number) => Math.abs(timeMs - writtenAt(event));
        const raw = Math.max(...blind.map((event) => off(event, Date.parse(event.time))));
        const corrected = Math.max(...blind.map((event) => off(event, offsetMs + (event.monoMs ?? 0))));
        const after = Math.max(
          ...moves('synced')
            .slice(-EVENTS)
            .map((event) => off(event, Date.parse(event.time))),
        );
        expect(raw > 10 * SLACK_MS, `its clock was right: off by ${raw} ms`);
        expect(
          corrected < SLACK_MS && after < SLACK_MS,
          `off by ${corrected} ms when corrected, ${after} ms afterwards`,
        );
        stop();
        return `${blind.length} events off by ${Math.round(raw / 86_400_000)} days, corrected to ${corrected} ms, later ones to ${after} ms; ${await agreed(outside)}`;
      } finally {
        stop();
        server?.close();
        await guest.cut();
      }
    },
  );
}

/** The host's time when the reading was written. */
function writtenAt({ data }: StoredEvent): number {
  return Number.parseInt((JSON.parse(data) as { to: string }).to, 10);
}

/** The right time by SNTP, where the machine asks for it. */
async function serveTime() {
  const socket = createSocket('udp4');
  socket.on('message', (request, { port, address }) => {
    const reply = Buffer.alloc(48);
    const write = (at: number) => {
      const nowMs = Date.now();
      reply.writeUInt32BE(Math.floor(nowMs / 1_000) + SECONDS_1900_TO_1970, at);
      reply.writeUInt32BE(Math.floor(((nowMs % 1_000) / 1_000) * 2 ** 32), at + 4);
    };
    // Version 4, server; stratum 1; to a millisecond.
    reply.writeUInt8(0x24, 0);
    reply.writeUInt8(1, 1);
    reply.writeUInt8(request.readUInt8(2), 2);
    reply.writeInt8(-10, 3);
    reply.write('LAB', 12);
    write(16);
    request.copy(reply, 24, 40, 48);
    write(32);
    write(40);
    socket.send(reply, port, address);
  });
  socket.bind(123, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}
