/**
 * What a service tells systemd: sd_notify(3), as `Type=notify` units expect it. Node.js has no datagram sockets of Unix, so the
 * messages go through the descriptor that `OpenFile=/run/systemd/notify:notify` passes (systemd 253 and later) or, without it,
 * through libc's sendto.
 */
import { writeSync } from 'node:fs';

/** systemd cuts nothing, but nobody reads more. */
const MAX_STATUS_CHARACTERS = 400;

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

export interface ServiceManager {
  /** A service that is silent for so long is killed; null where nobody watches. */
  readonly watchdogMs: number | null;
  /** Never waits. Throws where the message did not go out: code NOTIFY. */
  notify(state: Readonly<Record<string, string>>): void;
}

type Send = (message: string) => void;

/** Without a service manager nothing is sent. Rejects with code NOTIFY where there is one that cannot be reached. */
export async function openServiceManager(env: NodeJS.ProcessEnv, pid = process.pid): Promise<ServiceManager> {
  const send = await openSend(env, pid);
  return {
    watchdogMs: send === null ? null : watchdogMs(env, pid),
    notify(state) {
      if (send === null) return;
      send(
        Object.entries(state)
          .map(([name, value]) => `${name}=${oneLine(value)}\n`)
          .join(''),
      );
    },
  };
}

async function openSend(env: NodeJS.ProcessEnv, pid: number): Promise<Send | null> {
  const address = env.NOTIFY_SOCKET ?? '';
  if (address === '') return null;
  const fd = passedDescriptor(env, pid);
  return fd === null ? openSocket(address) : (message) => void writeSync(fd, message);
}

/** Where this process was handed a connected socket under the name `notify`: sd_listen_fds(3). */
function passedDescriptor(env: NodeJS.ProcessEnv, pid: number): number | null {
  if (env.LISTEN_PID !== String(pid)) return null;
  const at = (env.LISTEN_FDNAMES ?? '').split(':').indexOf('notify');
  return at < 0 ? null : 3 + at;
}

/** A socket of our own, through libc. */
async function openSocket(address: string): Promise<Send> {
  const { default: koffi } = await import('koffi');
  const libc = koffi.load('libc.so.6');
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const sendto = libc.func(
    'long sendto(int fd, const uint8_t *bytes, size_t length, int flags, const uint8_t *to, uint32_t toLength)',
  );
  const fd: number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw notSent(address, `socket: error ${koffi.errno()}`);
  const to = socketAddress(address);
  return (message) => {
    const bytes = Buffer.from(message);
    const sent: number = sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length);
    if (sent !== bytes.length) throw notSent(address, `sendto: error ${koffi.errno()}`);
  };
}

/** struct sockaddr_un. `@` stands for the zero byte before an abstract name. */
function socketAddress(address: string): Buffer {
  const name = Buffer.from(address.replace(/^@/, '\0'));
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat(address.startsWith('@') ? [family, name] : [family, name, Buffer.alloc(1)]);
}

function watchdogMs(env: NodeJS.ProcessEnv, pid: number): number | null {
  const us = Number(env.WATCHDOG_USEC ?? '');
  const isOurs = (env.WATCHDOG_PID ?? String(pid)) === String(pid);
  return isOurs && Number.isFinite(us) && us > 0 ? us / 1_000 : null;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, MAX_STATUS_CHARACTERS);
}

function notSent(address: string, why: string): Error {
  return Object.assign(new Error(`the service manager at ${address} was not told (${why})`), { code: 'NOTIFY' });
}
