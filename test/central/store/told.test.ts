import { expect, it, onTestFinished } from 'vitest';
import { freshStore } from '../engines/fresh.ts';

it('topics of retained messages are remembered once, over a restart, until they are forgotten', async () => {
  const store = await freshStore();
  onTestFinished(() => store.close());
  const [cat, device] = ['collard/v1/cat/1', 'homeassistant/device/collard_cat_1/config'];
  await store.rememberTold([device, cat]);
  await store.rememberTold([cat, `${'long/'.repeat(60)}cat/1`]);
  expect(await store.toldTopics()).toEqual([cat, device]);
  await store.forgetTold(cat);
  await store.forgetTold(cat);
  await store.rememberTold([]);
  expect(await store.toldTopics()).toEqual([device]);
});
