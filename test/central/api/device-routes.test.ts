import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { shardName, shardOf } from '../../../src/contract/topic.ts';
import { epochId, meowing, NOW } from '../store/events.ts';
import { type Serving, startServing } from './serving.ts';

let central: Serving;

beforeEach(async () => {
  central = await startServing();
});
afterEach(() => central.stop());

describe('/api/v1/agents/:agent/gaps', () => {
  test('tells what is awaited and what is lost; of an agent that nobody knows there is nothing', async () => {
    const porch = meowing('porch', epochId(1), 6);
    const data = { epoch: epochId(1), fromSeq: 2, toSeq: 3, count: 2, reason: 'disk budget' };
    porch.add('history.lost', null, data, 7);
    await central.store.ingest(porch.batch(1, 1), NOW);
    await central.store.ingest(porch.batch(7, 7), NOW);
    const { status, body } = await central.call('GET', 'api/v1/agents/porch/gaps');
    expect(status).toBe(200);
    expect(body).toEqual({
      gaps: [
        { epoch: epochId(1), fromSeq: 2, toSeq: 3, reason: 'disk budget', noted: NOW },
        { epoch: epochId(1), fromSeq: 4, toSeq: 6, reason: null, noted: null },
      ],
    });
    expect((await central.call('GET', 'api/v1/agents/nobody/gaps')).body).toEqual({ gaps: [] });
    expect((await central.call('GET', `api/v1/agents/${'x'.repeat(65)}/gaps`)).status).toBe(400);
  });
});

describe('/api/v1/central', () => {
  test('a central alone has no workers, and tells how far its shards have come', async () => {
    await central.store.ingest(meowing('porch', epochId(1), 4).batch(1, 3), NOW);
    const { body } = await central.call('GET', 'api/v1/central');
    expect(body).toMatchObject({ shared: false, workers: [], concerns: [], etcd: null });
    expect(body.shards).toMatchObject([
      {
        shard: shardName(shardOf('porch')),
        arrived: 3,
        projected: 0,
        waiting: 3,
        epochs: [{ agent: 'porch', mark: 3 }],
      },
    ]);
  });

  test('the room of its store is a concern like any other', async () => {
    await central.stop();
    central = await startServing({ room: () => ['the disk is nearly full'] });
    const { body } = await central.call('GET', 'api/v1/central');
    expect(body).toMatchObject({ shared: false, concerns: ['the disk is nearly full'] });
  });

  test('the store is asked at most every two seconds, however many ask', async () => {
    let now = Date.parse(NOW);
    await central.stop();
    central = await startServing({ clock: () => new Date(now) });
    const arrived = async () => (await central.call('GET', 'api/v1/central')).body.shards[0]?.arrived;
    expect(await arrived()).toBeUndefined();
    await central.store.ingest(meowing('porch', epochId(1), 4).batch(1, 3), NOW);
    now += 1_900;
    expect(await arrived()).toBeUndefined();
    now += 200;
    expect(await arrived()).toBe(3);
  });
});
