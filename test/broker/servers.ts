/** A DNS server of the test's own, on a free port of 127.0.0.1. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { findProgram, freePort, until } from '../servers.ts';

export const dnsmasqPath = findProgram('dnsmasq');

interface Running {
  kill(): Promise<void>;
}

/** Its output is kept for the message if it ends while it starts. */
async function start(path: string, args: readonly string[], isUp: () => Promise<boolean>): Promise<Running> {
  const child = spawn(path, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const orphan = () => child.kill('SIGKILL');
  process.once('exit', orphan);
  child.once('exit', () => process.removeListener('exit', orphan));
  let told = '';
  child.stderr?.on('data', (text) => {
    told = (told + text).slice(-2_000);
  });
  await until(`${path} answers`, async () => {
    if (child.exitCode !== null) throw new Error(`${path} ended with ${child.exitCode}: ${told}`);
    return isUp();
  });
  return { kill: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

export interface DnsServer extends Running {
  /** `127.0.0.1:port`, for `mqtt.discover.dns`. */
  readonly address: string;
  /** The same port with other records. */
  restart(lines: readonly string[]): Promise<void>;
}

/** `lines` are options of dnsmasq: `srv-host=_mqtt._tcp.example.test,b1.example.test,1883,0,0`. Everything else is unknown to it. */
export async function startDns(lines: readonly string[]): Promise<DnsServer> {
  const port = await freePort();
  const args = (records: readonly string[]) => [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--pid-file=',
    `--port=${port}`,
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    '--no-resolv',
    '--no-hosts',
    '--local=/test/',
    '--user=root',
    '--group=root',
    '--log-facility=-',
    '--host-record=up.test,127.0.0.1',
    ...records.map((record) => `--${record}`),
  ];
  const isUp = async () => {
    const resolver = new Resolver({ timeout: 500, tries: 1 });
    resolver.setServers([`127.0.0.1:${port}`]);
    return resolver.resolve4('up.test').then(
      () => true,
      () => false,
    );
  };
  const boot = (records: readonly string[]) => start(dnsmasqPath ?? 'dnsmasq', args(records), isUp);
  let running = await boot(lines);
  return {
    address: `127.0.0.1:${port}`,
    kill: () => running.kill(),
    async restart(records) {
      await running.kill();
      running = await boot(records);
    },
  };
}
