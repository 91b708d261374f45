/**
 * Brokers by DNS SRV (RFC 2782). Asked anew at every round: Node.js tells no TTL of SRV records and keeps none of them, the resolver of
 * the system does, as long as the TTL says.
 */
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type DiscoverConfig, MAX_BROKERS } from './address.ts';
import type { Candidate } from './endpoint.ts';

const ANSWER_MS = 3_000;
const TRIES = 2;
/** The name has no such record: an answer, and no failure. */
const NONE: readonly unknown[] = ['ENOTFOUND', 'ENODATA'];

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/**
 * With TLS first. The certificate must be of the target if that is the domain or below it, and of the domain otherwise: who forges DNS can
 * send us elsewhere, but not to a broker that has no certificate of this domain (RFC 6125, 6.2.1). Rejects where DNS does not answer.
 */
export async function findBySrv(
  domain: string,
  { plain, dns }: Pick<DiscoverConfig, 'plain' | 'dns'>,
  random: () => number,
  signal: AbortSignal,
): Promise<readonly Candidate[]> {
  const resolver = new Resolver({ timeout: ANSWER_MS, tries: TRIES });
  if (dns !== undefined) resolver.setServers(dns.split(/[\s,]+/).filter((server) => server !== ''));
  const stop = () => resolver.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const candidates: Candidate[] = [];
    for (const protocol of plain ? (['mqtts', 'mqtt'] as const) : (['mqtts'] as const)) {
      const service = protocol === 'mqtts' ? '_secure-mqtt' : '_mqtt';
      const records = await resolver.resolveSrv(`${service}._tcp.${domain}`).catch(noneOf);
      for (const { name, port } of inTurn(records, random).slice(0, MAX_BROKERS)) {
        // What our own servers know, the system may not.
        const hosts = dns === undefined ? [name] : await addressesOf(resolver, name);
        const shown = isBelow(name, domain) ? name : domain;
        for (const host of hosts) candidates.push({ url: `${protocol}://${host}:${port}`, name: shown });
      }
    }
    return candidates;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** In the order in which they are to be tried: by priority, and among equals by chance according to weight. */
export function inTurn(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  // A single "." says that there is no such service; Node.js gives it as an empty name.
  const left = records.filter(({ name }) => name !== '' && name !== '.').sort((a, b) => a.priority - b.priority);
  const turn: SrvRecord[] = [];
  while (left.length > 0) {
    const equal = left.filter(({ priority }) => priority === left[0]?.priority).sort((a, b) => a.weight - b.weight);
    const total = equal.reduce((sum, { weight }) => sum + weight, 0);
    // Those without weight stand first, and are chosen now and then: the sum is from 0 to all, both included.
    let rest = Math.floor(random() * (total + 1));
    const chosen = equal.find(({ weight }) => {
      rest -= weight;
      return rest <= 0;
    });
    const next = chosen ?? left[0];
    if (next === undefined) break;
    left.splice(left.indexOf(next), 1);
    turn.push(next);
  }
  return turn;
}

function isBelow(name: string, domain: string): boolean {
  const [low, high] = [name.toLowerCase(), domain.toLowerCase()];
  return low === high || low.endsWith(`.${high}`);
}

async function addressesOf(resolver: Resolver, name: string): Promise<string[]> {
  if (isIP(name) !== 0) return [name];
  const [four, six] = await Promise.all([resolver.resolve4(name).catch(noneOf), resolver.resolve6(name).catch(noneOf)]);
  return [...four, ...six.map((address) => `[${address}]`)];
}

function noneOf(error: NodeJS.ErrnoException): never[] {
  if (NONE.includes(error.code)) return [];
  throw error;
}
