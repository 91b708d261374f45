import { expect, it } from 'vitest';
import { withoutOthers } from '../../../src/central/subscriber/others.ts';

it('takes out what is below no topic of ours, lets it go, and tells short words of now', () => {
  const heard: string[] = [];
  const done: string[] = [];
  const message = (topic: string, text: string, retained = false) => ({
    ...{ topic, payload: Buffer.from(text), retained },
    done: () => void done.push(`${topic} ${text.length}`),
  });
  const messages = [
    message('collard/v1/s01/porch/events', '[]'),
    message('homeassistant/status', 'online'),
    message('homeassistant/status', 'retained', true),
    message('homeassistant/status', 'x'.repeat(1_025)),
    message('collard/v10/s01/porch/events', 'no'),
  ];
  const ours = withoutOthers('collard/v1', messages, (topic, payload) => void heard.push(`${topic} ${payload}`));
  expect(ours).toEqual([messages[0]]);
  expect(heard).toEqual(['homeassistant/status online', 'collard/v10/s01/porch/events no']);
  expect(done).toHaveLength(4);
  expect(withoutOthers('collard/v1', messages)).toHaveLength(1);
});
