/** Whatever a query asks for, and whatever a cat is called: an answer, a refusal, and nothing that nobody wanted. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { epochId, meowing, NOW } from '../store/events.ts';
import { NASTY } from '../store/nasty.ts';
import { type Serving, startServing } from './serving.ts';

let central: Serving;
beforeAll(async () => {
  central = await startServing();
  await central.store.ingest(meowing('porch', epochId(0), 4).batch(1, 4), NOW);
});
afterAll(() => central.stop());

test.each([...NASTY, 'x'.repeat(300)])('%j is a value', async (nasty) => {
  const text = encodeURIComponent(nasty);
  const before = await central.call('GET', 'api/v1/events?agent=porch');
  expect(before.body.events).toHaveLength(4);
  for (const query of ['agent', 'collar', 'type']) {
    const found = await central.call('GET', `api/v1/events?${query}=${text}`);
    expect([200, 400]).toContain(found.status);
    if (found.status === 200) expect(found.body.events).toEqual([]);
  }
  for (const query of ['after=', 'order=desc&before=', 'cat=', 'from=', 'limit=', 'order='])
    expect((await central.call('GET', `api/v1/events?${query}${text}`)).status).toBe(400);
  for (const path of [`agents/${text}/gaps`, `events/${text}/1`, `cats/${text}/history`])
    expect([200, 400, 404]).toContain((await central.call('GET', `api/v1/${path}`)).status);
  for (const query of ['tz=', 'type=', 'by='])
    expect([200, 400]).toContain((await central.call('GET', `api/v1/stats?${query}${text}`)).status);
  const added = await central.call('POST', 'api/v1/cats', { name: nasty });
  const { cats } = (await central.call('GET', 'api/v1/cats')).body;
  const names = cats.map(({ name }: { name: string }) => name);
  if (added.status === 201) expect(names).toContain(added.body.name);
  else expect(added.status).toBe(400);
  expect((await central.call('GET', 'api/v1/events?agent=porch')).body.events).toEqual(before.body.events);
});
