/** The broker that central brings along, with what it takes from the rest of central. */
import type { Logger } from 'pino';
import { tellByMdns } from '../broker/tell-mdns.ts';
import { aborted, delay } from '../lib/wait.ts';
import { createLoginLimit } from './api/login-limit.ts';
import type { Metrics } from './api/metrics.ts';
import { hashPassword, isPassword } from './api/password.ts';
import { type Broker, openBroker } from './broker/broker.ts';
import { isLoopback } from './broker/broker-config.ts';
import type { CentralConfig } from './config.ts';

/** A network without multicast, or that is not there yet, is asked again. */
const AGAIN_MS = 30_000;

export interface OwnBroker {
  readonly link: Broker['link'];
  /** Tells the network of it where that is wanted. Resolves after the signal aborted. */
  tell(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface OwnBrokerParts {
  readonly logger: Logger;
  readonly clock: () => Date;
  readonly dropped: Metrics['dropped'];
}

/** Null where there is another broker. Rejects with the error of the listener or of a certificate. */
export async function openOwnBroker(
  { broker: config, mqtt, homeAssistant }: Pick<CentralConfig, 'broker' | 'mqtt' | 'homeAssistant'>,
  { logger, clock, dropped }: OwnBrokerParts,
): Promise<OwnBroker | null> {
  if (!config.enabled) return null;
  const { tls, host, port, mdns, local } = config;
  const nowMs = () => clock().getTime();
  let made: Promise<string> | null = null;
  const nobody = () => (made ??= hashPassword('nobody has this password'));
  const listeners = tls === undefined ? { host, port } : { host: '127.0.0.1', port, tls: { ...tls, host } };
  const broker = await openBroker(
    { ...listeners, openHere: local === 'open', accounts: config.accounts },
    {
      topics: { base: mqtt.baseTopic, prefix: homeAssistant.prefix, birth: homeAssistant.birth },
      isPassword,
      nobody,
      limit: createLoginLimit(nowMs),
      logger,
      nowMs,
      dropped: (messages) => dropped('broker', messages),
    },
  );
  logger.info({ host, port: broker.tlsPort ?? broker.port }, 'the broker of central listens');
  return {
    link: broker.link,
    close: broker.close,
    async tell(signal) {
      if (!mdns || isLoopback(host)) return aborted(signal);
      while (!signal.aborted) {
        try {
          await tellByMdns({ port: broker.tlsPort ?? broker.port, tls: broker.tlsPort !== null }, signal);
        } catch (error) {
          logger.warn(
            { err: error },
            `the network is not told of the broker (mDNS): next try in ${AGAIN_MS / 1_000} s`,
          );
          await delay(AGAIN_MS, signal);
        }
      }
    },
  };
}
