/** The main job under load, from simulated bytes to the central store, over a real broker. */
import { setTimeout as pause } from 'node:timers/promises';
import { startAedes, startMosquitto, until } from '../servers.ts';
import { openStack, type Verdict } from './stack.ts';

export interface LoadResult {
  readonly broker: string;
  readonly protocol: string;
  readonly written: { readonly frames: number; readonly readings: number; readonly overflowBytes: number };
  readonly read: number;
  readonly discarded: Readonly<Record<string, number>>;
  readonly logged: number;
  readonly stored: number;
  readonly meowsInStore: number;
  readonly agentRssMb: number;
  readonly verdict: Verdict;
}

export async function runLoad(
  kind: 'mosquitto' | 'aedes',
  load: { collars: number; rate: number; seconds: number; seed: number },
): Promise<LoadResult> {
  const broker = kind === 'mosquitto' ? await startMosquitto() : await startAedes();
  const stack = await openStack({ brokerUrl: broker.url });
  try {
    stack.central.start();
    stack.agent.start();
    await until('the agent reports', async () => (await stack.health()) !== null, 20_000);
    const written = await stack.simulate(load).done;
    const readings = async () => (await stack.health())?.sources[0]?.readings ?? 0;
    await until('every reading is counted', async () => (await readings()) >= written.readings, 10_000).catch(
      () => undefined,
    );
    await pause(1_500);
    const last = await stack.health();
    const rss = stack.agent.rssBytes();
    await stack.agent.stop();
    const verdict = await stack.agreed();
    const lines = async (config: string) =>
      (await stack.collard('events', '--config', config, '--json')).stdout.split('\n').filter((line) => line !== '');
    const stored = await lines(stack.centralYaml);
    return {
      broker: kind,
      protocol: last?.protocol ?? 'unknown',
      written,
      read: last?.sources[0]?.readings ?? 0,
      discarded: last?.sources[0]?.discarded ?? {},
      logged: (await lines(stack.agentYaml)).length,
      stored: new Set(stored.map((line) => (JSON.parse(line) as { id: string }).id)).size,
      meowsInStore: stored.filter((line) => line.includes('collard.meow.started')).length,
      agentRssMb: Math.round(rss / 1e6),
      verdict,
    };
  } finally {
    await stack.close();
    await broker.stop();
  }
}
