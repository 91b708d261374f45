/** Brokers by multicast DNS: who answers on this network for a moment. Only for a network whose members are trusted to answer. */
import type { EventEmitter } from 'node:events';
import { isIPv4, isIPv6 } from 'node:net';
import type { Bonjour } from 'bonjour-service';
import { childOf, delay } from '../lib/wait.ts';
import { type DiscoverConfig, MAX_BROKERS } from './address.ts';
import type { Candidate } from './endpoint.ts';

/** Answers are awaited for so long. */
export const BROWSE_MS = 2_000;

/** Of the socket: the address of the interface, and of whom it listens. For tests. */
export interface MdnsSocket {
  readonly interface?: string;
  readonly bind?: string;
  readonly port?: number;
}

/** In the order of their names, with TLS first. Rejects where the network has no multicast. */
export async function findByMdns(
  { plain }: Pick<DiscoverConfig, 'plain'>,
  signal: AbortSignal,
  socket: MdnsSocket = {},
): Promise<readonly Candidate[]> {
  const over = childOf(signal);
  let failure: Error | null = null;
  const fail = (error: Error) => {
    failure ??= error;
    over.abort();
  };
  // Not at every start: most never look.
  const { Bonjour } = await import('bonjour-service');
  const bonjour = new Bonjour(socket as object, fail);
  harden(bonjour, fail);
  deafen(bonjour);
  const found = { mqtts: new Map<string, Candidate>(), mqtt: new Map<string, Candidate>() };
  try {
    for (const protocol of plain ? (['mqtts', 'mqtt'] as const) : (['mqtts'] as const)) {
      const type = protocol === 'mqtts' ? 'secure-mqtt' : 'mqtt';
      bonjour.find({ type, protocol: 'tcp' }, ({ fqdn, host, port, addresses = [] }) => {
        const at = usable(addresses);
        if (at === null || !isLocal(host) || found[protocol].size >= MAX_BROKERS) return;
        found[protocol].set(fqdn, { url: `${protocol}://${at}:${port}`, name: host.replace(/\.$/, '') });
        if (found[protocol].size >= MAX_BROKERS) over.abort();
      });
    }
    await delay(BROWSE_MS, over.signal);
  } finally {
    over.release();
    bonjour.destroy();
  }
  const all = [found.mqtts, found.mqtt].flatMap((some) => [...some].sort(([a], [b]) => (a < b ? -1 : 1)));
  if (failure !== null && all.length === 0) throw failure;
  return all.map(([, candidate]) => candidate);
}

/**
 * The library sets errors of its socket free, and takes a stranger's packet apart with nothing below it: either would end this process.
 */
export function harden(bonjour: Bonjour, fail: (error: Error) => void): void {
  const mdns = mdnsOf(bonjour);
  mdns.on('error', fail);
  mdns.on('warning', () => undefined);
  const emit = mdns.emit.bind(mdns);
  mdns.emit = (...args) => {
    try {
      return emit(...args);
    } catch {
      // A packet that cannot be understood names no broker.
      return false;
    }
  };
}

/** Nobody's questions are answered. */
function deafen(bonjour: Bonjour): void {
  mdnsOf(bonjour).removeAllListeners('query');
}

function mdnsOf(bonjour: Bonjour): EventEmitter {
  return (Reflect.get(bonjour, 'server') as { mdns: EventEmitter }).mdns;
}

/** A name of the network itself: no authority certifies one for a stranger elsewhere. */
function isLocal(host: string): boolean {
  return /^[a-z0-9-]+(\.[a-z0-9-]+)*\.local\.?$/i.test(host);
}

/** The system need not know names of mDNS, so the address is taken. One that holds on one link only is left out. */
function usable(addresses: readonly string[]): string | null {
  const four = addresses.find((address) => isIPv4(address));
  if (four !== undefined) return four;
  const six = addresses.find((address) => isIPv6(address) && !/^fe[89ab]/i.test(address));
  return six === undefined ? null : `[${six}]`;
}
