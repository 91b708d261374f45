/** Kills agent, broker and central with SIGKILL at random moments under load, and then compares what both sides hold. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { mulberry32 } from '../faults/frame.ts';
import { rowsIn } from '../faults/nemesis-oracle.ts';
import { startMosquitto, until } from '../servers.ts';
import { openStack, type Verdict } from './stack.ts';

export interface KillsResult {
  readonly kills: Readonly<Record<'agent' | 'broker' | 'central', number>>;
  readonly logged: number;
  readonly stored: number;
  readonly lost: number;
  readonly doubled: number;
  readonly unlike: number;
  readonly verdict: Verdict;
}

export interface KillsOptions {
  /** Kills of each of the three. */
  readonly kills: number;
  readonly seed: number;
  readonly collars: number;
  readonly rate: number;
  readonly tell: (line: string) => void;
}

/** On a slow machine three programs could die of 60 kills without an event in between: before each third kill as many more are stored. */
const NEWS = 3;
const NEWS_WITHIN_MS = 60_000;

export async function runKills(options: KillsOptions): Promise<KillsResult> {
  const random = mulberry32(options.seed);
  const broker = await startMosquitto(['persistence true', 'max_queued_messages 0', 'autosave_interval 1']);
  const stack = await openStack({ brokerUrl: broker.url });
  const parts = {
    agent: { kill: () => stack.agent.kill9(), start: async () => stack.agent.start() },
    broker: { kill: () => broker.kill(), start: () => broker.restart() },
    central: { kill: () => stack.central.kill9(), start: async () => stack.central.start() },
  };
  const kills = { agent: 0, broker: 0, central: 0 };
  try {
    stack.central.start();
    stack.agent.start();
    const load = stack.simulate({ collars: options.collars, rate: options.rate, seconds: 0, seed: options.seed });
    await pause(2_000);
    await until('central serves', () =>
      fetch(`${stack.http}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const news = async () => {
      const path = join(stack.folder, 'central.db');
      const before = rowsIn(path);
      await until(`${NEWS} more events are stored`, () => rowsIn(path) >= before + NEWS, NEWS_WITHIN_MS);
    };
    const plan = (['agent', 'broker', 'central'] as const).flatMap((name) =>
      Array.from({ length: options.kills }, () => name),
    );
    for (let left = plan.length; left > 0; left -= 1) {
      const [name] = plan.splice(Math.floor(random() * left), 1);
      if (name === undefined) break;
      if (left % 3 === 0) await news();
      await pause(200 + random() * 1_000);
      await parts[name].kill();
      kills[name] += 1;
      await pause(random() * 400);
      await parts[name].start();
      if (left % 10 === 1) options.tell(`${plan.length} kills to go`);
    }
    await pause(2_000);
    load.stop();
    await load.done;
    await pause(1_500);
    await stack.agent.stop();
    stack.agent.start();
    const verdict = await stack.agreed();
    const logged = await eventIds(stack.collard, stack.agentYaml);
    const stored = (await eventIds(stack.collard, stack.centralYaml)).filter((event) =>
      event.id.startsWith(verdict.epoch),
    );
    const held = new Map(stored.map((event) => [event.id, event.body]));
    return {
      kills,
      logged: logged.length,
      stored: stored.length,
      lost: logged.filter((event) => !held.has(event.id)).length,
      doubled: stored.length - held.size,
      unlike: logged.filter((event) => held.has(event.id) && held.get(event.id) !== event.body).length,
      verdict,
    };
  } finally {
    await stack.close();
    await broker.stop();
  }
}

async function eventIds(
  collard: (...args: string[]) => Promise<{ code: number; stdout: string; stderr: string }>,
  config: string,
) {
  const { code, stdout, stderr } = await collard('events', '--config', config, '--json');
  if (code !== 0) throw new Error(`collard events ended with ${code}: ${stderr}`);
  const events = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return events.map((e) => ({ id: String(e.id), body: JSON.stringify([e.type, e.subject, e.time, e.clock, e.data]) }));
}
