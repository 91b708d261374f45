/** The text format of Prometheus, read strictly: https://prometheus.io/docs/instrumenting/exposition_formats and its naming rules. */

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
/** Base units: what these are parts or multiples of. */
const WRONG_UNITS =
  /_(ms|millis|milliseconds|microseconds|nanoseconds|minutes|hours|days|kb|mb|gb|kilobytes|megabytes|bits|percent)(_|$)/;

/** Throws at the first fault. */
export function parseMetrics(text: string): readonly Family[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, { type: Family['type']; help: string; samples: Sample[] }>();
  let current = '';
  const help = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind = '', name = '', rest = ''] = comment;
      if (kind === 'HELP') help.set(name, rest);
      else {
        if (families.has(name)) throw new Error(`${name} comes twice`);
        if (!/^(counter|gauge|histogram)$/.test(rest)) throw new Error(`${name} is a ${rest}`);
        families.set(name, { type: rest as Family['type'], help: help.get(name) ?? '', samples: [] });
        current = name;
      }
      continue;
    }
    const sample = sampleOf(line);
    const family = families.get(current);
    const suffix = sample.name.slice(current.length);
    const fits = family?.type === 'histogram' ? /^_(bucket|sum|count)$/.test(suffix) : suffix === '';
    if (family === undefined || !sample.name.startsWith(current) || !fits) throw new Error(`${line}: of no family`);
    family.samples.push(sample);
  }
  return [...families].map(([name, family]) => checked({ name, ...family }));
}

function sampleOf(line: string): Sample {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`${line}: no sample`);
  const [, name = '', inner = '', number = ''] = match;
  const labels: Record<string, string> = {};
  let rest = inner;
  while (rest !== '') {
    const label = /^([a-z_][a-z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/.exec(rest);
    if (label === null) throw new Error(`${line}: no labels`);
    const [whole, key = '', value = ''] = label;
    if (key in labels) throw new Error(`${line}: ${key} twice`);
    labels[key] = value.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
    rest = rest.slice(whole.length);
  }
  const value = number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number);
  if (Number.isNaN(value)) throw new Error(`${line}: no number`);
  return { name, labels, value };
}

function checked(family: Family): Family {
  const { name, type, help, samples } = family;
  const fail = (why: string): never => {
    throw new Error(`${name}: ${why}`);
  };
  if (!NAME.test(name) || !/^(collard|process)_/.test(name)) fail('its name');
  if (help.length < 10) fail('no help');
  if ((type === 'counter') !== name.endsWith('_total')) fail(`a ${type}`);
  if (WRONG_UNITS.test(name)) fail('not in base units');
  if (/_seconds_|_bytes_/.test(name) && !name.endsWith('_total')) fail('the unit is not its end');
  if (type === 'counter' && samples.some(({ value }) => value < 0)) fail('a counter below 0');
  const keys = samples.map(({ name: of, labels }) => `${of} ${JSON.stringify(Object.entries(labels).sort())}`);
  if (new Set(keys).size !== keys.length) fail('a series twice');
  if (type === 'histogram') {
    const buckets = samples.filter((sample) => sample.name.endsWith('_bucket')).map(({ value }) => value);
    if (buckets.some((value, i) => value < (buckets[i - 1] ?? 0))) fail('its buckets');
    if (samples.find((sample) => sample.name.endsWith('_count'))?.value !== buckets.at(-1)) fail('its count');
  }
  return family;
}
