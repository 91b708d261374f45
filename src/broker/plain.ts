/** Whether what is said to a broker, or to the one that central brings along, leaves this machine unencrypted. */
import { brokerAddresses } from './address.ts';

interface Spoken {
  readonly mqtt: { readonly url: string };
  /** The broker that central brings along. */
  readonly broker?: { readonly enabled: boolean; readonly host: string; readonly port: number; readonly tls?: unknown };
}

/** A warning for each broker that is named without TLS and is not on this machine alone. Of one that is searched: see `explainBrokers`. */
export function explainPlain({ mqtt, broker }: Spoken): string[] {
  const named = brokerAddresses(mqtt.url)
    .map((address) => new URL(address))
    .filter(({ protocol, hostname }) => /^(mqtt|ws):$/.test(protocol) && isBeyond(hostname))
    .map(({ host }) => `passwords and events go to ${host} in plain text: use mqtts:// in mqtt.url, see SECURITY.md`);
  if (broker?.enabled !== true || broker.tls !== undefined || !isBeyond(broker.host)) return named;
  const at = `${broker.host.includes(':') ? `[${broker.host}]` : broker.host}:${broker.port}`;
  return [...named, `passwords and events come to ${at} in plain text: set broker.tls, see SECURITY.md`];
}

/** Also an address to listen at: 0.0.0.0 and :: are all of them. */
function isBeyond(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  return !(name === 'localhost' || name === '::1' || /^127\.\d+\.\d+\.\d+$/.test(name));
}
