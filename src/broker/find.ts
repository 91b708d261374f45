/** From an address of the configuration to the brokers that it leads to. */
import type { LinkError } from '../lib/mqtt-link.ts';
import { type DiscoverConfig, isDiscovery, MAX_BROKERS } from './address.ts';
import { admit, type Candidate, type Endpoint } from './endpoint.ts';
import { createEtcdFinder, type EtcdTls } from './etcd.ts';
import { findByMdns, type MdnsSocket } from './mdns.ts';
import { findBySrv } from './srv.ts';

export interface FindParts {
  readonly discover: DiscoverConfig;
  readonly tls: EtcdTls;
  /** 0 ≤ random < 1. */
  readonly random: () => number;
  readonly mdns?: MdnsSocket;
}

export interface Found {
  readonly endpoints: readonly Endpoint[];
  /** Why others were left out. */
  readonly refused: readonly string[];
}

/** Finds none where there are none. Rejects with UNREACHABLE where nobody could be asked. */
export async function findBrokers(address: string, parts: FindParts, signal: AbortSignal): Promise<Found> {
  if (!isDiscovery(address)) {
    return { endpoints: [{ url: address, from: address, mayHearPassword: true }], refused: [] };
  }
  const candidates = await look(address, parts, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    const text = cause instanceof Error ? cause.message : String(cause);
    throw unreachable(`${address} cannot be looked up: ${text}`, cause);
  });
  const admitted = candidates.map((candidate) => admit(candidate, address, parts.discover));
  return {
    endpoints: admitted.flatMap((one) => (one.ok ? [one.endpoint] : [])).slice(0, MAX_BROKERS),
    refused: admitted.flatMap((one) => (one.ok ? [] : [one.reason])),
  };
}

async function look(address: string, parts: FindParts, signal: AbortSignal): Promise<readonly Candidate[]> {
  const { discover, random, tls, mdns } = parts;
  const { protocol, hostname } = new URL(address);
  switch (protocol) {
    case 'srv:':
      return findBySrv(hostname, discover, random, signal);
    case 'mdns:':
      return findByMdns(discover, signal, mdns);
    default:
      return (await createEtcdFinder(address, tls, discover).find(signal)).candidates;
  }
}

export function noneFound(address: string, refused: readonly string[]): Error {
  const [first] = refused;
  const why = first === undefined ? '' : ` (${refused.length} left out: ${first})`;
  return unreachable(`${address} leads to no broker${why}`);
}

function unreachable(text: string, cause?: unknown): LinkError {
  return Object.assign(new Error(text, { cause }), { code: 'UNREACHABLE' as const });
}
