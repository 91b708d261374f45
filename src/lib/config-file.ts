/**
 * Reads a YAML file against a schema, at the border where strangers write: every problem at once, each with where it is, what
 * was expected and what came. Layers, strongest first: overrides, environment, credentials directory, file, defaults.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import { z } from 'zod';

export const MAX_CONFIG_BYTES = 1024 * 1024;
/** So often may aliases repeat what they stand for: enough for people, too little for a bomb. */
export const MAX_ALIASES = 100;
export const ENV_PREFIX = 'COLLARD_';
const MAX_CREDENTIAL_BYTES = 64 * 1024;
const MAX_PROBLEMS = 100;

export interface ConfigOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** systemd's $CREDENTIALS_DIRECTORY: a file `mqtt.password` sets the key `mqtt.password`. */
  readonly credentialsDirectory?: string | undefined;
  /** From flags, by dotted path. Undefined values set nothing. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** Dotted paths whose values no message may hold. */
  readonly secrets: readonly string[];
}

export interface LoadedConfig<T> {
  readonly value: T;
  /** Where the value at a dotted path came from: `file:line:column`, `environment NAME`, `credential NAME`, `flag`, `default`. */
  origin(path: string): string;
  readonly warnings: readonly string[];
}

export interface ConfigProblem {
  /** `file:line:column`, or the name of another origin. */
  readonly where: string;
  readonly path: string;
  readonly message: string;
}

/** Thrown by `loadConfig` with everything that is wrong; the message has one line for each. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID';
  readonly problems: readonly ConfigProblem[];
  /** ENOENT, EACCES … where the file could not be read at all. */
  readonly readFailure: string | null;

  constructor(problems: readonly ConfigProblem[], readFailure: string | null = null, options?: ErrorOptions) {
    super(problems.map((problem) => `${problem.where}  ${problem.message}`).join('\n'), options);
    this.name = 'ConfigError';
    this.problems = problems;
    this.readFailure = readFailure;
  }
}

type Path = readonly PropertyKey[];
type Issue = z.core.$ZodIssue;
/** The part of JSON Schema that zod writes for our schemas. */
interface Shape {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly [limit: string]: unknown;
}
/** A setting that the environment and the credentials directory may give. */
export interface Setting {
  readonly path: string;
  readonly env: string;
  readonly expected: string;
  readonly default: unknown;
}

/** Throws ConfigError. Nothing is written anywhere. */
export function loadConfig<T>(file: string, schema: z.ZodType<T>, options: ConfigOptions): LoadedConfig<T> {
  return configReader(schema)(file, options);
}

/** `loadConfig` for many files of one schema: what the schema says is worked out once. */
export function configReader<T>(schema: z.ZodType<T>): (file: string, options: ConfigOptions) => LoadedConfig<T> {
  let known: Shape | undefined;
  const shape = () => (known ??= shapeOf(schema));
  return (file, options) => read(file, schema, shape, options);
}

