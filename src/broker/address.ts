/**
 * What `mqtt.url` may say: one broker or several, or where to look for them; as a list, or as one text with spaces or commas in
 * between.
 */
import { z } from 'zod';

/** So many brokers are tried in turn, and no more, whoever names them. */
export const MAX_BROKERS = 16;
/** Where the brokers stand in etcd if the address names no other place. */
export const ETCD_PREFIX = '/collard/brokers/';

const BROKERS: readonly string[] = ['mqtt:', 'mqtts:', 'ws:', 'wss:'];
const DISCOVERIES: readonly string[] = ['srv:', 'mdns:', 'etcd:', 'etcd+http:'];
const EXPECTED =
  'a URL that starts with mqtt://, mqtts://, ws:// or wss://, or with srv://, mdns:// or etcd:// to look for brokers';

/** Comes out as one text, its addresses separated by a space each: what the environment can say too. */
export const brokerUrl = z
  .string()
  .or(z.array(z.string()))
  .superRefine((value, context) => {
    const refuse = (message: string, path: number[] = []) => context.addIssue({ code: 'custom', message, path });
    const isList = typeof value !== 'string';
    const parts = isList ? value : brokerAddresses(value);
    if (parts.length === 0) refuse(EXPECTED);
    if (parts.length > MAX_BROKERS) refuse(`at most ${MAX_BROKERS} brokers`);
    for (const [i, part] of parts.entries()) {
      const fault = faultOf(part);
      if (fault !== null) refuse(fault, isList ? [i] : []);
    }
  })
  .transform((value) => (typeof value === 'string' ? brokerAddresses(value) : value).join(' '));

export const discoverSchema = z
  .strictObject({
    plain: z.boolean().default(false).describe('a broker that was found may be one without TLS'),
    plainPassword: z.boolean().default(false).describe('username and password go to such a one too'),
    name: z.string().min(1).optional().describe('the name that every broker that was found must have a certificate of'),
    dns: z
      .string()
      .min(1)
      .optional()
      .describe('DNS servers to ask, separated by spaces; those of the system otherwise'),
    username: z.string().min(1).optional().describe('of etcd, where it asks who reads there'),
    password: z.string().optional().describe('of that user'),
  })
  .prefault({});

export type DiscoverConfig = z.infer<typeof discoverSchema>;

/** The addresses in their order, each once. */
export function brokerAddresses(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((part) => part !== ''))];
}

export function isDiscovery(address: string): boolean {
  return DISCOVERIES.includes(new URL(address).protocol);
}

/** Whether there may be another broker to go to. */
export function hasSeveralBrokers(text: string): boolean {
  const addresses = brokerAddresses(text);
  return addresses.length > 1 || addresses.some(isDiscovery);
}

/** How the brokers are found, and what is demanded of them, in words; nothing for brokers that are named themselves. */
export function explainBrokers(text: string, { plain, plainPassword, name }: DiscoverConfig): string[] {
  const shown = plainPassword ? 'with user name and password' : 'without user name and password';
  const also = plain ? `; also plain text, ${shown}` : '';
  return brokerAddresses(text)
    .filter(isDiscovery)
    .map((address) => `${address}: ${placeOf(new URL(address))}, over TLS ${certificateOf(address, name)}${also}`);
}

function placeOf({ protocol, hostname, host, pathname }: URL): string {
  if (protocol === 'srv:') return `the SRV records of _secure-mqtt._tcp.${hostname}`;
  if (protocol === 'mdns:') return 'what answers to _secure-mqtt._tcp.local on this network';
  return `the URLs below ${etcdPrefix(pathname)} in etcd at ${host}`;
}

function certificateOf(address: string, name: string | undefined): string {
  if (name !== undefined) return `with a certificate of ${name}`;
  const { protocol, hostname } = new URL(address);
  if (protocol === 'srv:') return `with a certificate of the target below ${hostname}, or else of ${hostname}`;
  return 'with a certificate of its own name';
}

export function etcdPrefix(pathname: string): string {
  if (pathname === '' || pathname === '/') return ETCD_PREFIX;
  return pathname.endsWith('/') ? pathname : `${pathname}/`;
}

/** Null where it is a sound address. */
function faultOf(text: string): string | null {
  if (!URL.canParse(text) || /[\s,]/.test(text)) return EXPECTED;
  const { protocol, hostname, username, password, port, pathname } = new URL(text);
  if (BROKERS.includes(protocol)) return hostname === '' ? EXPECTED : null;
  if (!DISCOVERIES.includes(protocol) || hostname === '') return EXPECTED;
  if (username !== '' || password !== '') return `a URL without user name and password`;
  const isBare = port === '' && /^\/?$/.test(pathname);
  if (protocol === 'srv:' && !isBare) return 'srv:// and the domain of the SRV records, such as srv://example.org';
  if (protocol === 'mdns:' && !(isBare && hostname === 'local')) return 'mdns://local';
  if (protocol === 'etcd+http:' && !isLoopback(hostname)) {
    return 'etcd://, which has TLS: etcd+http:// is for an etcd on this machine only';
  }
  return null;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
