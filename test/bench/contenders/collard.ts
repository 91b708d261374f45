import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Contender } from '../contender.ts';
import { begin } from './child.ts';

/** As the unit starts it. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=4'];
const bin = fileURLToPath(new URL('../../../dist/cli/bin.js', import.meta.url));

/** The agent as the package runs it. The broker's word is enough, as it is for the others: nobody here is central. */
export function collard(format: 'json' | 'frame', groupMs: number | null = null): Contender {
  const group = groupMs === null ? '' : `, groupMs: ${groupMs}`;
  return {
    name: `collard (${format})`,
    durable: true,
    format,
    missing: existsSync(bin) ? null : 'npm run build',
    async start({ port, brokerPort, folder, env }) {
      const config = join(folder, 'agent.yaml');
      const url = `mqtt://127.0.0.1:${brokerPort}`;
      writeFileSync(
        config,
        `agent: bench
sources: [{ serial: ${port}, format: ${format}, silentAfterMs: 600000 }]
log: { path: ${join(folder, 'events.db')}${group} }
mqtt: { url: "${url}", retryFirstMs: 200, retryMaxMs: 200 }
forward: { confirm: broker }
`,
      );
      const child = begin(process.execPath, [...FLAGS, bin, 'agent', '--config', config], { env });
      await child.says(/source is open/, 60_000);
      return child;
    },
  };
}
