/** Tells this network by multicast DNS where a broker is, until the signal aborts, and then that it is there no more. */
import { hostname } from 'node:os';
import { aborted } from '../lib/wait.ts';
import { harden, type MdnsSocket } from './mdns.ts';

export interface Told {
  readonly port: number;
  readonly tls: boolean;
}

/** How long the last word may take. */
const LAST_WORD_MS = 1_000;

/** Resolves after the signal aborted. Rejects where the network has no multicast. */
export async function tellByMdns({ port, tls }: Told, signal: AbortSignal, socket: MdnsSocket = {}): Promise<void> {
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const { Bonjour } = await import('bonjour-service');
  const bonjour = new Bonjour(socket as object, failed.reject);
  harden(bonjour, failed.reject);
  const [host = 'collard'] = hostname().split('.');
  try {
    // Not asked whether the name is free: after a fall the network may still remember the same broker.
    bonjour.publish({
      name: `collard on ${host}`,
      type: tls ? 'secure-mqtt' : 'mqtt',
      port,
      host: `${host}.local`,
      probe: false,
    });
    await Promise.race([aborted(signal), failed.promise]);
    await Promise.race([
      new Promise<void>((resolve) => bonjour.unpublishAll(() => resolve())),
      new Promise<void>((resolve) => setTimeout(resolve, LAST_WORD_MS).unref()),
    ]);
  } finally {
    bonjour.destroy();
  }
}
