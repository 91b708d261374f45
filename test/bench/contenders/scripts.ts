import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Contender } from '../contender.ts';
import { begin } from './child.ts';
import { peersFolder } from './peers.ts';

const program = fileURLToPath(new URL('./script.mjs', import.meta.url));

/** serialport's readline and MQTT.js. */
export function script(keeping: 'jsonl' | 'sqlite'): Contender {
  const needs = keeping === 'jsonl' && !existsSync(join(peersFolder, 'node_modules', 'mqtt-jsonl-store'));
  return {
    name: keeping === 'jsonl' ? 'script, mqtt-jsonl-store' : 'script, a row an event',
    durable: keeping === 'sqlite',
    format: 'json',
    missing: needs ? 'npm run bench:peers' : null,
    async start({ port, brokerPort, folder, env }) {
      const args = [program, port, String(brokerPort), folder, keeping, peersFolder];
      const child = begin(process.execPath, args, { env });
      await child.says(/reads/, 60_000);
      return child;
    },
  };
}
