import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { centralSchema } from '../../src/central/config.ts';
import { sendWebhook, signatureOf, type Webhook, webhooksOf } from '../../src/central/webhook.ts';
import { serve } from '../http.ts';
import { freePort } from '../servers.ts';

const never = new AbortController().signal;
const send = sendWebhook('1.2.3');
const delivery = { id: 'epoch/7', body: '{"a":1}', atMs: 1_614_265_330_999 };

function hookOf(url: string, more: object = {}): Webhook {
  const config = { webhooks: [{ url, ...more }], mqtt: { url: 'mqtt://b' }, store: { url: 'sqlite:x' } };
  const [hook = expect.unreachable('one webhook')] = webhooksOf(centralSchema.parse(config));
  return hook;
}

describe('a webhook', () => {
  test('is told by POST, with an id that stays, signed as Standard Webhooks are', async () => {
    let body = '';
    let asked: IncomingMessage | undefined;
    const url = await serve(async (request, response) => {
      asked = request;
      for await (const chunk of request) body += chunk;
      response.writeHead(204).end();
    });
    const hook = hookOf(`${url}/hook?token=t`, { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' });
    expect(await send(hook, delivery, never)).toEqual({ ok: true });
    expect([asked?.method, asked?.url, body]).toEqual(['POST', '/hook?token=t', delivery.body]);
    expect(asked?.headers).toMatchObject({
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'user-agent': 'collard/1.2.3',
      'idempotency-key': 'epoch/7',
      'webhook-id': 'epoch/7',
      'webhook-timestamp': '1614265330',
      'webhook-signature': hook.key === null ? '' : signatureOf(hook.key, delivery),
    });
  });

  test('is signed as the test vector of the standard says, and not at all without a secret', async () => {
    const known = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}', atMs: 1_614_265_330_000 };
    const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
    expect(signatureOf(key, known)).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
    let headers: IncomingMessage['headers'] = {};
    const url = await serve((request, response) => {
      headers = request.headers;
      response.end();
    });
    await send(hookOf(url), delivery, never);
    expect(headers['webhook-signature']).toBeUndefined();
  });

  test('that answers anything but 2xx has not heard; what it answers is not read', async () => {
    for (const status of [300, 400, 410, 500]) {
      const url = await serve((_request, response) => response.writeHead(status).end('x'.repeat(1_000_000)));
      expect(await send(hookOf(`${url}/token`), delivery, never)).toMatchObject({
        ok: false,
        reason: expect.stringContaining(`${url} answers ${status}`),
      });
    }
  });

  test('that leads elsewhere is not followed', async () => {
    let visits = 0;
    const elsewhere = await serve((_request, response) => {
      visits += 1;
      response.end();
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const url = await serve((_request, response) => response.writeHead(status, { location: elsewhere }).end());
      const outcome = await send(hookOf(url), delivery, never);
      expect(outcome).toMatchObject({ ok: false, reason: expect.stringContaining('redirects are not followed') });
    }
    expect(visits).toBe(0);
  });

  test('that is not there, is cut off or hangs is told so without its token', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const outcome = await send(hookOf(`${nobody}/token`), delivery, never);
    expect(outcome).toEqual({ ok: false, reason: `${nobody} cannot be reached (ECONNREFUSED)` });
    const cut = await serve((request) => void request.socket.destroy());
    expect(JSON.stringify(await send(hookOf(`${cut}/token`), delivery, never))).not.toContain('token');
    const hangs = await serve(() => undefined);
    const stop = new AbortController();
    const waiting = send(hookOf(hangs), delivery, stop.signal);
    stop.abort();
    expect((await waiting).ok).toBe(false);
  });

  test('has a secret of its own or that of all, and the same target as long as its URL is the same', () => {
    const config = centralSchema.parse({
      mqtt: { url: 'mqtt://b' },
      store: { url: 'sqlite:x' },
      webhookSecret: 'sixteen letters!',
      webhooks: [
        { url: 'https://a.example/x?y=z' },
        { url: 'https://b.example', secret: 'another sixteen!', on: ['raised'] },
      ],
    });
    const [a, b] = webhooksOf(config);
    expect([a?.key, b?.key].map((key) => Buffer.from(key ?? []).toString())).toEqual([
      'sixteen letters!',
      'another sixteen!',
    ]);
    expect([a?.shown, a?.on, b?.on]).toEqual(['https://a.example', ['raised', 'cleared'], ['raised']]);
    expect(webhooksOf(config)[0]?.target).toBe(a?.target);
    expect(new Set([a?.target, b?.target]).size).toBe(2);
  });

  test.each(['ftp://a', 'a.example', 'https://me:secret@a', 'https://'])(
    'is no URL that it could be told at: %s',
    (url) => {
      expect(() => hookOf(url)).toThrow();
    },
  );
});
