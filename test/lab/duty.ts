/** What the service costs on the machine of machine.ts at the pace of a serial line, and what it tells of itself: journal and doctor. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Checks, expect } from './checks.ts';
import type { Machine } from './machine.ts';

const UNIT = 'collard-agent';
const CONFIG = '/etc/collard/agent.yaml';
/** So many collars write what 115 200 baud carry. */
const PACES = [
  { format: 'frame', collars: 25, rate: 50 },
  { format: 'json', collars: 16, rate: 10 },
] as const;
const MEASURE_MS = 10_000;
/** The log and V8's heap have found their size by then. */
const SETTLE_MS = 4_000;
const TICKS_PER_SECOND = 100;
const LINE_BYTES_PER_SECOND = 11_520;
/** What the package brings is enough for one. */
const BROKER = `import { Aedes } from "aedes"; import { createServer } from "node:net";
const broker = await Aedes.createBroker(); createServer((socket) => broker.handle(socket)).listen(1883, "127.0.0.1");`;

interface Spent {
  readonly at: number;
  readonly cpuSeconds: number;
  readonly lineBytes: number;
}

/** Needs the line of two ends that the agent reads; leaves the agent reading json from it, and nobody writing. */
export async function tryDuty(on: Machine, check: Checks['check']): Promise<void> {
  const pidOf = (unit: string) => on.run(`systemctl show ${unit} -p MainPID --value`).trim();
  const lineBytes = `sed -n 's/^wchar: //p' /proc/${pidOf('line')}/io`;
  const spent = (): Spent => {
    const [ticks = '', bytes = ''] = on
      .run(`awk '{ print $14 + $15 }' /proc/${pidOf(UNIT)}/stat; ${lineBytes}`)
      .split('\n');
    return { at: performance.now(), cpuSeconds: Number(ticks) / TICKS_PER_SECOND, lineBytes: Number(bytes) };
  };
  const measure = async () => {
    await pause(SETTLE_MS);
    const before = spent();
    await pause(MEASURE_MS);
    const after = spent();
    const seconds = (after.at - before.at) / 1_000;
    return {
      cpu: (after.cpuSeconds - before.cpuSeconds) / seconds,
      bytesPerSecond: Math.round((after.lineBytes - before.lineBytes) / seconds),
    };
  };
  const percent = (share: number) => `${(100 * share).toFixed(1)} % of a core`;
  on.run('systemctl stop collars');
  await check('what it costs at rest, and at the pace of 115 200 baud', async () => {
    const told = [`at rest ${percent((await measure()).cpu)}`];
    for (const { format, collars, rate } of PACES) {
      const written = spent().lineBytes;
      on.run(`sed -i 's#^    format: .*#    format: ${format}#' ${CONFIG} && systemctl reload ${UNIT}`);
      on.run(
        `systemd-run -q --unit=pace-${format} collard simulate --collars ${collars} --rate ${rate} --seconds 0 --format ${format} --out /run/collar-b`,
      );
      await on.until('it is written to', lineBytes, (out) => Number(out) > written);
      const { cpu, bytesPerSecond } = await measure();
      on.run(`systemctl stop pace-${format}`);
      expect(bytesPerSecond > 0, `${format}: nothing was written`);
      // Where the machine is busy with other work less is written, and read.
      const atPace = percent((cpu * LINE_BYTES_PER_SECOND) / bytesPerSecond);
      told.push(`${format} of ${collars} collars at ${rate} Hz ${atPace} (measured at ${bytesPerSecond} bytes/s)`);
    }
    const memory = on.run(`sed -n 's/^VmHWM:\\s*//p; s/^VmRSS:\\s*//p' /proc/${pidOf(UNIT)}/status`).split('\n');
    const [most = '', now = ''] = memory.map((line) => `${Math.round(Number.parseInt(line, 10) / 1_024)} MB`);
    return `${told.join('; ')}; memory ${now}, ${most} at most`;
  });
  await check('the journal is readable: a line each, with what happened and no escape', () => {
    const lines = on.run(`journalctl -u ${UNIT} -o cat --no-pager`).trim().split('\n');
    const odd = lines.filter((line) => line.length > 1_000 || /[^\P{C}\t]/u.test(line) || /^\s*at /.test(line));
    expect(lines.length > 3 && odd.length === 0, `${odd.length} of ${lines.length} lines: ${odd[0]}`);
    const levels = on.run(`journalctl -u ${UNIT} -o json --no-pager`).trim().split('\n').length;
    return `${levels} lines, the last: ${lines.at(-1)?.slice(0, 200)}`;
  });
  await check(
    'the doctor ends with 1 where the broker is missing, names the fix, and with 0 once it is there',
    async () => {
      const { status, findings } = readDoctor(on.run(DOCTOR));
      const [failed, ...others] = findings.filter(({ result }) => result === 'fail');
      expect(status === 1 && failed?.check === 'broker' && others.length === 0, JSON.stringify(findings));
      expect((failed?.fix ?? '') !== '', 'the failure has no fix');
      on.run(
        `systemd-run -q --unit=broker -p WorkingDirectory=/usr/lib/collard /usr/lib/collard/bin/node --input-type=module -e '${BROKER}'`,
      );
      const sound = readDoctor(await on.until('no failure', DOCTOR, (out) => readDoctor(out).status === 0));
      on.run('systemctl stop broker');
      const service = sound.findings.find((one) => one.check === 'service');
      expect(service?.message.startsWith(`${UNIT}.service`) === true, JSON.stringify(sound.findings));
      return `${findings.length} findings; fix of the broker: ${failed?.fix}; service: ${service?.message}`;
    },
  );
}

export interface Finding {
  readonly check: string;
  readonly result: string;
  readonly message: string;
  readonly fix: string | null;
}

export const DOCTOR = `collard doctor --config ${CONFIG} --json; echo "$?"`;

/** Of what DOCTOR writes. */
export function readDoctor(out: string): { status: number; findings: readonly Finding[] } {
  const lines = out.trim().split('\n');
  const status = Number(lines.pop());
  const { ok, checks } = JSON.parse(lines.join('\n')) as { ok: boolean; checks: Finding[] };
  expect(ok === (status === 0), `it says ok: ${ok} and ends with ${status}`);
  return { status, findings: checks };
}
