/** `collard status` in words: an agent of this machine, or all that central knows. */
import type { HealthMessage, SourceHealth } from '../contract/message.ts';
import type { Report } from './ask-report.ts';
import { paint, safe, table } from './output.ts';

/** As `GET /api/v1/agents` and `GET /api/v1/cats` give it, as far as it is shown. */
export interface CentralView {
  readonly agents: readonly {
    readonly agent: string;
    readonly state: string;
    readonly lastStored: string | null;
    readonly gaps: number;
    readonly conflicts: number;
    readonly health: Partial<HealthMessage> | null;
  }[];
  readonly cats: readonly {
    readonly name: string;
    readonly isMeowed: boolean;
    readonly location: string | null;
    readonly collar: string | null;
    readonly lastHeard: string | null;
    readonly meowsToday: number;
  }[];
}

/** Readings a second of each source; from two looks, or from what the agent says itself. */
export type PerSecond = (source: SourceHealth) => number | null;

export function agentText(report: Report, perSecond: PerSecond, nowMs: number): string {
  if (report.state === 'stopped') {
    const { agent, reason, queue, lastSeq, lastEvent } = report;
    const last = lastEvent === null ? 'none yet' : `the last ${ago(lastEvent, nowMs)}`;
    return `agent ${agent}: ${paint(reason, 'red')}\nlog: ${lastSeq} events, ${last}; ${queue} wait for central`;
  }
  const { agent, link, loops, health } = report;
  const stalled = health.stalled ? paint('STALLED', 'red') : null;
  const online = link === 'online' ? `online (MQTT ${health.protocol})` : paint('no link to the broker', 'yellow');
  const marks = [
    stalled,
    online,
    health.clock === 'synced' ? null : paint('clock not set', 'yellow'),
    health.disk === 'ok' ? null : paint(`disk: ${health.disk}`, 'red'),
    health.walHeld === true
      ? paint(`another program holds the log (${Math.round(health.walBytes / 1e6)} MB)`, 'red')
      : null,
    health.conflicting ? paint('histories differ', 'red') : null,
  ];
  const oldest = health.oldestUnstored === null ? '' : `, the oldest ${ago(health.oldestUnstored, nowMs)}`;
  const { unwritten = 0 } = health;
  const confirmed = health.lastConfirmed === null ? 'nothing yet' : ago(health.lastConfirmed, nowMs);
  const lines = [
    `agent ${agent} ${health.version}: ${marks.filter((mark) => mark !== null).join(', ')}`,
    `queue: ${health.queue} of ${health.lastSeq} events${oldest}; last confirmed: ${confirmed}`,
    ...(unwritten === 0 ? [] : [paint(`not written yet: ${unwritten} events wait for the log`, 'yellow')]),
    `loops: ${loops.map(({ loop, idleMs, limitMs }) => (idleMs > limitMs ? paint(`${loop} STANDS STILL`, 'red') : `${loop} ${seconds(idleMs)}`)).join(', ')}`,
    `memory ${Math.round(health.rssBytes / 1e6)} MB, log ${Math.round(health.logBytes / 1e6)} MB${health.diskFreeBytes === null ? '' : `, disk ${Math.round(health.diskFreeBytes / 1e6)} MB free`}`,
    ...(health.lastError === null ? [] : [paint(`broker: ${safe(health.lastError)}`, 'yellow')]),
    '',
    table(
      ['source', 'state', '/s', 'readings', 'discarded', 'last'],
      health.sources.map((one) => sourceRow(one, perSecond, nowMs)),
    ),
  ];
  if (health.collars.length === 0) return lines.join('\n');
  const collars = health.collars.map(({ collar, place, rssiDbm, batteryPercent, lastHeard }) =>
    [
      collar,
      place ?? '-',
      rssiDbm === undefined ? '-' : `${rssiDbm} dBm`,
      batteryPercent === undefined ? '-' : `${batteryPercent} %`,
      ago(lastHeard, nowMs),
    ].map(safe),
  );
  return [...lines, '', table(['collar', 'place', 'signal', 'battery', 'heard'], collars)].join('\n');
}

function sourceRow(source: SourceHealth, perSecond: PerSecond, nowMs: number): string[] {
  const discarded = Object.values(source.discarded).reduce((sum, count) => sum + count, 0);
  const rate = perSecond(source);
  const state = source.reason === null ? source.state : `${source.state}: ${source.reason}`;
  const last = source.lastReading === null ? 'never' : ago(source.lastReading, nowMs);
  return [
    source.source,
    state,
    rate === null ? '-' : rate.toFixed(1),
    String(source.readings),
    String(discarded),
    last,
  ].map(safe);
}

export function centralText({ agents, cats }: CentralView, nowMs: number): string {
  const rows = agents.map(({ agent, state, health, lastStored, gaps, conflicts }) => {
    const marks = [
      health?.stalled === true ? 'STALLED' : null,
      health?.walHeld === true ? 'log held by another program' : null,
      gaps > 0 ? `${gaps} gaps` : null,
      conflicts > 0 ? `${conflicts} conflicts` : null,
    ];
    const rate = health?.sources?.reduce((sum, source) => sum + (source.perSecond ?? 0), 0);
    const stored = lastStored === null ? 'never' : ago(lastStored, nowMs);
    const queue = health?.queue === undefined ? '-' : String(health.queue);
    const known = marks.filter((mark) => mark !== null).join(', ') || 'fine';
    return [agent, state, queue, rate === undefined ? '-' : rate.toFixed(1), health?.clock ?? '-', stored, known].map(
      safe,
    );
  });
  const list = cats.map(({ name, isMeowed, location, collar, lastHeard, meowsToday }) =>
    [
      name,
      isMeowed ? 'SHAKING' : '',
      location ?? '-',
      String(meowsToday),
      collar ?? '-',
      lastHeard === null ? 'never' : ago(lastHeard, nowMs),
    ].map(safe),
  );
  return [
    rows.length === 0
      ? 'no agent has been heard'
      : table(['agent', 'state', 'queue', '/s', 'clock', 'stored', ''], rows),
    '',
    list.length === 0 ? 'there are no cats' : table(['cat', '', 'place', 'meows today', 'collar', 'heard'], list),
  ].join('\n');
}

export function ago(time: string, nowMs: number): string {
  const ms = nowMs - Date.parse(time);
  return ms < 0 ? `at ${time}` : `${seconds(ms)} ago`;
}

function seconds(ms: number): string {
  const s = Math.floor(ms / 1_000);
  if (s < 100) return `${s} s`;
  if (s < 6_000) return `${Math.floor(s / 60)} min`;
  return s < 172_800 ? `${Math.floor(s / 3_600)} h` : `${Math.floor(s / 86_400)} days`;
}
