/** A real etcd for tests, on free ports and in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, freePort, until } from './servers.ts';

export const etcdPath = findProgram('etcd');

export interface EtcdServer {
  readonly url: string;
  kill(): Promise<void>;
  /** After kill(): on the same port and folder, or, `anew`, as one that knows nothing. */
  start(anew?: boolean): Promise<void>;
  /** And its folder is removed. */
  stop(): Promise<void>;
}

export async function startEtcd(): Promise<EtcdServer> {
  const path = etcdPath;
  if (path === null) throw new Error('etcd is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'collard-etcd-'));
  const url = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const args = [
    ...['--name', 'one', '--data-dir', join(folder, 'data'), '--log-level', 'error'],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `one=${peer}`],
  ];
  let child: ChildProcess | null = null;
  const start = async (anew = false) => {
    if (anew) rmSync(join(folder, 'data'), { recursive: true, force: true });
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', path, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    child = started;
    let told = '';
    started.stderr?.on('data', (text) => {
      told = (told + text).slice(-2_000);
    });
    await until(
      'etcd answers',
      async () => {
        if (started.exitCode !== null) throw new Error(`etcd ended with ${started.exitCode}: ${told}`);
        return fetch(`${url}/health`).then(
          async (response) => (await response.text()).includes('true'),
          () => false,
        );
      },
      30_000,
    );
  };
  const end = async (signal: NodeJS.Signals) => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
  };
  await start();
  return {
    url,
    kill: () => end('SIGKILL'),
    start,
    async stop() {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
