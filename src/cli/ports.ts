/** `collard ports`: the serial ports of this machine, who holds them, who may open them, and what is heard at those that are free. */
import { readdir, realpath } from 'node:fs/promises';
import { Command } from 'commander';
import { type Holder, lookAtPort, type PortProblem, SYSTEM } from '../agent/source/explain-port.ts';
import { openSerialSource } from '../agent/source/serial.ts';
import { readUsb } from '../agent/source/usb.ts';
import type { UsbIdentity } from '../contract/message.ts';
import { EXIT } from './exit.ts';
import { describe, type HeardPort, hearPort } from './hear-port.ts';
import { decimal } from './numbers.ts';
import { print, printJson, safe, table, tell } from './output.ts';
import { type Probed, probePort } from './probe-port.ts';

export interface Port {
  /** What belongs into the configuration: the link that survives a reboot, where there is one. */
  readonly path: string;
  readonly device: string;
  /** What keeps this user from opening it, with the fix; null where nothing does. */
  readonly problem: string | null;
  /** The other program that has it open. */
  readonly holder: Holder | null;
  /** What is plugged in; null where it is no USB device. */
  readonly usb: UsbIdentity | null;
}

export interface PortsSystem {
  readonly dev: string;
  readonly byId: string;
  readonly look: (path: string) => Promise<PortProblem | null>;
  readonly usbOf: (path: string) => Promise<UsbIdentity | null>;
}

/** Kinds of ports that a receiver may be: USB converters, USB modems, and the ports on the board. */
const KINDS = /^tty(?:USB|ACM|AMA|S)\d+$/;
/** /dev/ttyS0 … exist on every PC, most with nothing behind: shown only where udev gives them a name. */
const OFTEN_EMPTY = /^ttyS\d+$/;

/** Longer than anybody listens: a port is not opened again because it is silent. */
const SILENT_AFTER_MS = 3_600_000;
/** So long a free port is listened to. */
export const HEAR_MS = 3_000;

const system: PortsSystem = { dev: '/dev', byId: SYSTEM.byId, look: lookAtPort, usbOf: readUsb };

/** Every port once, those with a lasting name first. */
export async function listPorts({ dev, byId, look, usbOf }: PortsSystem = system): Promise<Port[]> {
  const links = await Promise.all(
    (await readdir(byId).catch(() => [])).map(async (name) => {
      const path = `${byId}/${name}`;
      return { path, device: await realpath(path).catch(() => path) };
    }),
  );
  const named = new Set(links.map(({ device }) => device));
  const devices = (await readdir(dev).catch(() => []))
    .filter((name) => KINDS.test(name) && !OFTEN_EMPTY.test(name) && !named.has(`${dev}/${name}`))
    .map((name) => ({ path: `${dev}/${name}`, device: `${dev}/${name}` }));
  const found = [...links, ...devices].sort((a, b) => a.path.localeCompare(b.path));
  return Promise.all(found.map((port) => describePort(port, { look, usbOf })));
}

async function describePort(
  port: Pick<Port, 'path' | 'device'>,
  { look, usbOf }: Pick<PortsSystem, 'look' | 'usbOf'>,
): Promise<Port> {
  const [found, usb] = await Promise.all([look(port.path), usbOf(port.path)]);
  const problem = found === null ? null : `${found.reason}: ${found.fix}`;
  return { ...port, problem, holder: found?.holder ?? null, usb };
}

/** Those that are named on the command line, whatever kind they are. */
async function namedPorts(paths: readonly string[]): Promise<Port[]> {
  return Promise.all(
    paths.map(async (path) => describePort({ path, device: await realpath(path).catch(() => path) }, system)),
  );
}

/** A port for a while: what is silent stays open. */
export function openListening(serial: string, baud: number) {
  const ports = { monoNow: () => performance.now(), random: Math.random };
  return openSerialSource({ serial, baud, silentAfterMs: SILENT_AFTER_MS }, ports);
}

export function portsCommand(): Command {
  return new Command('ports')
    .description(
      'List serial ports: what to write into the configuration, who holds them, who may open them, and what is heard at ' +
        'those that are free, for three seconds. To open a port resets some boards; --no-listen only looks.',
    )
    .argument('[port...]', 'these, instead of all')
    .option('--no-listen', 'open nothing')
    .option('--probe', 'listen longer at each of the usual rates, one port after the other')
    .option('--seconds <s>', 'with --probe: so long at each rate', decimal(0.1, 600), 2)
    .option('--json', 'print one JSON array')
    .action(async (paths: readonly string[], options: Options) => {
      if (options.probe === true) return probe(paths, options);
      const ports = paths.length > 0 ? await namedPorts(paths) : await listPorts();
      const heard = options.listen ? await hearAll(ports, options.json !== true) : ports.map(() => null);
      const rows = ports.map((port, i) => ({ ...port, heard: heard[i] ?? null }));
      if (options.json === true) printJson(rows);
      else if (rows.length === 0) tell('there is no serial port: plug the receiver in');
      else print(table(['port', 'device', 'state'], rows.map(rowOf)));
      if (paths.length > 0 && rows.some(({ problem }) => problem !== null)) process.exitCode = EXIT.checkFailed;
    });
}

interface Options {
  readonly listen: boolean;
  readonly probe?: true;
  readonly seconds: number;
  readonly json?: true;
}

/** All at once: each has a line of its own. */
async function hearAll(ports: readonly Port[], isTold: boolean): Promise<(HeardPort | null)[]> {
  const free = ports.filter(({ problem }) => problem === null).length;
  if (free > 0 && isTold) tell(`listening at ${free} ${free === 1 ? 'port' : 'ports'} for three seconds …`);
  const stop = new AbortController();
  const release = onInterrupt(stop);
  const parts = { open: openListening, totalMs: HEAR_MS, monoNow: () => performance.now() };
  try {
    return await Promise.all(
      ports.map(({ path, problem }) => (problem === null ? hearPort(path, parts, stop.signal) : null)),
    );
  } finally {
    release();
  }
}

/** One port after the other: what is heard of one must not be taken for another's. */
async function probe(paths: readonly string[], { seconds, json }: Options): Promise<void> {
  const free = (await listPorts()).filter(({ problem }) => problem === null).map(({ path }) => path);
  const stop = new AbortController();
  const release = onInterrupt(stop);
  const probed: Probed[] = [];
  try {
    for (const path of paths.length > 0 ? paths : free) {
      if (stop.signal.aborted) break;
      if (json !== true) tell(`listening at ${safe(path)} …`);
      probed.push(await probePort(path, { open: openListening, listenMs: seconds * 1000 }, stop.signal));
    }
  } finally {
    release();
  }
  if (json === true) printJson(probed);
  else if (probed.length === 0) tell('there is no serial port that may be opened: collard ports tells why');
  else print(table(['port', 'baud', 'format', 'heard'], probed.map(probedRow)));
  if (!probed.some(({ baud }) => baud !== null)) process.exitCode = EXIT.checkFailed;
}

function onInterrupt(stop: AbortController): () => void {
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  return () => void process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
}

function probedRow({ port, baud, format, readable, bytes, sample, problem }: Probed): string[] {
  const heard =
    baud === null ? `${bytes} bytes, none that can be read: ${sample}` : `${readable} messages, ${bytes} bytes`;
  return [port, String(baud ?? '-'), format ?? '-', problem ?? (bytes === 0 ? 'nothing' : heard)].map(safe);
}

function rowOf({ path, device, problem, heard }: Port & { readonly heard: HeardPort | null }): string[] {
  return [path, device, problem ?? (heard === null ? 'free' : `free: ${describe(heard)}`)].map(safe);
}
