/**
 * A broker that can be connected to, and what whoever was found must be before it is one. Discovery may choose among brokers; it
 * never makes a connection less safe than the configuration allows.
 */
import type { LinkOptions } from '../lib/mqtt-link.ts';
import type { DiscoverConfig } from './address.ts';

/** What a finder found: not to be trusted yet. */
export interface Candidate {
  readonly url: string;
  /** Of whom its certificate must be, where that is not the host of the URL. */
  readonly name?: string;
}

export interface Endpoint {
  readonly url: string;
  readonly servername?: string;
  /** The address of the configuration that led here. */
  readonly from: string;
  /** Whether it may be told user name and password. */
  readonly mayHearPassword: boolean;
}

export type Admitted =
  | { readonly ok: true; readonly endpoint: Endpoint }
  | { readonly ok: false; readonly reason: string };

const SECURE: readonly string[] = ['mqtts:', 'wss:'];
const PLAIN: readonly string[] = ['mqtt:', 'ws:'];
/** A longer URL is none of a broker. */
const MAX_URL_LENGTH = 500;

export function admit({ url, name }: Candidate, from: string, discover: DiscoverConfig): Admitted {
  const refuse = (reason: string): Admitted => ({ ok: false, reason });
  const shown = JSON.stringify(url.slice(0, 100));
  if (url.length > MAX_URL_LENGTH || !URL.canParse(url)) return refuse(`${shown} is no URL`);
  const { protocol, username, password, hostname } = new URL(url);
  if (username !== '' || password !== '') return refuse('a URL with a user name or password in it is not taken');
  if (hostname === '') return refuse(`${shown} names no host`);
  if (PLAIN.includes(protocol)) {
    if (!discover.plain) return refuse(`${shown} has no TLS: mqtt.discover.plain allows such brokers`);
    return { ok: true, endpoint: { url, from, mayHearPassword: discover.plainPassword } };
  }
  if (!SECURE.includes(protocol)) return refuse(`${shown} is no URL of a broker`);
  const servername = discover.name ?? name;
  const certified = servername === undefined ? {} : { servername };
  return { ok: true, endpoint: { url, from, mayHearPassword: true, ...certified } };
}

/** How to open a link to it. */
export function reach<T extends Pick<LinkOptions, 'username' | 'password'>>(options: T, endpoint: Endpoint) {
  const { url, servername, mayHearPassword } = endpoint;
  const known = mayHearPassword ? options : { ...options, username: undefined, password: undefined };
  return { ...known, url, servername };
}

/** Tells endpoints apart. */
export function keyOf({ url, servername, mayHearPassword }: Endpoint): string {
  return JSON.stringify([url, servername, mayHearPassword]);
}
