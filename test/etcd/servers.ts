/** etcd servers, as `config/etcd/etcd.yaml` says: one alone, or three as one cluster. */
import { rmSync, writeFileSync } from 'node:fs';
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
} from '../clusters/node.ts';
import { etcdPath } from '../clusters/paths.ts';

export interface EtcdServer extends Cluster {
  /** Of the first one, as all that follows. */
  readonly url: string;
  readonly host: string;
  call(path: string, body: object): Promise<Record<string, unknown>>;
  put(key: string, value: string, lease?: string): Promise<void>;
  remove(key: string): Promise<void>;
  /** A lease that nobody keeps alive. */
  lease(seconds: number): Promise<string>;
  kill(): Promise<void>;
  /** `anew`: as one that knows nothing. */
  restart(anew?: boolean): Promise<void>;
  stop(): Promise<void>;
}

/** Resolves when they have a leader. They flush nothing: no power is cut here. */
export async function startEtcd(size: 1 | 3 = 1): Promise<EtcdServer> {
  if (etcdPath === null) throw new Error('etcd is not installed');
  const program = etcdPath;
  const folder = newFolder('etcd');
  const numbers = Array.from({ length: size }, (_, i) => i + 1);
  const ports = await choosePorts(numbers.flatMap((no) => [`10.0.0.${no}:2379`, `10.0.0.${no}:2380`]));
  const members = numbers.map((no) => `n${no}=http://10.0.0.${no}:2380`).join(',');
  const hostOf = (no: number) => `127.0.0.1:${ports.of(`10.0.0.${no}:2379`)}`;
  const urls = numbers.map((no) => `http://${hostOf(no)}`);
  const dataOf = (no: number) => join(folder, `n${no}`, 'data');
  const nodes = numbers.map((no): ClusterNode => {
    const own = subfolder(folder, `n${no}`);
    const conf = join(own, 'etcd.yaml');
    const told = replaced(example('etcd/etcd.yaml'), /^initial-cluster: .*$/m, `initial-cluster: ${members} `);
    const text = replaced(asNode(told, no), '/var/lib/etcd', dataOf(no));
    writeFileSync(conf, `${ports.onLoopback(text)}\nunsafe-no-fsync: true\n`);
    return createNode({
      name: `n${no}`,
      folder: own,
      command: () => [program, '--config-file', conf],
      isReady: () => hasLeader(`http://${hostOf(no)}`),
      readyMs: 30_000,
    });
  });
  const start = () => Promise.all(nodes.map((node) => node.start()));
  const close = () => closeAll(nodes, folder);
  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  const call = callOf(urls[0] ?? '');
  return {
    nodes,
    urls,
    url: urls[0] ?? '',
    host: hostOf(1),
    call,
    async put(key, value, lease) {
      await call('/v3/kv/put', { key: base64(key), value: base64(value), ...(lease === undefined ? {} : { lease }) });
    },
    async remove(key) {
      await call('/v3/kv/deleterange', { key: base64(key) });
    },
    async lease(seconds) {
      return String((await call('/v3/lease/grant', { TTL: seconds })).ID);
    },
    async kill() {
      await nodes[0]?.kill();
    },
    async restart(anew = false) {
      if (anew) rmSync(dataOf(1), { recursive: true, force: true });
      await start();
    },
    close,
    stop: close,
  };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

function callOf(url: string) {
  return async (path: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Record<string, unknown>;
  };
}

/** Also where it asks who one is. */
async function hasLeader(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) });
  return (await answer.text()).includes('true');
}
