/** Expires what is older than its third argument, and dies at the step of which the fourth says the number. */
import { openStore } from '../../../src/central/open-store.ts';

const [, , url = '', dir = '', before = '', at = ''] = process.argv;
const store = await openStore({ url });
let left = Number(at);
await store.expire({
  dir,
  before,
  signal: new AbortController().signal,
  step(name) {
    process.stdout.write(`${name}\n`);
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  },
});
await store.close();
