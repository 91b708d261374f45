/** One worker of two is killed while agents send: the same on every database. */
import { expect } from 'vitest';
import { catTopic, centralStateTopic, DEFAULT_BASE_TOPIC } from '../../src/contract/topic.ts';
import { until } from '../servers.ts';
import { openFleet } from './fleet.ts';

const EVENTS = 300;

export async function killOneOfTwo(storeUrl: string): Promise<void> {
  const agents = ['porch', 'shed', 'attic', 'garage', 'cellar', 'barn'];
  const fleet = await openFleet({ storeUrl, agents, events: EVENTS, leaseSeconds: 2 });
  try {
    const told = new Map<string, string>();
    const states: string[] = [];
    fleet.listener.on('message', (topic, payload) => {
      told.set(topic, payload.toString());
      if (topic === centralStateTopic(DEFAULT_BASE_TOPIC)) states.push(payload.toString());
    });
    await fleet.listener.subscribeAsync(`${DEFAULT_BASE_TOPIC}/cat/+`, { qos: 1 });
    await fleet.listener.subscribeAsync(centralStateTopic(DEFAULT_BASE_TOPIC), { qos: 1 });
    const first = await fleet.startWorker();
    await until('the first has all shards', async () => (await fleet.has(first)) === 64, 30_000);
    const second = await fleet.startWorker();
    await until('they share', async () => (await fleet.has(second)) === 32 && (await fleet.has(first)) === 32, 30_000);
    await Promise.all(fleet.agents.map((agent) => agent.send(100)));
    const { code, told: status } = await second.status();
    expect(status.concerns).toEqual([]);
    expect(code).toBe(0);
    expect(status.workers.map(({ isThere, leads, shards }) => [isThere, leads, shards])).toEqual([
      [true, true, 32],
      [true, false, 32],
    ]);
    expect(
      status.shards.filter(({ arrived }) => arrived > 0).map(({ arrived, awaited }) => [arrived, awaited]),
    ).toEqual(agents.map(() => [100, 0]));
    // The second does not lead: what a person does there is told by the first.
    const added = await fetch(`${second.url}/api/v1/cats`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Minka', collar: 'C0FFEE01' }),
    });
    expect(added.status).toBe(201);
    await until(
      'the leader tells of the cat',
      () => told.get(catTopic(DEFAULT_BASE_TOPIC, 1))?.includes('Minka') === true,
    );

    const sending = Promise.all(fleet.agents.map((agent) => agent.send(EVENTS)));
    await first.end('SIGKILL');
    await until('the other takes over', async () => (await fleet.has(second)) === 64, 30_000);
    await sending;
    await fleet.expectWhole();
    await until('it is ready', async () => (await fetch(`${second.url}/readyz`)).ok);
    // It leads now.
    const renamed = await fetch(`${second.url}/api/v1/cats/1`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Mia' }),
    });
    expect(renamed.status).toBe(200);
    await until('it tells of cats', () => told.get(catTopic(DEFAULT_BASE_TOPIC, 1))?.includes('Mia') === true);
    // The broker says that the first is gone, then the second that central is there.
    expect(states.map((text) => JSON.parse(text).state)).toEqual(['online', 'offline', 'online']);
    expect(await second.end('SIGTERM')).toBe(0);
    await until('central is gone', () => states.at(-1)?.includes('offline') === true);
  } finally {
    await fleet.close();
  }
}
