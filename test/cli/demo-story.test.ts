/** What the demo tells in the terminal, where it is stopped while central has not answered yet. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { runStory } from '../../src/cli/demo-story.ts';

async function central(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it.each(['/api/v1/cats', '/api/v1/stream'])('ends without an error while it waits for %s', async (slow) => {
  const stop = new AbortController();
  const url = await central((request, response) => {
    if (request.url === slow) stop.abort();
    else response.writeHead(201).end();
  });
  await expect(runStory({ url, cats: new Map([['A', 'Mia']]) }, stop.signal)).resolves.toBeUndefined();
  expect(stop.signal.aborted).toBe(true);
});

it('says what central would not do', async () => {
  const url = await central((_, response) => response.writeHead(500).end());
  const story = runStory({ url, cats: new Map([['A', 'Mia']]) }, new AbortController().signal);
  await expect(story).rejects.toThrow('the demo could not add Mia: HTTP 500');
});
