/** `collard ports`: the serial ports of this machine, who holds them and who may open them. */
import { readdir, realpath } from 'node:fs/promises';
import { Command } from 'commander';
import { explainPort, SYSTEM } from '../agent/source/explain-port.ts';
import { print, printJson, safe, table, tell } from './output.ts';

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
    .option('--json', 'print one JSON array')
    .action(async (options: { readonly json?: true }) => {
      const ports = await listPorts();
      if (options.json === true) printJson(ports);
      else if (ports.length === 0) tell('there is no serial port: plug the receiver in');
      else print(table(['port', 'device', 'state'], ports.map(rowOf)));
    });
}

function rowOf({ path, device, problem }: Port): string[] {
  return [path, device, problem ?? 'free'].map(safe);
}
