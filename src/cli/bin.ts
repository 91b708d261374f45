#!/usr/bin/env node
/** The executable. Nothing but the guard is loaded before it has looked at the version of Node.js. */
import { guardRuntime } from '../lib/runtime-guard.ts';

if (guardRuntime()) {
  const { main } = await import('./main.ts');
  await main(process.argv.slice(2));
}
