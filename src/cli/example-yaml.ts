/**
 * Puts settings into the commented example of a configuration: each on the line that is there for it, commented out or not, so that
 * everything else stays where it explains itself. Text in, text out.
 */
import { parse, stringify } from 'yaml';

export type Settings = { [key: string]: unknown };

/** Throws where what comes out does not say what was to be set: the example has another shape than we know. */
export function fillExample(example: string, settings: Settings): string {
  const lines = example.trimEnd().split('\n');
  const { sources, ...others } = settings;
  if (Array.isArray(sources)) setSources(lines, sources);
  setAll(lines, 0, others);
  const text = `${lines.join('\n')}\n`;
  const fault = firstMissing(parse(text), settings, '');
  if (fault !== null) throw new Error(`the example configuration has no place for ${fault}`);
  return text;
}

/** `indent`: of the keys of `settings`. `lines` is the section that they are in. */
function setAll(lines: string[], indent: number, settings: Settings): void {
  for (const [key, value] of Object.entries(settings)) {
    const at = lineOf(lines, indent, key);
    if (at < 0) {
      lines.splice(afterHead(lines, indent), 0, ...block({ [key]: value }, indent));
      continue;
    }
    const [, said = ''] = /:\s*(.*)$/.exec(lines[at] ?? '') ?? [];
    if (!isSection(value) || said !== '') {
      lines[at] = `${' '.repeat(indent)}${key}: ${flow(value)}`;
      continue;
    }
    lines[at] = `${' '.repeat(indent)}${key}:`;
    const end = endOf(lines, at, indent);
    const inner = lines.slice(at + 1, end);
    setAll(inner, indent + 2, value);
    lines.splice(at + 1, end - at - 1, ...inner);
  }
}

function lineOf(lines: readonly string[], indent: number, key: string): number {
  const pattern = new RegExp(`^ {${indent}}#?${key}:(?:\\s|$)`);
  return lines.findIndex((line) => pattern.test(line));
}

/** The line after the last one of the section that begins at `at`: the next key that is no deeper ends it. */
function endOf(lines: readonly string[], at: number, indent: number): number {
  const next = new RegExp(`^ {0,${indent}}#?[A-Za-z]+:(?:\\s|$)`);
  const length = lines.slice(at + 1).findIndex((line) => next.test(line));
  return length < 0 ? lines.length : at + 1 + length;
}

/** Where a key goes for which there is no line: a section begins with it, the file ends with it. */
function afterHead(lines: readonly string[], indent: number): number {
  return indent === 0 ? lines.length : 0;
}

function setSources(lines: string[], sources: readonly unknown[]): void {
  const at = lineOf(lines, 0, 'sources') + 1;
  const first = lines.findIndex((line, i) => i >= at && /^ {2}- /.test(line));
  const after = lines.findIndex((line, i) => i > first && !/^ {4}/.test(line));
  const [one, ...more] = sources;
  let own = lines.slice(first, after);
  if (isSection(one) && typeof one.serial === 'string') {
    const { serial, ...others } = one;
    own[0] = `  - serial: ${flow(serial)}`;
    const inner = own.slice(1);
    setAll(inner, 4, others);
    own = [own[0], ...inner];
  } else own = item(one);
  lines.splice(first, after - first, ...own, ...more.flatMap(item));
}

function item(source: unknown): string[] {
  return block(source as Settings, 4).map((line, i) => (i === 0 ? `  - ${line.trimStart()}` : line));
}

function block(settings: Settings, indent: number): string[] {
  const text = stringify(settings, { lineWidth: 0 }).trimEnd();
  return text.split('\n').map((line) => `${' '.repeat(indent)}${line}`);
}

function flow(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
}

function isSection(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The path of what `settings` say and `value` does not, or null. */
function firstMissing(value: unknown, settings: unknown, path: string): string | null {
  if (typeof settings !== 'object' || settings === null) return Object.is(value, settings) ? null : path;
  for (const [key, inner] of Object.entries(settings)) {
    const within = typeof value === 'object' && value !== null ? (value as Settings)[key] : undefined;
    const missing = firstMissing(within, inner, path === '' ? key : `${path}.${key}`);
    if (missing !== null) return missing;
  }
  return null;
}
