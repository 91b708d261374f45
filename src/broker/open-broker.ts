/**
 * Opens a link to one of several brokers: each in turn until one lets us in. Whoever asks waits between two rounds, with jitter
 * (`backoffMs`), so that a broker that dies does not send all of its clients to the next one in the same moment, again and again.
 */
import type { LinkError, MqttLink, OpenLink } from '../lib/mqtt-link.ts';
import { brokerAddresses } from './address.ts';

/**
 * A broker that failed stands behind the others for so long. It may be one that lets everybody in and then answers nothing, so
 * this is longer than a round of such brokers takes.
 */
export const BEHIND_MS = 900_000;

export interface BrokerPorts {
  /** Opens a link to one broker. */
  readonly openLink: OpenLink;
  /** Monotonic milliseconds. */
  readonly monoNow: () => number;
}

/**
 * Of these options, `url` may name several brokers. Rejects as the link does; where all of several failed, with what each of them
 * said. It is REFUSED or TLS only if all are, since only then waiting is in vain.
 */
export function openBrokers({ openLink, monoNow }: BrokerPorts): OpenLink {
  const failedAt = new Map<string, number>();
  const failed = (url: string) => {
    failedAt.delete(url);
    failedAt.set(url, monoNow());
  };
  return async (options, signal) => {
    const urls = brokerAddresses(options.url);
    const failures = new Map<string, Error>();
    for (const url of inOrder(urls, failedAt, monoNow())) {
      try {
        return watched(await openLink({ ...options, url }, signal), () => failed(url));
      } catch (error) {
        signal.throwIfAborted();
        failed(url);
        failures.set(url, error instanceof Error ? error : new Error(String(error)));
      }
    }
    // In the order in which they are given, so that the same failures are told by the same text.
    throw together(urls.flatMap((url) => failures.get(url) ?? []));
  };
}

/** Those that have not failed, as they are given; then the others, the one that failed first before the rest. */
function inOrder(urls: readonly string[], failedAt: Map<string, number>, now: number): readonly string[] {
  for (const [url, at] of failedAt) if (now - at >= BEHIND_MS || !urls.includes(url)) failedAt.delete(url);
  return [...urls.filter((url) => !failedAt.has(url)), ...[...failedAt.keys()]];
}

/** However a link ended, its broker was no good for long: we close it ourselves where one does not answer. */
function watched(link: MqttLink, ended: () => void): MqttLink {
  void link.ended.then(ended);
  return link;
}

function together(failures: readonly Error[]): Error {
  const [first] = failures;
  if (failures.length === 1 && first !== undefined) return first;
  const codes = new Set(failures.map((failure) => (failure as Partial<LinkError>).code));
  const [code] = codes;
  const text = [...new Set(failures.map(({ message }) => message))].join('; ');
  return Object.assign(new Error(`none of ${failures.length} brokers: ${text}`, { cause: first }), {
    code: codes.size === 1 ? code : 'UNREACHABLE',
  });
}
