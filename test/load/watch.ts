/** What broker, database, central and this process use, from the first look to the last: proc(5), and what mosquitto counts. */
import { readFileSync } from 'node:fs';
import { connectAsync } from 'mqtt';
import { cpuSeconds } from '../bench/machine.ts';
import { familyOf } from '../bench/process-tree.ts';
import { until } from '../servers.ts';

const PAGE_BYTES = 4_096;

export const ROLES = ['central', 'broker', 'database', 'agents'] as const;
export type Role = (typeof ROLES)[number];

export interface Use {
  readonly rssMb: number;
  /** Since the start of the process. */
  readonly cpuSeconds: number;
  /** Given to the disk. */
  readonly writtenBytes: number;
}

const PROGRAMS: Readonly<Record<string, Role>> = {
  mosquitto: 'broker',
  mariadbd: 'database',
  postgres: 'database',
};

/** Of those that this process has begun; `agents` is this process itself. RSS of a database counts shared pages once for each process. */
export function usesOf(centrals: readonly number[]): Readonly<Record<Role, Use>> {
  const pids: Record<Role, number[]> = { central: [...centrals], broker: [], database: [], agents: [process.pid] };
  for (const pid of familyOf([process.pid])) {
    const role = PROGRAMS[commandOf(pid)];
    if (role !== undefined) pids[role].push(pid);
  }
  return {
    central: useOf(pids.central),
    broker: useOf(pids.broker),
    database: useOf(pids.database),
    agents: useOf(pids.agents),
  };
}

function useOf(pids: readonly number[]): Use {
  let [rssBytes, cpu, writtenBytes] = [0, 0, 0];
  for (const pid of pids) {
    const pages = Number(readOf(pid, 'statm').split(' ')[1] ?? 0);
    // One that has just ended has no more to tell.
    if (pages === 0) continue;
    rssBytes += pages * PAGE_BYTES;
    cpu += cpuSeconds(pid);
    writtenBytes += Number(/^write_bytes: (\d+)$/m.exec(readOf(pid, 'io'))?.[1] ?? 0);
  }
  return { rssMb: rssBytes / 1e6, cpuSeconds: cpu, writtenBytes };
}

function commandOf(pid: number): string {
  return readOf(pid, 'comm').trim();
}

/** '' of one that has ended, or that is not ours to look into. */
function readOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return '';
    throw error;
  }
}

export interface BrokerCounts {
  /** PUBLISH packets that came to it, and that it passed on. */
  readonly received: number;
  readonly sent: number;
  /** Packets of all kinds, PUBACK and PINGREQ too. */
  readonly packets: number;
  readonly bytes: number;
}

const NAMES = {
  received: 'publish/messages/received',
  sent: 'publish/messages/sent',
  packetsIn: 'messages/received',
  packetsOut: 'messages/sent',
  bytesIn: 'bytes/received',
  bytesOut: 'bytes/sent',
} as const;
type Name = keyof typeof NAMES;

const UPTIME = '$SYS/broker/uptime';

/**
 * What mosquitto has counted by now (`sys_interval 1`). Asked over a connection of its own, which gets what is retained: a counter that
 * stands still is told to nobody who is there already. All that changed is told after the next second of its uptime.
 */
export async function brokerCounts(url: string): Promise<BrokerCounts> {
  const client = await connectAsync(url, { protocolVersion: 5 });
  try {
    const heard = new Map<string, number>();
    let isTold = false;
    client.on('message', (topic, payload, { retain }) => {
      heard.set(topic, Number(payload.toString()));
      if (topic === UPTIME && !retain) isTold = true;
    });
    const topicOf = (name: Name) => `$SYS/broker/${NAMES[name]}`;
    const names = Object.keys(NAMES) as Name[];
    await client.subscribeAsync([UPTIME, ...names.map(topicOf)]);
    const isWhole = () => isTold && names.every((name) => heard.has(topicOf(name)));
    await until('the broker tells what it counted', isWhole, 60_000);
    // Its answer stands behind the counters of that second.
    await client.unsubscribeAsync(UPTIME);
    const of = (name: Name) => heard.get(topicOf(name)) ?? Number.NaN;
    return {
      received: of('received'),
      sent: of('sent'),
      packets: of('packetsIn') + of('packetsOut'),
      bytes: of('bytesIn') + of('bytesOut'),
    };
  } finally {
    await client.endAsync(true);
  }
}
