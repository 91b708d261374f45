/**
 * The power of the machine goes while events are written: QEMU is killed, and what the guest had not flushed is gone with it. After
 * each boot the agent says how far its log goes; at the end the log is read and compared with all that was ever heard of it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Checks } from './checks.ts';
import { expect } from './checks.ts';
import { agentYaml, agreed, lostOf, pace } from './device.ts';
import { type Guest, startGuest } from './guest.ts';
import type { Kernel } from './kernel.ts';
import type { Outside } from './outside.ts';

const INIT = '/usr/local/sbin/lab-init';
const PER_SECOND = 150;
/** So many events at least are heard of each boot, and then chance decides when the power goes. */
const FRESH = 30;
const LONGEST_MS = 2_000;
/** On a machine that is full of other work. */
const SPOKEN_MS = 900_000;
/** What was sent before the cut has arrived by then: broker and listener are on this machine. */
const DRAIN_MS = 500;
/** What makes the log promise what it does; the control does without, on its own disk. */
const WEAKEN = `cd /usr/lib/collard/dist/agent/log
sed -i "s/synchronous = FULL/synchronous = NORMAL/" log-file.js
sed -i "s/synchronous === 2/synchronous === 1/" prove-safe.js
sed -i "s/^export function provePadding(.*{/&return true;/" prove-safe.js
grep -q "synchronous = NORMAL" log-file.js && grep -q "synchronous === 1" prove-safe.js && grep -q "{return true;" prove-safe.js`;

export interface CutsParts {
  readonly kernel: Kernel;
  /** One for each machine that is cut. They stand side by side: where one boots, another waits for its events. */
  readonly lanes: readonly Lane[];
  readonly cuts: number;
  readonly checks: Checks;
}

export interface Lane {
  readonly disk: string;
  readonly outside: Outside;
}

interface Cuts {
  readonly cuts: number;
  readonly heard: number;
  readonly lost: number;
  /** What the agent said after a boot that was behind what had been heard. */
  readonly behind: number;
  readonly bootMs: readonly number[];
  /** From a boot to the cut. */
  readonly cpuSeconds: readonly number[];
  readonly agreement: string;
}

export async function tryCuts({ checks, ...parts }: CutsParts): Promise<void> {
  await checks.check(`${parts.cuts} power cuts under load take no event that was heard of`, async () => {
    const found = await inLanes(parts, null);
    expect(found.lost === 0 && found.behind === 0, tell(found));
    return tell(found);
  });
}

/** The same with synchronous=NORMAL: what finds nothing there could find nothing at all. */
export async function tryControl({ checks, ...parts }: CutsParts): Promise<void> {
  await checks.check(`control: with synchronous=NORMAL ${parts.cuts} cuts do take some`, async () => {
    const found = await inLanes(parts, WEAKEN);
    expect(found.lost > 0, `nothing was lost: ${tell(found)}`);
    return tell(found);
  });
}

function tell({ cuts, heard, lost, behind, bootMs, cpuSeconds, agreement }: Cuts): string {
  const power = `from power to the first word ${(median(bootMs) / 1_000).toFixed(1)} s`;
  return `${cuts} cuts, ${heard} events heard, ${lost} lost in ${behind} cuts; ${power}, a boot with its cut took ${median(cpuSeconds).toFixed(1)} s of a core; ${agreement}`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

async function inLanes({ kernel, lanes, cuts }: Omit<CutsParts, 'checks'>, weaken: string | null): Promise<Cuts> {
  const share = (at: number) => Math.floor((cuts + at) / lanes.length);
  const running = lanes.map((lane, at) => cutPower({ kernel, ...lane, cuts: share(at) }, weaken));
  // One that fails does not leave the other's machine behind.
  const ended = await Promise.allSettled(running);
  const found = ended.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
  const sum = (of: (one: Cuts) => number) => found.reduce((total, one) => total + of(one), 0);
  return {
    cuts: sum((one) => one.cuts),
    heard: sum((one) => one.heard),
    lost: sum((one) => one.lost),
    behind: sum((one) => one.behind),
    bootMs: found.flatMap((one) => one.bootMs),
    cpuSeconds: found.flatMap((one) => one.cpuSeconds),
    agreement: found.map((one) => one.agreement).join(', '),
  };
}

interface LaneParts extends Lane {
  readonly kernel: Kernel;
  readonly cuts: number;
}

async function cutPower({ outside, cuts, ...machine }: LaneParts, weaken: string | null): Promise<Cuts> {
  const [bootMs, cpuSeconds]: [number[], number[]] = [[], []];
  let behind = 0;
  const up = async (): Promise<Guest> => {
    const [from, said, reached] = [performance.now(), outside.syncs.length, reachedBy(outside)];
    const guest = await startGuest({ ...machine, init: INIT, cores: 1 });
    try {
      await outside.until('the agent says how far its log goes', () => outside.syncs.length > said, SPOKEN_MS);
    } catch (error) {
      await guest.cut();
      throw new Error(`${String(error)}: ${guest.console()}`, { cause: error });
    }
    bootMs.push(performance.now() - from);
    const first = outside.syncs[said];
    if (reached !== null && (first?.epoch !== reached.epoch || first.lastSeq < reached.seq)) behind += 1;
    return guest;
  };
  await prepared(machine, outside, weaken);
  let guest = await up();
  for (let done = 0; done < cuts; done += 1) {
    const had = outside.heard.size;
    const stop = pace(guest.line, PER_SECOND);
    try {
      await outside.until('fresh events', () => outside.heard.size >= had + FRESH, SPOKEN_MS);
      await pause(Math.random() * LONGEST_MS);
      cpuSeconds.push(guest.cpuSeconds());
    } finally {
      await guest.cut();
      stop();
    }
    await pause(DRAIN_MS);
    process.stderr.write(`cut ${done + 1} of ${cuts}: ${outside.heard.size - had} events in this boot\n`);
    guest = await up();
  }
  try {
    const lost = (await lostOf(guest, outside)).length;
    const agreement = weaken === null ? await agreed(outside) : 'agent and central know of it';
    return { cuts, heard: outside.heard.size, lost, behind, bootMs, cpuSeconds, agreement };
  } finally {
    await guest.cut();
  }
}

/** The machine is pointed at this broker, in a boot of its own. */
async function prepared(machine: Pick<LaneParts, 'kernel' | 'disk'>, outside: Outside, weaken: string | null) {
  const guest = await startGuest({ ...machine, init: INIT, cores: 1 });
  try {
    await guest.run(
      `cat > /etc/collard/agent.yaml << 'YAML'\n${agentYaml(outside.port, '/dev/ttyUSB0')}YAML\n${weaken ?? 'true'}`,
    );
    await guest.run('sync');
  } finally {
    await guest.cut();
  }
}

/** The last that was heard. */
function reachedBy({ heard }: Outside): { readonly epoch: string; readonly seq: number } | null {
  return [...heard.values()].reduce<{ epoch: string; seq: number } | null>(
    (last, { epoch, seq }) => (last === null || epoch !== last.epoch || seq > last.seq ? { epoch, seq } : last),
    null,
  );
}
