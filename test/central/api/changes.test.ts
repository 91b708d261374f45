import { expect, test } from 'vitest';
import { createChanges } from '../../../src/central/api/changes.ts';

const forever = new AbortController().signal;

test('who waits is woken by the next announcement', async () => {
  const changes = createChanges();
  const woken = changes.after(changes.version, forever).then(() => 'woken');
  changes.announce();
  expect(await woken).toBe('woken');
});

test('what was announced between reading and waiting is not missed', async () => {
  const changes = createChanges();
  const seen = changes.version;
  changes.announce();
  await changes.after(seen, forever);
  expect(changes.version).toBe(seen + 1);
});

test('the signal ends the wait', async () => {
  const changes = createChanges();
  const abort = new AbortController();
  const waiting = changes.after(changes.version, abort.signal);
  abort.abort();
  await waiting;
  await changes.after(changes.version, abort.signal);
});
