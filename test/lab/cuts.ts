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
  readonly disk: string;
  readonly outside: Outside;
  readonly cuts: number;
  readonly checks: Checks;
}

interface Cuts {
  readonly cuts: number;
  readonly heard: number;
  readonly lost: number;
  /** What the agent said after a boot that was behind what had been heard. */
  readonly behind: number;
  readonly bootMs: readonly number[];
  readonly agreement: string;
}

export async function tryCuts({ checks, ...parts }: CutsParts): Promise<void> {
  await checks.check(`${parts.cuts} power cuts under load take no event that was heard of`, async () => {
    const found = await cutPower(parts, null);
    expect(found.lost === 0 && found.behind === 0, tell(found));
    return tell(found);
  });
}

/** The same with synchronous=NORMAL: what finds nothing there could find nothing at all. */
export async function tryControl({ checks, ...parts }: CutsParts): Promise<void> {
  await checks.check(`control: with synchronous=NORMAL ${parts.cuts} cuts do take some`, async () => {
    const found = await cutPower(parts, WEAKEN);
    expect(found.lost > 0, `nothing was lost: ${tell(found)}`);
    return tell(found);
  });
}

function tell({ cuts, heard, lost, behind, bootMs, agreement }: Cuts): string {
  const middle = [...bootMs].sort((a, b) => a - b)[bootMs.length >> 1] ?? 0;
  return `${cuts} cuts, ${heard} events heard, ${lost} lost in ${behind} cuts; from power to the first word ${(middle / 1_000).toFixed(1)} s; ${agreement}`;
}

async function cutPower(
  { outside, cuts, ...machine }: Omit<CutsParts, 'checks'>,
  weaken: string | null,
): Promise<Cuts> {
  const bootMs: number[] = [];
  let behind = 0;
  const up = async (): Promise<Guest> => {
    const [from, said, reached] = [performance.now(), outside.syncs.length, reachedBy(outside)];
    const guest = await startGuest({ ...machine, init: INIT });
    try {
      await outside.until('the agent says how far its log goes', () => outside.syncs.length > said, 240_000);
    } catch (error) {
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
    await outside.until('fresh events', () => outside.heard.size >= had + FRESH, 240_000);
    await pause(Math.random() * LONGEST_MS);
    await guest.cut();
    stop();
    await pause(DRAIN_MS);
    process.stderr.write(`cut ${done + 1} of ${cuts}: ${outside.heard.size - had} events in this boot\n`);
    guest = await up();
  }
  try {
    const lost = (await lostOf(guest, outside)).length;
    const agreement = weaken === null ? await agreed(outside) : 'agent and central know of it';
    return { cuts, heard: outside.heard.size, lost, behind, bootMs, agreement };
  } finally {
    await guest.cut();
  }
}

/** The machine is pointed at this broker, in a boot of its own. */
async function prepared(machine: Pick<CutsParts, 'kernel' | 'disk'>, outside: Outside, weaken: string | null) {
  const guest = await startGuest({ ...machine, init: INIT });
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
