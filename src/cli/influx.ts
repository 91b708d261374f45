/**
 * InfluxDB line protocol: the type is the measurement, agent, collar, cat and clock are tags, the data are fields, the time is in
 * nanoseconds. Points of one measurement and tags at the same time would replace each other there: the later ones are put
 * a nanosecond on. What the protocol has no way to write: controls in names and tags become `_`, a backslash at their end `/`.
 */
import { catOf, collarOf, type StoredEvent } from '../contract/event.ts';

/** Series whose last time is remembered; beyond it the one that was written longest ago is forgotten. */
const MAX_SERIES = 10_000;
const TAGS = ['agent', 'collar', 'cat', 'clock'];
/** The last time that InfluxDB can hold, in whole seconds: what is said to be later happened then. */
const LATEST = 9_223_372_036_000_000_000n;

export interface Influx {
  line(agent: string, event: StoredEvent): string;
  /** The last time of each series, for whoever goes on later. */
  memory(): Memory;
}

export type Memory = readonly (readonly [series: string, time: string])[];

export function createInflux(memory: Memory = []): Influx {
  const last = new Map(memory.map(([series, time]) => [series, BigInt(time)]));
  const line = (agent: string, event: StoredEvent) => {
    const series = seriesOf(agent, event);
    const said = BigInt(Date.parse(event.time)) * 1_000_000n;
    const time = said < LATEST ? said : LATEST;
    const before = last.get(series);
    const free = before !== undefined && before >= time && before < time + 1_000_000n ? before + 1n : time;
    last.delete(series);
    last.set(series, free);
    if (last.size > MAX_SERIES) last.delete(last.keys().next().value ?? '');
    return `${series} ${fieldsOf(event)} ${free}`;
  };
  return { line, memory: () => [...last].map(([series, time]) => [series, String(time)]) };
}

function seriesOf(agent: string, event: StoredEvent): string {
  const cat = catOf(event);
  const values = [agent, collarOf(event), cat === null ? null : String(cat), event.clock];
  const tags = TAGS.flatMap((tag, i) => (values[i] ? [`,${tag}=${name(values[i] ?? '', /[,= ]/g)}`] : []));
  // A line that begins with # is a comment.
  return `${name(event.type.replace(/^#/, '_#'), /[, ]/g)}${tags.join('')}`;
}

function fieldsOf(event: StoredEvent): string {
  const data = JSON.parse(event.data) as Record<string, unknown>;
  const fields = new Map<string, string>();
  for (const [key, value] of Object.entries(data)) {
    const text = fieldText(value);
    if (text === null || key === '') continue;
    // These names are taken: by a tag, by the point itself, by what stands at its end, or by InfluxDB.
    const taken = [...TAGS, 'time', 'epoch', 'seq', 'version'].includes(key) || /^[_\p{Cc}]/u.test(key);
    let field = name(taken ? `data_${key}` : key, /[,= ]/g);
    while (fields.has(field)) field += '_';
    fields.set(field, text);
  }
  const told = [...fields].map(([field, text]) => `${field}=${text}`);
  return [...told, `epoch=${quoted(event.epoch)}`, `seq=${event.seq}i`, `version=${event.version}i`].join(',');
}

/** Null where there is nothing to say. */
function fieldText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return quoted(typeof value === 'string' ? value : JSON.stringify(value));
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\\\n').replaceAll('\r', '\\\\r')}"`;
}

function name(text: string, special: RegExp): string {
  return text
    .replace(/\p{Cc}/gu, '_')
    .replace(/\\+$/, (slashes) => '/'.repeat(slashes.length))
    .replace(special, (c) => `\\${c}`);
}
