/** InfluxDB's line protocol, read strictly: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol */

export interface Point {
  readonly measurement: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly fields: ReadonlyMap<string, string | number | boolean | bigint>;
  readonly timeNs: bigint;
}

const MAX = 2n ** 63n - 1n;
const FLOAT = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;

/** Throws at the first fault of a line. */
export function parseLine(line: string): Point {
  let at = 0;
  const fail = (why: string): never => {
    throw new Error(`${why} at ${at} of ${line}`);
  };
  /** Up to one of `ends`, with what is escaped before `special` taken as it is. */
  const name = (what: string, special: string, ends: string): string => {
    let text = '';
    for (; at < line.length && !ends.includes(line[at] ?? ''); at += 1) {
      const next = line[at + 1] ?? '';
      if (line[at] === '\\' && special.includes(next) && next !== '') at += 1;
      else if (special.includes(line[at] ?? '')) fail(`a ${what} that is not escaped`);
      else if (/\p{Cc}/u.test(line[at] ?? '')) fail(`a control character in a ${what}`);
      text += line[at];
    }
    if (text === '') fail(`no ${what}`);
    // The character behind would be escaped by it.
    if (text.endsWith('\\')) fail(`a backslash ends a ${what}`);
    return text;
  };
  const take = (character: string) => {
    if (line[at] !== character) fail(`no "${character}"`);
    at += 1;
  };
  if (line.startsWith('#')) fail('a comment');
  const measurement = name('measurement', ', ', ', ');
  const tags = new Map<string, string>();
  while (line[at] === ',') {
    at += 1;
    const key = name('tag', ',= ', '=');
    take('=');
    if (tags.has(key)) fail(`tag ${key} twice`);
    tags.set(key, name('value of a tag', ',= ', ', '));
  }
  take(' ');
  const fields = new Map<string, string | number | boolean | bigint>();
  for (;;) {
    const key = name('field', ',= ', '=');
    take('=');
    if (fields.has(key) || tags.has(key) || key === 'time') fail(`field ${key} twice, or reserved`);
    fields.set(key, line[at] === '"' ? text() : literal());
    if (line[at] !== ',') break;
    at += 1;
  }
  take(' ');
  const time = line.slice(at);
  if (!/^-?\d+$/.test(time) || BigInt(time) > MAX || BigInt(time) < -MAX) fail('no time');
  return { measurement, tags, fields, timeNs: BigInt(time) };

  function text(): string {
    let value = '';
    for (at += 1; line[at] !== '"'; at += 1) {
      if (at >= line.length) fail('a text that does not end');
      if (line[at] === '\\' && /["\\]/.test(line[at + 1] ?? '')) at += 1;
      value += line[at];
    }
    at += 1;
    return value;
  }

  function literal(): number | boolean | bigint {
    const [word = ''] = /^[^, ]*/.exec(line.slice(at)) ?? [];
    at += word.length;
    if (/^(t|T|true|True|TRUE|f|F|false|False|FALSE)$/.test(word)) return /^t/i.test(word);
    if (/^-?\d+i$/.test(word)) return BigInt(word.slice(0, -1));
    return FLOAT.test(word) ? Number(word) : fail(`no value ${word}`);
  }
}
