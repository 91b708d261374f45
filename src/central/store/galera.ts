/** What a MariaDB that is a node of a Galera cluster is asked besides. */
import type { Ask } from './server-dialect.ts';

const STATUS = `show global status where variable_name in
  ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_cluster_state_uuid')`;

export async function isGalera(ask: Ask): Promise<boolean> {
  const [row] = await ask(`show session variables where variable_name = 'wsrep_on'`);
  return row?.Value === 'ON';
}

/**
 * A node may answer and yet refuse all work, or be in the smaller half: rejects with code STORE_AWAY. From then on each
 * transaction on this connection begins with all that any node has committed before.
 */
export async function prepareNode(name: string, ask: Ask): Promise<void> {
  const status = await statusOf(ask);
  const [ready, cluster] = [status.get('wsrep_ready'), status.get('wsrep_cluster_status')];
  if (ready !== 'ON' || cluster !== 'Primary') {
    const text = `${name}: this node takes no part in its cluster now (wsrep_ready ${ready}, ${cluster}): if it stays so, restart it`;
    throw Object.assign(new Error(text), { code: 'STORE_AWAY' });
  }
  await ask('set session wsrep_sync_wait = 1');
}

/** Of the cluster: nodes differ in all that a single server is known by. A dump that is loaded into it changes nothing here. */
export async function clusterIdentity(ask: Ask): Promise<string> {
  return `galera ${(await statusOf(ask)).get('wsrep_cluster_state_uuid')}`;
}

async function statusOf(ask: Ask): Promise<ReadonlyMap<string, string>> {
  return new Map((await ask(STATUS)).map((row) => [String(row.Variable_name), String(row.Value)]));
}
