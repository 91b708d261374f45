/** What `collard doctor` looks at in certificates: our own, the authority's, and the broker's as it shows it. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { Endpoint } from '../broker/endpoint.ts';
import { type Finding, fail, messageOf, ok, warn } from './doctor-machine.ts';

export interface TlsTexts {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

const DAY_MS = 86_400_000;
const SOON_DAYS = 30;
const SHOW_MS = 5_000;
const PORTS: Readonly<Record<string, number>> = { 'mqtts:': 8883, 'wss:': 443 };

/** Nothing where there are none. */
export function checkCertificates({ ca, cert, key }: TlsTexts, nowMs: number): Finding[] {
  const findings = [
    ...certificatesIn(ca ?? '').map((text) => checkOne('mqtt.ca', text, nowMs)),
    ...certificatesIn(cert ?? '').map((text) => checkOne('mqtt.cert', text, nowMs)),
  ];
  if (ca !== undefined && certificatesIn(ca).length === 0)
    findings.push(
      fail('tls', 'mqtt.ca holds no certificate', "give the PEM file of the authority that issued the broker's"),
    );
  if ((cert === undefined) !== (key === undefined)) {
    const [there, missing] = cert === undefined ? ['mqtt.key', 'mqtt.cert'] : ['mqtt.cert', 'mqtt.key'];
    findings.push(fail('tls', `${there} is given without ${missing}`, `give ${missing} too: they go together`));
  }
  if (cert !== undefined && key !== undefined) findings.push(...checkPair(cert, key));
  return findings;
}

function certificatesIn(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
}

function checkOne(what: string, text: string, nowMs: number): Finding {
  try {
    return validity(`${what} (${nameOf(new X509Certificate(text))})`, new X509Certificate(text), nowMs);
  } catch (error) {
    return fail('tls', `${what} cannot be read: ${messageOf(error)}`, 'give a PEM file');
  }
}

function checkPair(cert: string, key: string): Finding[] {
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return [];
    return [fail('tls', 'mqtt.key is not the key of mqtt.cert', 'give the key that the certificate was made with')];
  } catch (error) {
    return [fail('tls', `mqtt.key or mqtt.cert cannot be read: ${messageOf(error)}`, 'give PEM files')];
  }
}

function validity(what: string, certificate: Pick<X509Certificate, 'validFrom' | 'validTo'>, nowMs: number): Finding {
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  if (nowMs < from) {
    const fix = 'look at "clock": without a set clock no certificate is valid; else wait, or get another one';
    return fail('tls', `${what} is not valid before ${day(from)}`, fix);
  }
  const fix = 'have it issued anew, and put it in the place of this one';
  if (nowMs > to) return fail('tls', `${what} was valid until ${day(to)}`, fix);
  const days = Math.floor((to - nowMs) / DAY_MS);
  if (days < SOON_DAYS) return warn('tls', `${what} is valid for ${days} more days, until ${day(to)}`, fix);
  return ok('tls', `${what} is valid until ${day(to)}`);
}

function nameOf({ subject }: X509Certificate): string {
  return /CN=([^\n]+)/.exec(subject)?.[1] ?? subject.replaceAll('\n', ', ');
}

/** Null where it has no TLS, or shows no certificate that is trusted: why, says the connection itself. */
export async function checkServerCertificate(
  { url, servername }: Pick<Endpoint, 'url' | 'servername'>,
  tls: TlsTexts,
  nowMs: number,
): Promise<Finding | null> {
  const { protocol, hostname, port } = new URL(url);
  const known = PORTS[protocol];
  if (known === undefined) return null;
  const host = hostname.replace(/^\[|\]$/g, '');
  const name = servername ?? host;
  const certificate = await new Promise<X509Certificate | null>((resolve) => {
    const socket = connect({
      host,
      port: port === '' ? known : Number(port),
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
    });
    const end = (found: X509Certificate | null) => {
      socket.destroy();
      resolve(found);
    };
    socket.setTimeout(SHOW_MS, () => end(null));
    socket.once('secureConnect', () => end(socket.getPeerX509Certificate() ?? null));
    socket.on('error', () => end(null));
  });
  return certificate === null
    ? null
    : validity(`the broker's certificate (${nameOf(certificate)})`, certificate, nowMs);
}
