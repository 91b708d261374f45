/** Runs before each file of tests, those that share a process included: what modules are asked for once is not. */
import { rmSync } from 'node:fs';
import { afterAll } from 'vitest';
import { FOLDERS } from './folders.ts';

// What is set up first is taken down last.
afterAll(() => {
  for (const folder of FOLDERS.splice(0)) rmSync(folder, { recursive: true, force: true });
});
