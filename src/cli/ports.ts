/** `collard ports`: the serial ports of this machine, who holds them and who may open them. */
import { readdir, realpath } from 'node:fs/promises';
import { Command } from 'commander';
import { explainPort, SYSTEM } from '../agent/source/explain-port.ts';
import { openSerialSource } from '../agent/source/serial.ts';
import { CommandError, EXIT } from './exit.ts';
import { decimal } from './numbers.ts';
import { print, printJson, safe, table, tell } from './output.ts';
import { type Probed, probePort } from './probe-port.ts';

export interface Port {
  /** What belongs into the configuration: the link that survives a reboot, where there is one. */
  readonly path: string;
  readonly device: string;
  /** What keeps this user from opening it, with the fix; null where nothing does. */
  readonly problem: string | null;
}

export interface PortsSystem {
  readonly dev: string;
  readonly byId: string;
  readonly explain: (path: string) => Promise<string | null>;
}

/** Kinds of ports that a receiver may be: USB converters, USB modems, and the ports on the board. */
const KINDS = /^tty(?:USB|ACM|AMA|S)\d+$/;
/** /dev/ttyS0 … exist on every PC, most with nothing behind: shown only where udev gives them a name. */
const OFTEN_EMPTY = /^ttyS\d+$/;

/** Longer than anybody listens: a probed port is not opened again. */
const SILENT_AFTER_MS = 3_600_000;

const system: PortsSystem = { dev: '/dev', byId: SYSTEM.byId, explain: problemOf };

/** Every port once, those with a lasting name first. */
export async function listPorts({ dev, byId, explain }: PortsSystem = system): Promise<Port[]> {
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
  return Promise.all(found.map(async (port) => ({ ...port, problem: await explain(port.path) })));
}

/** What keeps this user from opening `path`, with the fix, or null. */
export async function problemOf(path: string): Promise<string | null> {
  const nothing = 'nothing is wrong';
  const text = await explainPort(path, nothing);
  return text === `${path}: ${nothing}` ? null : text;
}

export function portsCommand(): Command {
  return new Command('ports')
    .description('List serial ports: what to write into the configuration, who holds them, who may open them.')
    .argument('[port...]', 'with --probe: these, instead of all that may be opened')
    .option('--probe', 'listen at the usual rates, and tell which rate and format can be read')
    .option('--seconds <s>', 'with --probe: so long at each rate', decimal(0.1, 600), 2)
    .option('--json', 'print one JSON array')
    .action(async (paths: readonly string[], options: Options) => {
      if (options.probe === true) return probe(paths, options);
      if (paths.length > 0) {
        const text = 'too many arguments: ports are named with --probe only';
        throw new CommandError(EXIT.usage, text, 'collard ports --help tells more');
      }
      const ports = await listPorts();
      if (options.json === true) printJson(ports);
      else if (ports.length === 0) tell('there is no serial port: plug the receiver in');
      else print(table(['port', 'device', 'state'], ports.map(rowOf)));
    });
}

interface Options {
  readonly probe?: true;
  readonly seconds: number;
  readonly json?: true;
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
      const system = { monoNow: () => performance.now(), random: Math.random };
      const open = (serial: string, baud: number) =>
        openSerialSource({ serial, baud, silentAfterMs: SILENT_AFTER_MS }, system);
      probed.push(await probePort(path, { open, listenMs: seconds * 1000 }, stop.signal));
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

function rowOf({ path, device, problem }: Port): string[] {
  return [path, device, problem ?? 'free'].map(safe);
}
