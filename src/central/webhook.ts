/**
 * One webhook: a request that says what happened, once for each event and again until it is answered. Signed as Standard Webhooks
 * (standardwebhooks.com) are, so that receivers need not write their own check.
 */
import { createHash, createHmac } from 'node:crypto';
import type { CentralConfig } from './config.ts';

/** Who does not answer in this time has not heard. */
export const ANSWER_MS = 10_000;

export interface Webhook {
  readonly url: string;
  /** Without path and query: those may hold a token, and are in no message. */
  readonly shown: string;
  /** The same over restarts, as long as the URL is. */
  readonly target: string;
  readonly key: Uint8Array | null;
  readonly on: readonly ('raised' | 'cleared')[];
}

export interface Delivery {
  /** Of the event: the same at every try, so that a receiver can leave out what it has. */
  readonly id: string;
  readonly body: string;
  readonly atMs: number;
}

export type Delivered = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Resolves to what became of it, and rejects never. */
export type Send = (hook: Webhook, delivery: Delivery, signal: AbortSignal) => Promise<Delivered>;

export function webhooksOf({ webhooks, webhookSecret }: Pick<CentralConfig, 'webhooks' | 'webhookSecret'>): Webhook[] {
  return webhooks.map(({ url, secret = webhookSecret, on }) => ({
    url,
    shown: new URL(url).origin,
    target: createHash('sha256').update(url).digest('hex').slice(0, 32),
    key: secret === undefined ? null : keyOf(secret),
    on,
  }));
}

export function signatureOf(key: Uint8Array, { id, body, atMs }: Delivery): string {
  const signed = `${id}.${Math.floor(atMs / 1_000)}.${body}`;
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
}

export function sendWebhook(version: string): Send {
  return async (hook, delivery, signal) => {
    const late = AbortSignal.timeout(ANSWER_MS);
    try {
      const response = await fetch(hook.url, {
        method: 'POST',
        headers: headersOf(hook, delivery, version),
        body: delivery.body,
        // Another host would be told what it was not meant to hear.
        redirect: 'manual',
        signal: AbortSignal.any([signal, late]),
      });
      await response.body?.cancel();
      if (response.ok) return { ok: true };
      const isRedirect = response.status >= 300 && response.status < 400;
      const why = isRedirect ? ': redirects are not followed, name the URL that it leads to' : '';
      return { ok: false, reason: `${hook.shown} answers ${response.status}${why}` };
    } catch (error) {
      if (late.aborted) return { ok: false, reason: `${hook.shown} does not answer within ${ANSWER_MS} ms` };
      return { ok: false, reason: `${hook.shown} cannot be reached (${codeOf(error)})` };
    }
  };
}

function headersOf({ key }: Webhook, delivery: Delivery, version: string): Record<string, string> {
  return {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'user-agent': `collard/${version}`,
    'idempotency-key': delivery.id,
    'webhook-id': delivery.id,
    'webhook-timestamp': String(Math.floor(delivery.atMs / 1_000)),
    ...(key === null ? {} : { 'webhook-signature': signatureOf(key, delivery) }),
  };
}

/** `whsec_` and base64, as the standard has them; any other text is its bytes. */
function keyOf(secret: string): Uint8Array {
  return secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);
}

/** What fetch says itself may hold the URL. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return code === '' ? (error instanceof Error ? error.name : 'unknown') : code;
}
