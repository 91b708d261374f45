#!/usr/bin/env node
/** The executable. Nothing but the guard is loaded before it has looked at the version of Node.js. */
import { guardRuntime } from '../lib/runtime-guard.ts';

if (guardRuntime()) {
  // It would have every TLS connection of this process take any certificate.
  if (process.env.NODE_TLS_REJECT_UNAUTHORIZED === '0') {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    const fix = 'name the authority: mqtt.ca, ?sslca= in store.url, or NODE_EXTRA_CA_CERTS';
    process.stderr.write(`warning: NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored, certificates are verified: ${fix}\n`);
  }
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
