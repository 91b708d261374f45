import { test } from 'vitest';
import { etcdPath } from '../../../clusters/paths.ts';
import { killOneOfTwo } from '../../../e2e/fleet-kill.ts';
import { mosquittoPath, requireServer } from '../../../servers.ts';
import { freshUrl } from '../../engines/fresh.ts';

const hasServers = requireServer('mosquitto', mosquittoPath) && requireServer('etcd', etcdPath, 'etcd-server');

test.skipIf(!hasServers)(
  'one of two workers is killed: the other takes over, nothing is lost or doubled',
  async () => killOneOfTwo(await freshUrl()),
  180_000,
);
