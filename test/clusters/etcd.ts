/** etcd servers, as `config/etcd/etcd.yaml` says: three as one cluster, or one alone. */
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
  subfolder,
} from './node.ts';
import { etcdPath } from './paths.ts';

/** Resolves when they have a leader. */
export async function startEtcd(size: 1 | 3 = 3): Promise<Cluster> {
  if (etcdPath === null) throw new Error('etcd is not installed');
  const program = etcdPath;
  const folder = newFolder('etcd');
  const numbers = Array.from({ length: size }, (_, i) => i + 1);
  const ports = await choosePorts(numbers.flatMap((no) => [`10.0.0.${no}:2379`, `10.0.0.${no}:2380`]));
  const members = numbers.map((no) => `n${no}=http://10.0.0.${no}:2380`).join(',');
  const url = (no: number) => `http://127.0.0.1:${ports.of(`10.0.0.${no}:2379`)}`;
  const nodes = numbers.map((no): ClusterNode => {
    const own = subfolder(folder, `n${no}`);
    const conf = join(own, 'etcd.yaml');
    let text = asNode(
      replaced(example('etcd/etcd.yaml'), /^initial-cluster: .*$/m, `initial-cluster: ${members} `),
      no,
    );
    text = replaced(text, '/var/lib/etcd', join(own, 'data'));
    writeFileSync(conf, ports.onLoopback(text));
    return createNode({
      name: `n${no}`,
      folder: own,
      command: () => [program, '--config-file', conf],
      isReady: () => answers(url(no)),
      readyMs: 30_000,
    });
  });
  try {
    await Promise.all(nodes.map((node) => node.start()));
  } catch (error) {
    await closeAll(nodes, folder);
    throw error;
  }
  return { nodes, urls: numbers.map(url), close: () => closeAll(nodes, folder) };
}

/** By the gateway that collard uses, and not by itself alone: a read asks the leader. */
async function answers(url: string): Promise<boolean> {
  const body = JSON.stringify({ key: Buffer.from('ready').toString('base64') });
  const { ok } = await fetch(`${url}/v3/kv/range`, { method: 'POST', body, signal: AbortSignal.timeout(2_000) });
  return ok;
}
