/** What receiving takes from the configuration as it stands. */
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { openBrokers } from '../broker/open-broker.ts';
import type { OpenLink } from '../lib/mqtt-link.ts';
import type { CentralConfig } from './config.ts';
import type { OwnBroker } from './own-broker.ts';
import type { ReceiveParts } from './receive.ts';

interface Deps {
  readonly openLink: OpenLink;
  readonly logger: Logger;
  readonly random?: (() => number) | undefined;
}

/** The connection as the configuration says. Throws the disk's error for a certificate that cannot be read. */
export function linkOptions(config: CentralConfig): ReceiveParts['subscriber']['link'] {
  const { mqtt } = config;
  const pem = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8'));
  return {
    url: mqtt.url,
    username: mqtt.username,
    password: mqtt.password,
    ca: pem(mqtt.ca),
    cert: pem(mqtt.cert),
    key: pem(mqtt.key),
    keepaliveSeconds: mqtt.keepaliveSeconds,
    connectTimeoutMs: mqtt.connectTimeoutMs,
  };
}

const NO_TLS = { ca: undefined, cert: undefined, key: undefined };

/** `own`: how to reach the broker that central brings along, which needs no looking for. */
export function receiveOptions(config: CentralConfig, deps: Deps, own?: OwnBroker['link']) {
  const { mqtt, group, homeAssistant } = config;
  const random = deps.random ?? Math.random;
  const { discover } = mqtt;
  const refused = (error: Error) => deps.logger.warn(`no word of Home Assistant is heard: ${error.message}`);
  return {
    openLink: openBrokers({ openLink: deps.openLink, discover, monoNow: () => performance.now(), random }),
    logger: deps.logger,
    random,
    retry: { firstMs: mqtt.retryFirstMs, maxMs: mqtt.retryMaxMs },
    subscriber: {
      base: mqtt.baseTopic,
      group,
      sessionExpirySeconds: mqtt.sessionExpirySeconds,
      link: own === undefined ? linkOptions(config) : { ...linkOptions(config), ...NO_TLS, ...own },
      ...(homeAssistant.enabled && { others: { topics: [homeAssistant.birth], refused } }),
    },
  };
}
