/** What of collard can be reached over a network, as the kernel sees it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { openStack } from '../e2e/stack.ts';
import { startAedes, until } from '../servers.ts';

/** TCP_LISTEN in the kernel's tables. */
const LISTEN = '0A';

test('an agent at work opens no port, of TCP or UDP, and central its own', async () => {
  const broker = await startAedes();
  onTestFinished(() => broker.stop());
  const stack = await openStack({ brokerUrl: broker.url });
  onTestFinished(() => stack.close());
  stack.central.start();
  stack.agent.start();
  await until('the agent is connected and heard', async () => (await stack.health()) !== null, 120_000);
  expect(openPorts(stack.agent.pid())).toEqual([]);
  expect(openPorts(stack.central.pid())).toEqual([`tcp ${new URL(stack.http).port}`]);
}, 200_000);

/** Where a process listens, and from where it may get datagrams. */
function openPorts(pid: number): string[] {
  const own = new Set(readdirSync(`/proc/${pid}/fd`).flatMap((fd) => socketOf(`/proc/${pid}/fd/${fd}`)));
  expect(own.size).toBeGreaterThan(0);
  const found = ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode = '']) => own.has(inode) && (state === LISTEN || table.startsWith('udp')))
      .map(([, address = '']) => `${table} ${Number.parseInt(address.split(':')[1] ?? '', 16)}`),
  );
  return found.toSorted();
}

/** Its inode. A descriptor may be closed before it is looked at. */
function socketOf(path: string): string[] {
  try {
    return [...readlinkSync(path).matchAll(/^socket:\[(\d+)\]$/g)].map(([, inode = '']) => inode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
