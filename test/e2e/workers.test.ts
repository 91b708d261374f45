import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { shardOf } from '../../src/contract/topic.ts';
import { etcdPath } from '../clusters/paths.ts';
import { mosquittoPath, requireServer, until } from '../servers.ts';
import { type Fleet, type FleetOptions, openFleet } from './fleet.ts';
import { killOneOfTwo } from './fleet-kill.ts';

const hasServers = requireServer('mosquitto', mosquittoPath) && requireServer('etcd', etcdPath, 'etcd-server');

function storeUrl(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collard-workers-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return `sqlite:${join(folder, 'central.db')}`;
}

async function fleetOf(options: Omit<FleetOptions, 'storeUrl'>): Promise<Fleet> {
  const fleet = await openFleet({ ...options, storeUrl: storeUrl() });
  onTestFinished(() => fleet.close());
  return fleet;
}

describe.skipIf(!hasServers)('two centrals on one store', () => {
  test('one is killed: the other takes over, nothing is lost or doubled', () => killOneOfTwo(storeUrl()), 120_000);

  test('one that was asleep finds its lease gone, and joins again', async () => {
    const fleet = await fleetOf({ agents: ['porch', 'shed', 'attic'], events: 200, leaseSeconds: 2 });
    const sleeper = await fleet.startWorker();
    await until('it has all', async () => (await fleet.has(sleeper)) === 64, 30_000);
    await Promise.all(fleet.agents.map((agent) => agent.send(50)));
    const other = await fleet.startWorker();
    await until('they share', async () => (await fleet.has(other)) === 32, 30_000);
    await fleet.putToSleep(sleeper);
    // Some of it is in the sleeper's socket when it wakes.
    await Promise.all(fleet.agents.map((agent) => agent.publish(51, 100)));
    await until('the other has all', async () => (await fleet.has(other)) === 64, 30_000);
    await Promise.all(fleet.agents.map((agent) => agent.send(150)));
    sleeper.signal('SIGCONT');
    await until('it notices', () => sleeper.log().includes('the lease has ended'), 30_000);
    await until('they share again', async () => (await fleet.has(sleeper)) === 32, 30_000);
    await Promise.all(fleet.agents.map((agent) => agent.send(200)));
    await fleet.expectWhole();
  }, 120_000);

  test('one that was asleep and has no lease is refused by the token, says so once, and keeps the rest', async () => {
    const fleet = await fleetOf({ agents: ['porch', 'shed'], events: 100, leaseSeconds: null });
    const [porch, shed] = fleet.agents.map(({ name }) => shardOf(name));
    const sleeper = await fleet.startWorker(`shards: "0-63"`);
    await until('it has all', async () => (await fleet.has(sleeper)) === 64, 30_000);
    await Promise.all(fleet.agents.map((agent) => agent.send(20)));
    await fleet.putToSleep(sleeper);
    await fleet.agents[0]?.publish(21, 60);
    const other = await fleet.startWorker(`shards: "${porch}"`);
    await until('the shard is taken', async () => other.is((await fleet.shards()).get(porch ?? -1)?.owner), 30_000);
    await fleet.agents[0]?.send(70);
    sleeper.signal('SIGCONT');
    await until('it is refused', () => sleeper.log().includes(' belongs to '), 30_000);
    await Promise.all(fleet.agents.map((agent) => agent.send(100)));
    await fleet.expectWhole();
    const shards = await fleet.shards();
    expect(other.is(shards.get(porch ?? -1)?.owner)).toBe(true);
    expect(sleeper.is(shards.get(shed ?? -1)?.owner)).toBe(true);
    expect(sleeper.log().match(/ belongs to /g)).toHaveLength(1);
  }, 120_000);

  test('that each believe to be alone: one ends, and says why and what to do', async () => {
    const fleet = await fleetOf({ agents: ['porch'], events: 40, leaseSeconds: null });
    const first = await fleet.startWorker('');
    await fleet.agents[0]?.send(20);
    const second = await fleet.startWorker('');
    await fleet.agents[0]?.send(30);
    // They take the session from each other: whoever has it is asked again.
    const isOver = async () => {
      await fleet.agents[0]?.publish(21, 30);
      return first.exitCode() !== null || second.exitCode() !== null;
    };
    await until('one ends', isOver, 30_000);
    const ended = first.exitCode() === null ? second : first;
    expect(ended.exitCode()).toBe(69);
    expect(ended.log()).toContain('another central works on');
    expect(ended.log()).toContain('workers in the configuration');
    await fleet.agents[0]?.send(40);
    await fleet.expectWhole();
  }, 120_000);

  test('while etcd is away they go on until their leases end, then stop; an etcd that was made anew starts them again', async () => {
    const fleet = await fleetOf({ agents: ['porch'], events: 60, leaseSeconds: 3 });
    const worker = await fleet.startWorker();
    await until('it has all', async () => (await fleet.has(worker)) === 64, 30_000);
    await fleet.agents[0]?.send(20);
    const before = (await fleet.shards()).get(shardOf('porch'))?.token ?? 0;
    await fleet.etcd?.kill();
    await fleet.agents[0]?.send(30);
    await until('it stops', () => worker.log().includes('the lease has ended'), 30_000);
    expect(worker.log()).toContain('start it, or correct workers.etcd');
    // It knows nothing, and counts from 1.
    await fleet.etcd?.restart(true);
    await fleet.agents[0]?.send(60);
    await fleet.expectWhole();
    expect((await fleet.shards()).get(shardOf('porch'))?.token).toBeGreaterThan(before);
  }, 120_000);
});
