/** What the demo tells in the terminal, where it is stopped while central has not answered yet. */
import { expect, it } from 'vitest';
import { runStory } from '../../src/cli/demo-story.ts';
import { serve } from '../http.ts';

it.each(['/api/v1/cats', '/api/v1/stream'])('ends without an error while it waits for %s', async (slow) => {
  const stop = new AbortController();
  const url = await serve((request, response) => {
    if (request.url === slow) stop.abort();
    else response.writeHead(201).end();
  });
  await expect(runStory({ url, cats: new Map([['A', 'Mia']]) }, stop.signal)).resolves.toBeUndefined();
  expect(stop.signal.aborted).toBe(true);
});

it('says what central would not do', async () => {
  const url = await serve((_, response) => response.writeHead(500).end());
  const story = runStory({ url, cats: new Map([['A', 'Mia']]) }, new AbortController().signal);
  await expect(story).rejects.toThrow('the demo could not add Mia: HTTP 500');
});
