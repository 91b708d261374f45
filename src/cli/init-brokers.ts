/** Brokers that a new installation may use: the one on this machine, those that answer to mDNS, and what DNS names for this domain. */
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import type { Candidate } from '../broker/endpoint.ts';
import { findByMdns, type MdnsSocket } from '../broker/mdns.ts';
import { findBySrv } from '../broker/srv.ts';

/** The part of a configuration that leads there. */
export interface MqttSettings {
  readonly url: string;
  readonly discover?: { readonly plain?: boolean; readonly plainPassword?: boolean };
}

export interface FoundBroker {
  readonly how: string;
  readonly mqtt: MqttSettings;
}

export interface BrokerSurroundings {
  /** Whether something accepts connections there. */
  readonly accepts: (port: number, signal: AbortSignal) => Promise<boolean>;
  /** Domains that this machine belongs to. */
  readonly domains: () => Promise<readonly string[]>;
  readonly mdns?: MdnsSocket;
  readonly dns?: string;
}

export const LOCAL_PORT = 1883;
const ACCEPT_MS = 1_000;
const MAX_DOMAINS = 3;

export async function findAround(around: BrokerSurroundings, signal: AbortSignal): Promise<FoundBroker[]> {
  const [isHere, byMdns, byDns] = await Promise.all([
    around.accepts(LOCAL_PORT, signal),
    // A network without multicast has none.
    findByMdns({ plain: true }, signal, around.mdns).catch((): Candidate[] => []),
    around.domains().then((domains) => Promise.all(domains.map((domain) => bySrv(domain, around, signal)))),
  ]);
  const here: FoundBroker[] = isHere
    ? [{ how: 'on this machine', mqtt: { url: `mqtt://127.0.0.1:${LOCAL_PORT}` } }]
    : [];
  return [...here, ...byMdns.map((found) => ofMdns(found, byMdns.length === 1)), ...byDns.flat()];
}

export const SURROUNDINGS: BrokerSurroundings = { accepts, domains: () => domainsOf('/etc/resolv.conf', hostname()) };

/** The only one is looked for by mDNS ever after: its address may change. Of several, the one that was chosen is named. */
function ofMdns({ url, name }: Candidate, isOnly: boolean): FoundBroker {
  const isPlain = url.startsWith('mqtt:');
  const how = `${name ?? url} (${url}), by mDNS`;
  if (isOnly) return { how, mqtt: { url: 'mdns://local', ...(isPlain ? { discover: { plain: true } } : {}) } };
  const { protocol, port } = new URL(url);
  return { how, mqtt: { url: isPlain || name === undefined ? url : `${protocol}//${name}:${port}` } };
}

async function bySrv(domain: string, { dns }: BrokerSurroundings, signal: AbortSignal): Promise<FoundBroker[]> {
  const look = (plain: boolean) => findBySrv(domain, { plain, dns }, () => 0, signal).catch((): Candidate[] => []);
  const found = await look(true);
  const [first] = found;
  if (first === undefined) return [];
  const isPlain = found.every(({ url }) => url.startsWith('mqtt:'));
  const mqtt = { url: `srv://${domain}`, ...(isPlain ? { discover: { plain: true } } : {}) };
  return [{ how: `${domain} (${found.map(({ url }) => url).join(', ')}), by DNS`, mqtt }];
}

export async function domainsOf(resolvConf: string, host: string): Promise<readonly string[]> {
  const text = await readFile(resolvConf, 'utf8').catch(() => '');
  const searched = [...text.matchAll(/^\s*(?:search|domain)\s+(.+)$/gm)].flatMap(([, names = '']) =>
    names.split(/\s+/),
  );
  const own = host.includes('.') ? [host.slice(host.indexOf('.') + 1)] : [];
  const known = [...own, ...searched].map((name) => name.replace(/\.$/, '').toLowerCase());
  const usable = known.filter((name) => /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(name) && name !== 'local');
  return [...new Set(usable)].slice(0, MAX_DOMAINS);
}

function accepts(port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, signal });
    const end = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.setTimeout(ACCEPT_MS, () => end(false));
    socket.once('connect', () => end(true));
    // Also where the signal ends it.
    socket.on('error', () => end(false));
  });
}
