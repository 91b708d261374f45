/** What an agent tells of itself, as facts. Its health is a stranger's: any part may be missing or of another type. */
import { nowMs, span } from './ago.ts';
import type { Fact } from './facts.ts';
import { numberOf, timeOf } from './health.ts';
import type { Agent } from './types.ts';
import { bytesText, wearOf, yearsText } from './wear.ts';

/** Agents tell their health every minute. */
const LATE_MS = 180_000;
/** The card may want replacing within so long. */
const WORN_YEARS = 3;

type Health = NonNullable<Agent['health']>;

export function factsOf(agent: Agent): Fact[] {
  const health = agent.health ?? {};
  const isLate = agent.lastHeard !== null && nowMs() - Date.parse(agent.lastHeard) > LATE_MS;
  const facts: (Fact | null)[] = [
    { label: 'last seen', time: agent.lastHeard, tone: isLate ? 'warn' : undefined },
    queueFact(health),
    oldestFact(health),
    { label: 'last confirmed', time: timeOf(health.lastConfirmed) ?? agent.lastStored },
    clockFact(health),
    uptimeFact(health),
    diskFact(health),
    logFact(health),
    wearFact(health),
    linkFact(agent, health),
  ];
  return facts.filter((fact) => fact !== null);
}

function queueFact({ queue, stalled }: Health): Fact {
  const count = numberOf(queue);
  const text = count === null ? 'not told' : `${count.toLocaleString()} ${count === 1 ? 'event' : 'events'}`;
  return { label: 'queue', text, tone: stalled === true ? 'bad' : undefined };
}

function oldestFact({ oldestUnstored, queue, stalled }: Health): Fact {
  const label = 'oldest unconfirmed';
  const oldest = timeOf(oldestUnstored);
  if (oldest === null) return { label, text: numberOf(queue) === null ? 'not told' : 'nothing waits' };
  return { label, time: oldest, tone: stalled === true ? 'bad' : undefined };
}

function clockFact({ clock }: Health): Fact {
  if (clock === 'synced') return { label: 'clock', text: 'synced' };
  if (clock !== 'unsynced') return { label: 'clock', text: 'not told' };
  return { label: 'clock', text: 'not synced', note: 'times are mended once it is', tone: 'warn' };
}

function uptimeFact({ uptimeMs }: Health): Fact | null {
  const ms = numberOf(uptimeMs);
  return ms === null ? null : { label: 'running for', text: ms < 1_000 ? 'a moment' : span(ms) };
}

const DISK_WORDS: Readonly<Record<string, Pick<Fact, 'note' | 'tone'>>> = {
  warn: { note: 'its share is nearly spent', tone: 'warn' },
  thinning: { note: 'full: events of little worth are given up', tone: 'bad' },
  losing: { note: 'full: the oldest events are given up', tone: 'bad' },
};

function logFact({ walBytes, walHeld }: Health): Fact | null {
  const wal = numberOf(walBytes);
  if (wal === null) return null;
  const held = walHeld === true ? { note: 'another program reads the log without an end', tone: 'bad' as const } : {};
  return { label: 'write-ahead log', text: bytesText(wal), ...held };
}

function diskFact({ disk, logBytes, diskFreeBytes, diskTotalBytes }: Health): Fact | null {
  const [free, total, log] = [numberOf(diskFreeBytes), numberOf(diskTotalBytes), numberOf(logBytes)];
  if (free === null) return null;
  const sizes = [total === null ? '' : `of ${bytesText(total)}`, log === null ? '' : `the log has ${bytesText(log)}`];
  const { note = sizes.filter(Boolean).join(', '), tone } = DISK_WORDS[String(disk)] ?? {};
  const share = total === null || total < free || total === 0 ? {} : { share: 1 - free / total };
  return { label: 'disk', text: `${bytesText(free)} free`, note, tone, ...share };
}

function wearFact({ writtenBytes, uptimeMs, diskTotalBytes }: Health): Fact | null {
  const [written, uptime] = [numberOf(writtenBytes), numberOf(uptimeMs)];
  if (written === null || uptime === null) return null;
  const wear = wearOf(written, uptime, numberOf(diskTotalBytes));
  if (wear === null) return { label: 'card wear', text: 'measuring', note: `${bytesText(written)} written so far` };
  const { bytesADay, years } = wear;
  return {
    label: 'card wear',
    text: `${bytesText(bytesADay)} a day`,
    note: years === null ? '' : `a card lasts about ${yearsText(years)}`,
    tone: years !== null && years < WORN_YEARS ? 'warn' : undefined,
  };
}

function linkFact({ version }: Agent, { protocol, rssBytes }: Health): Fact {
  const memory = numberOf(rssBytes);
  const link = protocol === '5' || protocol === '3.1.1' ? `MQTT ${protocol}` : '';
  const note = [link, memory === null ? '' : `${bytesText(memory)} memory`].filter(Boolean).join(', ');
  return { label: 'version', text: version === '' ? 'not told' : version, note };
}
