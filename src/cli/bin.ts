#!/usr/bin/env node
/** The executable. Nothing but the guard is loaded before it has looked at the version of Node.js. */
import { guardRuntime } from '../lib/runtime-guard.ts';

if (guardRuntime()) {
  const args = process.argv.slice(2);
  // A daemon lives for months on a small machine. Left alone, V8 lets its young generation grow to 16 MiB and more and seldom
  // gives it back; kept at its first size it costs these two no measurable time, but for bursts. Who starts Node.js with a limit
  // of his own for it, as the unit of the agent does, has chosen.
  const isLimited = process.execArgv.some((flag) => flag.startsWith('--max-semi-space-size'));
  if (!isLimited && (args[0] === 'agent' || args[0] === 'central')) {
    const { setFlagsFromString } = await import('node:v8');
    setFlagsFromString('--semi-space-growth-factor=1');
  }
  const { main } = await import('./main.ts');
  await main(args);
}
