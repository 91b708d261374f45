/** Three RabbitMQ servers with MQTT and quorum queues, as `config/rabbitmq/` says. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../servers.ts';
import {
  type Cluster,
  type ClusterNode,
  closeAll,
  createNode,
  example,
  newFolder,
  replaced,
  speaksMqtt,
  subfolder,
} from './node.ts';
import { epmdPath, rabbitmqPath } from './paths.ts';

const SIZE = 3;
/** After all three were lost it takes about two minutes. */
const READY_MS = 240_000;

/** Resolves when MQTT answers on all three. */
export async function startRabbitmq(): Promise<Cluster> {
  if (rabbitmqPath === null || epmdPath === null) throw new Error('rabbitmq-server is not installed');
  const program = rabbitmqPath;
  const folder = newFolder('rabbitmq');
  // Known to all before any of them makes one.
  writeFileSync(join(folder, '.erlang.cookie'), randomBytes(16).toString('hex'), { mode: 0o400 });
  // Who of the nodes has which port is known to a server of Erlang's; its own one, so that it ends with them.
  const epmdPort = await freePort();
  const epmd = createNode({
    name: 'epmd',
    folder,
    command: () => [epmdPath ?? '', '-port', `${epmdPort}`, '-address', '127.0.0.1'],
    isReady: () => accepts(epmdPort),
    readyMs: 10_000,
  });
  const mqttPorts = [await freePort(), await freePort(), await freePort()];
  const nodes: ClusterNode[] = [];
  for (const [index, mqttPort] of mqttPorts.entries()) {
    const own = subfolder(folder, `r${index + 1}`);
    writeFileSync(join(own, 'rabbitmq.conf'), configured(mqttPort));
    writeFileSync(join(own, 'enabled_plugins'), example('rabbitmq/enabled_plugins'));
    const moved = { epmdPort, amqp: await freePort(), dist: await freePort() };
    nodes.push(
      createNode({
        name: `r${index + 1}`,
        folder: own,
        command: () => [program],
        env: environment(folder, own, index + 1, moved),
        isReady: () => speaksMqtt(mqttPort),
        readyMs: READY_MS,
        stopMs: 60_000,
      }),
    );
  }
  const close = () => closeAll([...nodes, epmd], folder);
  try {
    await epmd.start();
    // One after the other, as the example says.
    for (const node of nodes) await node.start();
  } catch (error) {
    await close();
    throw error;
  }
  return { nodes, urls: mqttPorts.map((port) => `mqtt://127.0.0.1:${port}`), close };
}

function configured(mqttPort: number): string {
  let text = example('rabbitmq/rabbitmq.conf');
  text = replaced(text, '0.0.0.0:1883', `127.0.0.1:${mqttPort}`);
  text = replaced(text, 'mqtt.allow_anonymous = false', 'mqtt.allow_anonymous = true');
  text = replaced(text, /^vm_memory_high_watermark\.relative = .*$/m, 'vm_memory_high_watermark.absolute = 1GB');
  for (let no = 1; no <= SIZE; no += 1) text = replaced(text, `rabbit@rabbit${no}`, nameOf(no));
  return text;
}

function nameOf(no: number): string {
  return `r${no}@localhost`;
}

function environment(
  home: string,
  own: string,
  no: number,
  ports: { readonly epmdPort: number; readonly amqp: number; readonly dist: number },
): Record<string, string> {
  return {
    // Of the cookie, which they share.
    HOME: home,
    ERL_EPMD_PORT: `${ports.epmdPort}`,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: nameOf(no),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: `${ports.amqp}`,
    RABBITMQ_DIST_PORT: `${ports.dist}`,
    RABBITMQ_MNESIA_BASE: join(own, 'db'),
    RABBITMQ_LOG_BASE: join(own, 'log'),
    RABBITMQ_CONFIG_FILE: join(own, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(own, 'enabled_plugins'),
    RABBITMQ_PID_FILE: join(own, 'pid'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}',
    // The shell that starts it becomes it: what is killed is the server.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}
