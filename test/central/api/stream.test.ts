import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_STREAM_CLIENTS } from '../../../src/central/api/stream.ts';
import { until } from '../../servers.ts';
import { createSender, type Sender, type Serving, startServing } from './serving.ts';

interface Message {
  readonly id: string;
  readonly event: string;
  readonly data: ReturnType<typeof JSON.parse>;
}

interface Follower {
  readonly status: number;
  readonly messages: Message[];
  events(): number[];
  lastId(): string;
  stop(): Promise<void>;
}

async function follow(url: string, headers: Record<string, string> = {}, query = ''): Promise<Follower> {
  const abort = new AbortController();
  const response = await fetch(new URL(`api/v1/stream${query}`, url), { headers, signal: abort.signal });
  const messages: Message[] = [];
  const read = async () => {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
        if (field('event') !== '')
          messages.push({ id: field('id'), event: field('event'), data: JSON.parse(field('data')) });
      }
    }
  };
  const ended = read().catch(() => undefined);
  return {
    status: response.status,
    messages,
    events: () => messages.filter((message) => message.event === 'event').map((message) => message.data.seq),
    lastId: () => messages.findLast((message) => message.id !== '')?.id ?? '',
    async stop() {
      abort.abort();
      await ended;
    },
  };
}

describe('stream', () => {
  let central: Serving;
  let sender: Sender;
  const followers: Follower[] = [];
  const open = async (headers: Record<string, string> = {}, query = '') => {
    const follower = await follow(central.url, headers, query);
    followers.push(follower);
    return follower;
  };
  const meow = () => sender.send('meow.started', 'collar/C1', { level: 1 });
  beforeEach(async () => {
    central = await startServing();
    sender = createSender(central);
  });
  afterEach(async () => {
    for (const follower of followers.splice(0)) await follower.stop();
    await central.stop();
  });

  test('a client gets the models at once, and from then on what comes', async () => {
    await meow();
    const client = await open();
    await until('models', () => client.messages.length >= 4);
    expect(client.messages.map((message) => message.event)).toEqual(['hello', 'cats', 'agents', 'models']);
    await meow();
    await until('event', () => client.events().length === 1);
    expect(client.events()).toEqual([2]);
    await central.call('POST', 'api/v1/cats', { name: 'Mia', collar: 'C1' });
    await until('cats', () => client.messages.some((m) => m.event === 'cats' && m.data.cats[0]?.name === 'Mia'));
  });

  test('a client that comes back with its last id gets what it missed, in order, once', async () => {
    const client = await open();
    await meow();
    await until('first', () => client.events().length === 1);
    const id = client.lastId();
    await client.stop();
    for (let i = 0; i < 250; i += 1) await meow();
    for (const again of [await open({ 'last-event-id': id }), await open({}, `?after=${encodeURIComponent(id)}`)]) {
      await until('all', () => again.events().length >= 250);
      expect(again.events()).toEqual(Array.from({ length: 250 }, (_, i) => i + 2));
      expect(again.messages[0]).toMatchObject({ event: 'hello', data: { resumed: true } });
    }
  });

  test('an id in the middle of many events is as good as one at the end', async () => {
    await sender.sendAll(Array.from({ length: 20 }, () => ['meow.started', 'collar/C1', { level: 1 }, new Date()]));
    const client = await open({ 'last-event-id': 'p' });
    await until('all', () => client.events().length === 20);
    const middle = client.messages.filter((message) => message.event === 'event')[11]?.id ?? '';
    const again = await open({ 'last-event-id': middle });
    await until('rest', () => again.events().length === 8);
    expect(again.events()[0]).toBe(13);
  });

  test.each(['nonsense', 'p1-999999'])('an id of another store (%s) is told as reset', async (id) => {
    const client = await open({ 'last-event-id': id });
    await until('reset', () => client.messages.length > 0);
    expect(client.messages[0]?.event).toBe('reset');
  });

  test('a client that does not read costs no memory and holds up nobody', { timeout: 60_000 }, async () => {
    const socket = connect(Number(new URL(central.url).port), '127.0.0.1');
    socket.pause();
    socket.write('GET /api/v1/stream?after=p HTTP/1.1\r\nHost: x\r\n\r\n');
    const fast = await open();
    await until('hello', () => fast.messages.length > 0);
    const text = 'x'.repeat(20_000);
    for (let i = 0; i < 20; i += 1) {
      await sender.sendAll(
        Array.from({ length: 50 }, () => ['sensor.failed', null, { source: 's', reason: text }, new Date()]),
      );
    }
    await until('all', () => fast.events().length === 1_000, 30_000);
    // 20 MB wait for the slow one: in the store, and a little of it in the socket.
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(100_000_000);
    socket.destroy();
  });

  test('no more than MAX_STREAM_CLIENTS follow, and a place becomes free again', async () => {
    for (let i = 0; i < MAX_STREAM_CLIENTS; i += 1) await open();
    const refused = await central.call('GET', 'api/v1/stream');
    expect(refused).toMatchObject({ status: 503, body: { detail: `${MAX_STREAM_CLIENTS} clients follow already` } });
    expect(refused.headers.get('retry-after')).toBe('30');
    await followers[0]?.stop();
    await until('a free place', async () => {
      const client = await follow(central.url);
      followers.push(client);
      return client.status === 200;
    });
  });

  test('open streams do not keep the server from stopping', async () => {
    for (let i = 0; i < 5; i += 1) await open();
    expect(await central.stopServer()).toBeLessThan(2_000);
  });
});
