/** The etcd of the workers, as the configuration says. */
import { createEtcd, type Etcd } from '../../etcd/gateway.ts';

export interface EtcdAccess {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

export function etcdOf({ username, password }: EtcdAccess, endpoints: readonly string[], timeoutMs: number): Etcd {
  const settings = { address: 'workers.etcd', user: 'workers.username and workers.password' };
  return createEtcd({ endpoints, timeoutMs, settings, username, password });
}
