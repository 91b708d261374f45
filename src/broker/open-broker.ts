/**
 * Opens a link to one of several brokers, wherever they are found: each in turn until one lets us in. Whoever asks waits between two
 * rounds, with jitter (`backoffMs`), so that a broker that dies does not send all of its clients to the next one in the same moment,
 * again and again.
 */
import type { LinkError, MqttLink, OpenLink } from '../lib/mqtt-link.ts';
import { backoffMs, childOf, delay } from '../lib/wait.ts';
import { brokerAddresses, type DiscoverConfig, MAX_BROKERS } from './address.ts';
import { admit, type Endpoint, keyOf, reach } from './endpoint.ts';
import { createEtcdFinder, type EtcdTls } from './etcd.ts';
import { type FindParts, findBrokers, noneFound } from './find.ts';

/**
 * A broker that failed stands behind the others for so long. It may be one that lets everybody in and then answers nothing, so
 * this is longer than a round of such brokers takes.
 */
export const BEHIND_MS = 900_000;
/** Between two questions to an etcd that does not answer, while the link is up. */
const ASK_AGAIN = { firstMs: 1_000, maxMs: 30_000 };

export interface BrokerPorts {
  /** Opens a link to one broker. */
  readonly openLink: OpenLink;
  readonly discover: DiscoverConfig;
  /** Monotonic milliseconds. */
  readonly monoNow: () => number;
  /** 0 ≤ random < 1. */
  readonly random: () => number;
  /** For tests. */
  readonly mdns?: FindParts['mdns'];
}

/**
 * Of these options, `url` may be all that `mqtt.url` may be. Rejects as the link does; where all of several failed, with what each of
 * them said. It is REFUSED or TLS only if all are, since only then waiting is in vain.
 */
export function openBrokers(ports: BrokerPorts): OpenLink {
  const { openLink, discover, monoNow, random, mdns } = ports;
  const failedAt = new Map<string, number>();
  const known = new Map<string, readonly Endpoint[]>();
  const failed = (endpoint: Endpoint) => {
    failedAt.delete(keyOf(endpoint));
    failedAt.set(keyOf(endpoint), monoNow());
  };
  return async (options, signal) => {
    const { ca, cert, key } = options;
    const parts = { discover, tls: { ca, cert, key }, random, ...(mdns && { mdns }) };
    const { endpoints, failures } = await findAll(brokerAddresses(options.url), parts, known, signal);
    for (const endpoint of inOrder(endpoints, failedAt, monoNow())) {
      try {
        const link = await openLink(reach(options, endpoint), signal);
        // Where nobody asked for its end its broker is no good, also if it was closed here: then it did not answer.
        void link.ended.then(() => signal.aborted || failed(endpoint));
        if (endpoint.from.startsWith('etcd')) void leaveWithdrawn(link, endpoint, ports, parts.tls);
        return link;
      } catch (error) {
        signal.throwIfAborted();
        failed(endpoint);
        failures.push(error instanceof Error ? error : new Error(String(error)));
      }
    }
    throw together(failures);
  };
}

/** Where one cannot be asked, what it said last still holds: DNS may be away, and the broker be well. */
async function findAll(
  addresses: readonly string[],
  parts: FindParts,
  known: Map<string, readonly Endpoint[]>,
  signal: AbortSignal,
): Promise<{ readonly endpoints: readonly Endpoint[]; readonly failures: Error[] }> {
  const failures: Error[] = [];
  const found = await Promise.all(
    addresses.map(async (address) => {
      try {
        const { endpoints, refused } = await findBrokers(address, parts, signal);
        known.set(address, endpoints);
        if (endpoints.length === 0) failures.push(noneFound(address, refused));
        return endpoints;
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error as Error);
        return known.get(address) ?? [];
      }
    }),
  );
  const each = new Map(found.flat().map((endpoint) => [keyOf(endpoint), endpoint]));
  return { endpoints: [...each.values()].slice(0, MAX_BROKERS), failures };
}

/** Those that have not failed, as they are given; then the others, the one that failed first before the rest. */
function inOrder(endpoints: readonly Endpoint[], failedAt: Map<string, number>, now: number): readonly Endpoint[] {
  const each = new Map(endpoints.map((endpoint) => [keyOf(endpoint), endpoint]));
  for (const [key, at] of failedAt) if (now - at >= BEHIND_MS || !each.has(key)) failedAt.delete(key);
  const behind = [...failedAt.keys()].flatMap((key) => each.get(key) ?? []);
  return [...endpoints.filter((endpoint) => !failedAt.has(keyOf(endpoint))), ...behind];
}

/** Closes the link when etcd no longer names its broker and names others. An etcd that is away is no reason to leave. */
async function leaveWithdrawn(
  link: MqttLink,
  endpoint: Endpoint,
  { discover, random }: Pick<BrokerPorts, 'discover' | 'random'>,
  tls: EtcdTls,
): Promise<void> {
  const over = childOf(new AbortController().signal);
  void link.ended.then(over.abort);
  const etcd = createEtcdFinder(endpoint.from, tls, discover);
  let attempt = 0;
  while (!over.signal.aborted) {
    try {
      const { candidates, revision } = await etcd.find(over.signal);
      const named = candidates.map((candidate) => admit(candidate, endpoint.from, discover));
      const keys = named.flatMap((one) => (one.ok ? [keyOf(one.endpoint)] : []));
      if (keys.length > 0 && !keys.includes(keyOf(endpoint))) return await link.close();
      await etcd.watch(revision, over.signal);
      attempt = 0;
    } catch {
      attempt++;
    }
    // Also after a change: a service that changes all the time is not asked all the time.
    await delay(backoffMs(attempt, ASK_AGAIN, random()), over.signal);
  }
}

/** By the alphabet, so that the same failures are told by the same text. */
function together(failures: readonly Error[]): Error {
  const [first] = failures;
  if (failures.length === 1 && first !== undefined) return first;
  const codes = new Set(failures.map((failure) => (failure as Partial<LinkError>).code));
  const [code] = codes;
  const text = [...new Set(failures.map(({ message }) => message))].sort().join('; ');
  return Object.assign(new Error(`none of ${failures.length} brokers: ${text}`, { cause: first }), {
    code: codes.size === 1 ? code : 'UNREACHABLE',
  });
}
