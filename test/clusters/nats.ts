/** Three NATS servers with JetStream and MQTT, as `config/nats/node.conf` says. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  asNode,
  type Cluster,
  type ClusterNode,
  choosePorts,
  closeAll,
  createNode,
  example,
  newFolder,
  replaced,
  speaksMqtt,
  subfolder,
} from './node.ts';
import { natsPath } from './paths.ts';

const SIZE = 3;
const PORTS = [4222, 8222, 6222, 1883] as const;
const READY_MS = 60_000;

/** Resolves when all three are ready and have a leader. */
export async function startNats(): Promise<Cluster> {
  if (natsPath === null) throw new Error('nats-server is not installed');
  const program = natsPath;
  const folder = newFolder('nats');
  const numbers = Array.from({ length: SIZE }, (_, i) => i + 1);
  const ports = await choosePorts(numbers.flatMap((no) => PORTS.map((port) => `10.0.0.${no}:${port}`)));
  const nodes = numbers.map((no): ClusterNode => {
    const own = subfolder(folder, `n${no}`);
    const conf = join(own, 'node.conf');
    const text = replaced(ports.onLoopback(asNode(example('nats/node.conf'), no)), '/var/lib/nats', join(own, 'data'));
    writeFileSync(conf, text);
    const http = `http://127.0.0.1:${ports.of(`10.0.0.${no}:8222`)}`;
    return createNode({
      name: `n${no}`,
      folder: own,
      command: () => [program, '-c', conf],
      isReady: () => isReady(http, ports.of(`10.0.0.${no}:1883`)),
      readyMs: READY_MS,
    });
  });
  try {
    await Promise.all(nodes.map((node) => node.start()));
  } catch (error) {
    await closeAll(nodes, folder);
    throw error;
  }
  return {
    nodes,
    urls: numbers.map((no) => `mqtt://127.0.0.1:${ports.of(`10.0.0.${no}:1883`)}`),
    close: () => closeAll(nodes, folder),
  };
}

/** Not asked whether every consumer is up to date: 2.9 says for ever that those of sessions that have ended are not. */
async function isReady(http: string, mqttPort: number): Promise<boolean> {
  const signal = AbortSignal.timeout(2_000);
  const health = await fetch(`${http}/healthz?js-server-only=true`, { signal });
  if (!health.ok) return false;
  const js = (await (await fetch(`${http}/jsz`, { signal })).json()) as { meta_cluster?: { leader?: string } };
  return (js.meta_cluster?.leader ?? '') !== '' && (await speaksMqtt(mqttPort));
}