/** `shape` costs a twentieth of an agent's start, and is asked only where something is wrong or comes from outside the file. */
function read<T>(file: string, schema: z.ZodType<T>, shape: () => Shape, options: ConfigOptions): LoadedConfig<T> {
  const text = readText(file);
  const counter = new LineCounter();
  const { doc, value } = parseYaml(file, text, counter, options.secrets);
  const root: unknown = value ?? {};
  const origins = new Map<string, string>();
  const warnings = overlay(root, shape, options, origins);
  const place = (path: Path, key?: string): string => {
    const origin = origins.get(dotted(path));
    if (origin !== undefined) return origin;
    const { line, col } = counter.linePos(offsetOf(doc, key === undefined ? path : [...path, key], key !== undefined));
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const parsed = schema.safeParse(root, { error: () => '' });
  if (!parsed.success) throw new ConfigError(explain(parsed.error.issues, root, shape(), place, options.secrets));
  return {
    value: parsed.data,
    origin: (path) => {
      const origin = origins.get(path);
      if (origin !== undefined) return origin;
      const steps = path.split(/[.[\]]+/).filter((step) => step !== '');
      return valueAt(root, steps) === undefined ? 'default' : place(steps);
    },
    warnings: [...warnings, ...modeWarnings(file, root, options.secrets, origins)],
  };
}

/** Every setting that stands at a fixed path, in the order of the schema. */
export function settingsOf(schema: z.ZodType): readonly Setting[] {
  return leaves(shapeOf(schema), []);
}

/** Between the URLs of a text, as `mqtt.url` may separate them. */
const URLS = /([\s,]+)(?=[a-z][a-z+]*:\/\/)/i;
/** What a query of a URL may hold and be shown: how TLS is spoken, and paths of files. */
const HARMLESS_QUERY = /^(?:[?&](?:ssl|sslca|sslcert|sslkey|socket)=[^&#]*)*$/;

/**
 * The value as it may be shown: no password inside a URL and nothing of its query that may be one, and `***` for a secret that is no
 * URL. Of a URL in a list (`hooks[].url`) that is a secret, path and query are hidden.
 */
export function masked(path: string, value: unknown, secrets: readonly string[]): unknown {
  if (value === undefined || value === null) return value;
  const known = path.replace(/\[\d+\]/g, '[]');
  const name = secrets.find((secret) => [secret, `${secret}[]`].includes(known) || known.startsWith(`${secret}.`));
  if (name !== undefined && !/(^|\.)url(\[\])?$/i.test(known)) return '***';
  if (name?.includes('[]')) return withoutPath(String(value));
  return typeof value === 'string' ? withoutPasswords(value, name !== undefined) : value;
}

/** Of a text with one URL or several. */
function withoutPasswords(text: string, isSecret: boolean): string {
  return text
    .split(URLS)
    .map((part) => withoutPassword(part, isSecret))
    .join('');
}

function withoutPassword(text: string, isSecret: boolean): string {
  const [, scheme = '', rest = ''] = /^(.*?:\/\/)(.*)$/s.exec(text) ?? [];
  // A slip in the scheme of a secret must not show what follows.
  if (scheme === '') return isSecret && /[@?#]/.test(text) && !text.startsWith('sqlite:') ? '***' : text;
  const asked = rest.search(/[?#]/);
  // One of the two stands in a password, and nobody knows which.
  if (asked !== -1 && asked < rest.lastIndexOf('@')) return `${scheme}***`;
  const [address, query] = asked === -1 ? [rest, ''] : [rest.slice(0, asked), rest.slice(asked)];
  const shownQuery = HARMLESS_QUERY.test(query) ? query : `${query[0]}***`;
  return `${scheme}${address.replace(/^([^:@]*):.*@/s, '$1:***@')}${shownQuery}`;
}

/** What is hidden of such a text as it stands there: passwords, and values of a query. */
export function hiddenInUrls(text: string): string[] {
  const urls = text.split(URLS).filter((part) => part.includes('://'));
  return urls.flatMap((url) => {
    const [address = '', ...queries] = url.split(/[?#]/);
    const password = /:\/\/[^:@]*:(.*)@/s.exec(address)?.[1] ?? '';
    const asked = queries.flatMap((query) => query.split('&')).filter((pair) => !HARMLESS_QUERY.test(`?${pair}`));
    return [password, ...asked.map((pair) => pair.slice(pair.indexOf('=') + 1))].filter((hidden) => hidden !== '');
  });
}

function withoutPath(text: string): string {
  if (!URL.canParse(text)) return '***';
  const { protocol, host, pathname, search, username, hash } = new URL(text);
  const isBare = pathname.length < 2 && search + username + hash === '';
  return isBare ? text : `${protocol}//${host}/***`;
}

function readText(file: string): string {
  try {
    if (statSync(file).size > MAX_CONFIG_BYTES) {
      throw new ConfigError([{ where: file, path: '', message: `is larger than ${MAX_CONFIG_BYTES} bytes` }]);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = String((error as NodeJS.ErrnoException).code);
    const reasons: Record<string, string> = {
      ENOENT: 'there is no such file',
      EACCES: 'this user may not read it',
      EISDIR: 'it is a directory',
      ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8',
    };
    const message = `cannot be read: ${reasons[code] ?? code}`;
    throw new ConfigError([{ where: file, path: '', message }], code, { cause: error });
  }
}

function parseYaml(file: string, text: string, lineCounter: LineCounter, secrets: readonly string[]) {
  const fail = (offset: number, message: string): ConfigProblem => {
    const { line, col } = lineCounter.linePos(offset);
    return { where: `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`, path: '', message };
  };
  try {
    const doc = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true, logLevel: 'error' });
    const names = secrets.map((path) => path.slice(path.lastIndexOf('.') + 1));
    const faults = [...doc.errors, ...doc.warnings].map(({ pos, code, message }) => {
      const line = text.slice(text.lastIndexOf('\n', pos[0] - 1) + 1).split('\n', 1)[0] ?? '';
      // A parser's message may quote what it stumbled over, and that may be a password.
      const quiet = names.some((name) => line.includes(name)) ? message.replace(/[:"'].*/s, '') : message;
      if (code === 'RESOURCE_EXHAUSTION') return fail(pos[0], 'nested too deeply');
      return fail(pos[0], `not YAML: ${quiet.split('\n', 1)[0]}`);
    });
    // toJS writes a key that is no word as text, and that again in the key around it: 40 of them (`? ? ? …`) fill the memory.
    visit(doc, {
      Pair(_, { key }) {
        if (isScalar(key)) return;
        faults.push(
          fail(isNode(key) ? (key.range?.[0] ?? 0) : 0, 'a key must be a word, not a section, a list or an alias'),
        );
        return faults.length < MAX_PROBLEMS ? visit.SKIP : visit.BREAK;
      },
    });
    if (faults.length > 0) throw new ConfigError(faults.slice(0, MAX_PROBLEMS));
    return { doc, value: doc.toJS({ maxAliasCount: MAX_ALIASES }) as unknown };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // toJS throws a ReferenceError for too many aliases, and a RangeError for what is deep enough to overflow the stack.
    const message = error instanceof ReferenceError ? 'aliases (*name) repeat too much' : 'nested too deeply';
    throw new ConfigError([fail(0, message)], null, { cause: error });
  }
}

/** Writes the stronger layers into `root`, weakest first, and notes where each value came from. */
function overlay(root: unknown, shape: () => Shape, options: ConfigOptions, origins: Map<string, string>): string[] {
  const directory = options.credentialsDirectory;
  const ours = Object.keys(options.env).filter((name) => name.startsWith(ENV_PREFIX));
  const settings = directory === undefined && ours.length === 0 ? [] : leaves(shape(), []);
  const set = (path: string, value: unknown, origin: string) => {
    if (setAt(root, path.split('.'), value)) origins.set(path, origin);
  };
  const names = directory === undefined ? [] : readdirSync(directory);
  for (const { path, shape: leaf } of settings) {
    if (directory === undefined || !names.includes(path)) continue;
    const file = join(directory, path);
    if (statSync(file).size > MAX_CREDENTIAL_BYTES) {
      throw new ConfigError([{ where: file, path, message: `is larger than ${MAX_CREDENTIAL_BYTES} bytes` }]);
    }
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    // A unit that hands over a credential does not start where there is no file: an empty one says that there is none.
    if (text !== '') set(path, coerce(text, leaf), `credential ${path}`);
  }
  for (const { path, env, shape: leaf } of settings) {
    const text = options.env[env];
    if (text !== undefined) set(path, coerce(text, leaf), `environment ${env}`);
  }
  for (const [path, value] of Object.entries(options.overrides ?? {})) {
    if (value !== undefined) set(path, value, 'flag');
  }
  const known = settings.map(({ env }) => env);
  return ours.flatMap((name) => {
    const near = known.includes(name) ? null : nearest(name, known);
    return near === null ? [] : [`environment ${name} is not known: did you mean ${near}?`];
  });
}

function leaves(shape: Shape, path: readonly string[]): (Setting & { readonly shape: Shape })[] {
  if (shape.properties !== undefined) {
    return Object.entries(shape.properties).flatMap(([key, inner]) => leaves(inner, [...path, key]));
  }
  if (shape.type === 'array' || shape.type === 'object' || path.length === 0) return [];
  const env = ENV_PREFIX + path.map((key) => key.replace(/(?=[A-Z])/g, '_').toUpperCase()).join('_');
  return [{ path: path.join('.'), env, expected: expectation([shape]), default: shape.default, shape }];
}

/** Text from outside YAML, as the value that YAML would have given. What does not fit stays text, for the schema to refuse. */
function coerce(text: string, shape: Shape): unknown {
  const types = [shape, ...branches(shape)].map(({ type }) => type);
  if (types.includes('boolean') && /^(true|false)$/.test(text)) return text === 'true';
  const numeric = types.includes('number') || types.includes('integer');
  return numeric && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
}

interface Finding {
  readonly path: Path;
  readonly issue: Issue;
  readonly shapes: readonly Shape[];
}

function explain(
  issues: readonly Issue[],
  root: unknown,
  shape: Shape,
  place: (path: Path, key?: string) => string,
  secrets: readonly string[],
): ConfigProblem[] {
  const findings = issues.flatMap((issue) => resolve(issue, [], [shape], root));
  const replaced = new Set<string>();
  const unknown = findings.flatMap(({ path, issue, shapes }) =>
    (issue.code === 'unrecognized_keys' ? issue.keys : []).map((key): ConfigProblem => {
      const known = keysOf(shapes);
      const near = nearest(key, known);
      if (near !== null) replaced.add(dotted([...path, near]));
      const hint = near === null ? `known here are ${known.join(', ')}` : `did you mean "${near}"?`;
      const full = dotted([...path, key]);
      return { where: place(path, key), path: full, message: `unknown key ${JSON.stringify(full)}: ${hint}` };
    }),
  );
  const wrong = findings.flatMap(({ path, issue, shapes }): ConfigProblem[] => {
    const name = dotted(path);
    const value = valueAt(root, path);
    // A required key under a name with a slip: the unknown key tells it already.
    if (issue.code === 'unrecognized_keys' || (value === undefined && replaced.has(name))) return [];
    const got = shown(masked(name, value, secrets));
    const title = name === '' ? '' : `${name}: `;
    return [{ where: place(path), path: name, message: `${title}expected ${expected(issue, shapes)}, got ${got}` }];
  });
  return [...unknown, ...wrong].sort(byPlace).slice(0, MAX_PROBLEMS);
}

/** Of a union, the branch that was probably meant; where none stands out, the union itself. */
function resolve(issue: Issue, base: Path, shapes: readonly Shape[], root: unknown): Finding[] {
  const path = [...base, ...issue.path];
  const here = shapesAt(shapes, issue.path, valueAt(root, base));
  const value = valueAt(root, path);
  if (issue.code !== 'invalid_union' || issue.errors.length === 0 || !isRecord(value)) {
    return [{ path, issue, shapes: here.flatMap((shape) => meant(shape, value)) }];
  }
  const options = here.flatMap((shape) => branches(shape));
  const found = issue.errors.map((errors, i) => {
    const option = options[i] === undefined ? here : [options[i]];
    return errors.flatMap((inner) => resolve(inner, path, option, root));
  });
  const costs = found.map((findings) => findings.reduce((sum, finding) => sum + costOf(finding, root), 0));
  const least = Math.min(...costs);
  const missing = found.flatMap((findings) => findings.filter((f) => valueAt(root, f.path) === undefined));
  const tied = costs.filter((cost) => cost === least).length > 1 && missing.length > 1;
  if (!tied) return found[costs.indexOf(least)] ?? [];
  const keys = [...new Set(missing.map((finding) => String(finding.path.at(-1))))];
  return [{ path, issue: { ...issue, errors: [], message: `one of the keys ${keys.join(', ')}` }, shapes: here }];
}

/** How far a branch is from what was written: a missing key weighs more than a superfluous one, unless that is its slip. */
function costOf({ path, issue, shapes }: Finding, root: unknown): number {
  if (issue.code !== 'unrecognized_keys') return valueAt(root, path) === undefined ? 3 : 1;
  const at = valueAt(root, path);
  return issue.keys.reduce((sum, key) => {
    const near = nearest(key, keysOf(shapes));
    return sum + (near !== null && isRecord(at) && at[near] === undefined ? -2 : 1);
  }, 0);
}

function expected(issue: Issue, shapes: readonly Shape[]): string {
  if (issue.message !== '') return issue.message;
  if (issue.code === 'invalid_format' && issue.format === 'url' && issue.pattern !== undefined) {
    const protocols = issue.pattern.replace(/^\^\(?|\)?\$$/g, '').split('|');
    const each = protocols.flatMap((p) => (p.endsWith('?') ? [p.slice(0, -2), p.slice(0, -1)] : [p]));
    return `a URL that starts with ${list(each.map((p) => `${p}://`))}`;
  }
  return expectation(shapes);
}

/** What a value of these shapes is, in words. */
function expectation(shapes: readonly Shape[]): string {
  return list([...new Set(shapes.flatMap(spread).flatMap(inWords))]);
}

/** A choice of several values is several words, so that a union of it reads as one list. */
function inWords(shape: Shape): string | string[] {
  const choices = 'const' in shape ? [shape.const] : shape.enum;
  if (choices !== undefined) return choices.map((choice) => JSON.stringify(choice));
  if (shape.type === 'boolean') return 'true or false';
  if (shape.type === 'integer') return `a whole number${range(shape, 'minimum', 'maximum', '')}`;
  if (shape.type === 'number') return `a number${range(shape, 'minimum', 'maximum', '')}`;
  if (shape.type === 'array') return `a list${range(shape, 'minItems', 'maxItems', ' entries')}`;
  if (shape.properties !== undefined) return `a section with the keys ${Object.keys(shape.properties).join(', ')}`;
  if (shape.type === 'object') return 'a section of names and values';
  if (shape.format === 'uri') return 'a URL';
  if (shape.pattern !== undefined) return `text that matches ${shape.pattern}`;
  return `text${range(shape, 'minLength', 'maxLength', ' characters')}`;
}

function range(shape: Shape, least: string, most: string, unit: string): string {
  const [min, max, above] = [shape[least], shape[most], shape.exclusiveMinimum];
  const bounded = typeof max === 'number' && max < Number.MAX_SAFE_INTEGER;
  if (typeof above === 'number') return ` above ${above}${bounded ? `, up to ${max}` : ''}`;
  if (min === 1 && !bounded && unit === ' characters') return '';
  if (typeof min === 'number' && bounded) return `${unit === '' ? ' from' : ' of'} ${min} to ${max}${unit}`;
  if (typeof min === 'number' && min > -Number.MAX_SAFE_INTEGER) return ` of at least ${min}${unit}`;
  return bounded ? ` of at most ${max}${unit}` : '';
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isRecord(value)) return `a section with the keys ${Object.keys(value).slice(0, 8).join(', ') || '(none)'}`;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}

/** The candidate that is a slip of the pen away from `word`, or null. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const limit = word.length <= 3 ? 1 : word.length < 9 ? 2 : 3;
  const ranked = candidates
    .filter((candidate) => candidate !== word)
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= limit && best.distance < word.length ? best.candidate : null;
}

/** Levenshtein's distance. Words beyond 64 characters are no slips. */
function editDistance(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** A group of one's own may read it: the service does, where the file is of root. */
const READ_BY_ALL = 0o004;
const WRITTEN_BY_OTHERS = 0o022;

function modeWarnings(file: string, root: unknown, secrets: readonly string[], origins: Map<string, string>): string[] {
  const held = secrets.filter((path) => {
    const values = valuesAt(root, path.split('.')).flat();
    return !origins.has(path) && values.some((value) => masked(path, value, secrets) !== value);
  });
  if (held.length === 0) return [];
  const { mode } = statSync(file);
  const holds = `${file} holds ${held.join(' and ')} and`;
  return [
    ...((mode & READ_BY_ALL) === 0 ? [] : [`${holds} everybody may read it: chmod o-rwx ${file}`]),
    ...((mode & WRITTEN_BY_OTHERS) === 0 ? [] : [`${holds} others may write it: chmod go-w ${file}`]),
  ];
}

function shapeOf(schema: z.ZodType): Shape {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape;
}

function branches(shape: Shape): readonly Shape[] {
  return shape.anyOf ?? shape.oneOf ?? [];
}

/** The branches of a union; else the shape itself. */
function spread(shape: Shape): readonly Shape[] {
  return branches(shape).length > 0 ? branches(shape) : [shape];
}

/** The shapes of what is at `path` inside `value`; on the way there, unions are narrowed to what is meant. */
function shapesAt(shapes: readonly Shape[], path: Path, value: unknown): readonly Shape[] {
  let here = shapes;
  for (const [i, step] of path.entries()) {
    const outer = valueAt(value, path.slice(0, i));
    here = here
      .flatMap((shape) => meant(shape, outer).flatMap(spread))
      .flatMap(({ properties, items, additionalProperties: rest }) => {
        const inner = (typeof step === 'number' ? items : properties?.[String(step)]) ?? rest;
        return typeof inner === 'object' ? [inner] : [];
      });
  }
  return here;
}

/** The branches of a union that have every key that they need in `value`, with the tag that is in it; else all of it. */
function meant(shape: Shape, value: unknown): Shape[] {
  const fitting = branches(shape).filter(({ required = [], properties = {} }) => {
    if (!isRecord(value)) return false;
    return required.every((key) => {
      const tag = properties[key]?.const;
      return Object.hasOwn(value, key) && (tag === undefined || tag === value[key]);
    });
  });
  return fitting.length > 0 ? fitting : [shape];
}

function keysOf(shapes: readonly Shape[]): string[] {
  return [...new Set(shapes.flatMap(spread).flatMap((shape) => Object.keys(shape.properties ?? {})))];
}

/** Where the node at `path` starts, or the last one on the way that is there. With `atKey`, where its key starts. */
function offsetOf(doc: Document.Parsed, path: Path, atKey: boolean): number {
  let node: unknown = doc.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const [i, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(doc);
    const pair = isMap(node)
      ? node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(step))
      : undefined;
    const key = pair?.key;
    node = isSeq(node) ? node.items[Number(step)] : pair?.value;
    const shownNode = atKey && i === path.length - 1 && isNode(key) ? key : node;
    if (!isNode(shownNode)) return offset;
    offset = shownNode.range?.[0] ?? offset;
  }
  return offset;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, step) => {
    if (Array.isArray(at)) return at[Number(step)];
    return isRecord(at) && Object.hasOwn(at, step) ? at[String(step)] : undefined;
  }, root);
}

/** All that a path means, of which a step `hooks[]` is each entry of a list. */
function valuesAt(root: unknown, path: readonly string[]): unknown[] {
  return path.reduce<unknown[]>(
    (places, step) =>
      places.flatMap((at) => {
        const value = valueAt(at, [step.replace('[]', '')]);
        if (!step.endsWith('[]')) return [value];
        return Array.isArray(value) ? value : [];
      }),
    [root],
  );
}

/** False where something that is no section stands in the way: the schema will say so. */
function setAt(root: unknown, path: readonly string[], value: unknown): boolean {
  let at = root;
  for (const step of path.slice(0, -1)) {
    if (!isRecord(at)) return false;
    if (!Object.hasOwn(at, step) || at[step] === null) at[step] = {};
    at = at[step];
  }
  if (!isRecord(at)) return false;
  at[path.at(-1) ?? ''] = value;
  return true;
}

/** ['sources', 0, 'baud'] → `sources[0].baud` */
function dotted(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? String(step) : `${text}.${String(step)}`;
  }, '');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function list(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** In the order of the file. */
function byPlace(a: ConfigProblem, b: ConfigProblem): number {
  const line = ({ where }: ConfigProblem) => where.split(':').slice(-2).map(Number);
  const [[lineA = 0, columnA = 0], [lineB = 0, columnB = 0]] = [line(a), line(b)];
  return lineA - lineB || columnA - columnB || 0;
}
