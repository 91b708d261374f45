/**
 * Brokers by etcd: each value below a prefix is the URL of one, best under a lease of its own that dies with it.
 */
import { createEtcd } from '../etcd/gateway.ts';
import { type DiscoverConfig, etcdPrefix, MAX_BROKERS } from './address.ts';
import type { Candidate } from './endpoint.ts';

const ANSWER_MS = 5_000;
/** An answer that is larger is none about a handful of brokers. */
const MAX_ANSWER_BYTES = 256 * 1024;
const SETTINGS = { address: 'mqtt.url', user: 'mqtt.discover.username and mqtt.discover.password' };

/** PEM texts, as for the broker. */
export interface EtcdTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface EtcdFound {
  readonly candidates: readonly Candidate[];
  /** Where a watch goes on so that it misses nothing. */
  readonly revision: number;
}

export interface EtcdFinder {
  /** In the order of their keys. Rejects where etcd does not answer. */
  find(signal: AbortSignal): Promise<EtcdFound>;
  /** Resolves when something below the prefix has changed since then, or may have. Rejects where etcd does not answer. */
  watch(revision: number, signal: AbortSignal): Promise<void>;
}

/** Keeps its place with etcd between questions: user and password are told once. */
export function createEtcdFinder(
  address: string,
  tls: EtcdTls,
  { username, password }: Pick<DiscoverConfig, 'username' | 'password'>,
): EtcdFinder {
  const prefix = etcdPrefix(new URL(address).pathname);
  const user = { username, password };
  const limits = { timeoutMs: ANSWER_MS, maxAnswerBytes: MAX_ANSWER_BYTES };
  const etcd = createEtcd({ endpoints: [originOf(address)], settings: SETTINGS, ...limits, ...user, ...tls });
  return {
    async find(signal) {
      const { entries, revision } = await etcd.range(prefix, signal, MAX_BROKERS);
      if (revision === 0) throw new Error(`${originOf(address)} does not answer as etcd does`);
      return { candidates: entries.map(({ value }) => ({ url: value.trim() })), revision };
    },
    async watch(revision, signal) {
      for await (const changes of etcd.watch(prefix, revision + 1, signal)) if (changes.length > 0) return;
      signal.throwIfAborted();
    },
  };
}

function originOf(address: string): string {
  const { protocol, hostname, port } = new URL(address);
  return `${protocol === 'etcd:' ? 'https' : 'http'}://${hostname}:${port === '' ? '2379' : port}`;
}
