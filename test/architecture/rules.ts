/** The rules of the house as data, and the checks that read them. */
import { dirname, join } from 'node:path/posix';
import { blank, functionsOf, importsOf, type SourceFile, topLevel, uncommented } from './scan.ts';

export interface Breach {
  readonly rule: string;
  readonly file: string;
  readonly detail: string;
}

interface PartRule {
  /** Parts that may be imported. */
  readonly imports: readonly string[];
  /** Parts of which types may be imported besides. */
  readonly types: readonly string[];
  /** Packages and node: modules that may be imported; absent: all. */
  readonly outside?: readonly string[];
}

const AGENT_PARTS = [
  ...['agent/source', 'agent/decoder', 'agent/detector', 'agent/kept', 'agent/live', 'agent/log', 'agent/publisher'],
];
const CENTRAL_PARTS = [
  ...['central/subscriber', 'central/store', 'central/cats', 'central/models', 'central/api'],
  ...['central/ownership', 'central/home', 'central/broker'],
];
const SHARED = ['contract', 'lib'];

const parts = (names: readonly string[], side: string, rule: Partial<PartRule> = {}): [string, PartRule][] =>
  names.map((name) => [name, { imports: SHARED, types: [side, ...names], ...rule }]);

/** Who may import whom. A part's own folder is always allowed. */
export const IMPORT_TABLE: ReadonlyMap<string, PartRule> = new Map<string, PartRule>([
  ['contract', { imports: [], types: [], outside: ['node:crypto', 'node:zlib'] }],
  ['lib', { imports: [], types: [] }],
  ['place', { imports: [], types: [], outside: [] }],
  ['broker', { imports: ['lib', 'etcd'], types: [] }],
  ['etcd', { imports: ['lib'], types: [] }],
  ...parts(AGENT_PARTS, 'agent'),
  ...parts(CENTRAL_PARTS, 'central'),
  ['central/ownership', { imports: [...SHARED, 'etcd'], types: ['central', ...CENTRAL_PARTS] }],
  ['agent/decoder', { imports: ['contract'], types: ['agent', ...AGENT_PARTS], outside: ['node:crypto'] }],
  ['agent/detector', { imports: ['contract', 'place'], types: ['agent', ...AGENT_PARTS], outside: [] }],
  ['central/models', { imports: ['contract', 'place'], types: ['central', ...CENTRAL_PARTS], outside: [] }],
  ['central/home', { imports: ['contract'], types: [], outside: ['node:zlib'] }],
  ['agent', { imports: [...SHARED, 'broker', ...AGENT_PARTS], types: [] }],
  ['central', { imports: [...SHARED, 'broker', 'etcd', ...CENTRAL_PARTS], types: [] }],
  ['simulator', { imports: SHARED, types: [] }],
  [
    'cli',
    {
      imports: [...SHARED, 'broker', 'etcd', 'agent', 'central', 'simulator', ...AGENT_PARTS, ...CENTRAL_PARTS],
      types: [],
    },
  ],
]);

export const PURE_PARTS: readonly string[] = [
  ...['contract', 'agent/decoder', 'agent/detector'],
  ...['central/models', 'central/home', 'place'],
];

/** What a pure part must not name. */
const IMPURE: readonly [name: string, pattern: RegExp][] = [
  ['Date.now', /\bDate\s*\.\s*now\b/],
  ['new Date() without argument', /\bnew\s+Date\s*(?:\(\s*\)|(?=[^\s(]))/],
  ['Date() as a function', /(?<!\bnew\s+|[.\w])Date\s*\(/],
  ['Math.random', /\bMath\s*\.\s*random\b/],
  ['process', /(?<![.\w])process\b(?!\s*[:(])/],
  ['console', /(?<![.\w])console\s*\./],
  ['performance', /(?<![.\w])performance\s*\./],
  ['a timer', /(?<![.\w])(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
  ['fetch', /(?<![.\w])fetch\s*\(/],
  ['globalThis', /(?<![.\w])globalThis\b/],
  ['crypto as a global', /(?<![.\w])crypto\s*\./],
];

/** The only entry in front of the guard may load nothing else. */
const ENTRY = { file: 'src/cli/bin.ts', imports: ['../lib/runtime-guard.ts'] };
const GUARD = 'src/lib/runtime-guard.ts';

export const LIB_FILES: readonly string[] = ['config-file', 'mqtt-link', 'queue', 'run-all', 'runtime-guard', 'wait'];
const SQL_PARTS: readonly string[] = ['agent/log', 'central/store'];
const SQL_PACKAGES: readonly string[] = ['better-sqlite3', 'kysely', 'mysql2', 'pg', 'node:sqlite'];
const SQL_TEXT =
  /['"`\n]\s*(?:SELECT\s[^'"`]+\sFROM\s|INSERT\s+(?:OR\s+\w+\s+)?INTO\s|DELETE\s+FROM\s|CREATE\s+(?:TABLE|VIEW|INDEX)\s|PRAGMA\s|UPDATE\s+\w+\s+SET\s)/;
const DOMAIN_WORDS = /\b(?:cats?|meows?|collars?|shakes?|battery|batteries)\b/i;

export const MAX_LINES = 250;
export const MAX_FUNCTION_LINES = 70;

/** Files beyond MAX_LINES, and functions (`file#name`) beyond MAX_FUNCTION_LINES, each with its reason. */
export const LONG: ReadonlyMap<string, string> = new Map([
  ['src/central/store/store.ts', 'all that the store promises, as one contract for who writes, folds and reads'],
  ['src/lib/config-file.ts', 'the whole border to configuration: layers, places and words belong to one reading'],
  [
    'src/lib/mqtt-link.ts',
    'the whole border to MQTT.js and to what its errors mean; lib has no place for a second file',
  ],
]);

/** `src/agent/log/rows.ts` → `agent/log`; `src/agent/ingest.ts` → `agent`. */
export function partOf(path: string): string {
  const [, side = '', folder = ''] = path.split('/');
  const part = `${side}/${folder}`;
  return IMPORT_TABLE.has(part) ? part : side;
}

export function breachesOf(files: readonly SourceFile[], long: ReadonlyMap<string, string> = LONG): Breach[] {
  return [
    ...files.flatMap((file) => [...importBreaches(file), ...textBreaches(file), ...lengthBreaches(file, long)]),
    ...cycleBreaches(files),
    ...libBreaches(files),
    ...staleReasons(files, long),
  ];
}

/** Path of an imported file of ours, or null for packages. */
function target(file: SourceFile, specifier: string): string | null {
  return specifier.startsWith('.') ? join(dirname(file.path), specifier) : null;
}

function importBreaches(file: SourceFile): Breach[] {
  const part = partOf(file.path);
  const rule = IMPORT_TABLE.get(part);
  const breach = (name: string, detail: string): Breach => ({ rule: name, file: file.path, detail });
  if (rule === undefined) return [breach('place', `the house has no part ${part}`)];
  return importsOf(file).flatMap(({ specifier, typeOnly, reexport, dynamic }) => {
    const found: Breach[] = [];
    const to = target(file, specifier);
    if (reexport) found.push(breach('barrel', `exports from ${specifier}`));
    if (to === null) {
      const name = specifier.startsWith('@') ? specifier.split('/', 2).join('/') : (specifier.split('/', 1)[0] ?? '');
      if (rule.outside !== undefined && !rule.outside.includes(specifier)) {
        found.push(breach('imports', `${part} must not import ${specifier}`));
      }
      if (SQL_PACKAGES.includes(name) && !SQL_PARTS.includes(part)) found.push(breach('sql', `imports ${specifier}`));
      if (file.path === GUARD && !specifier.startsWith('node:')) found.push(breach('guard', `imports ${specifier}`));
    } else {
      const other = partOf(to);
      const allowed = other === part || rule.imports.includes(other) || (typeOnly && rule.types.includes(other));
      if (!to.startsWith('src/') || !allowed) found.push(breach('imports', `${part} must not import ${to}`));
      if (file.path === GUARD) found.push(breach('guard', `imports ${specifier}`));
    }
    if (file.path === ENTRY.file && !dynamic && !ENTRY.imports.includes(specifier)) {
      found.push(breach('guard', `${specifier} is loaded before the guard`));
    }
    return found;
  });
}

function textBreaches(file: SourceFile): Breach[] {
  const part = partOf(file.path);
  const code = blank(file.text);
  const top = topLevel(file.text);
  const found: Breach[] = [];
  const add = (rule: string, detail: string) => found.push({ rule, file: file.path, detail });
  if (/(^|\/)index\.ts$/.test(file.path)) add('barrel', 'is called index.ts');
  if (/^\s*export\s+default\b/m.test(code) || /\bas\s+default\b/.test(code)) add('default export', 'exports a default');
  for (const [, word, name] of top.matchAll(/^\s*(?:export\s+)?(let|var)\s+(\w*)/gm)) {
    add('module state', `${word} ${name} at the top of the module`);
  }
  const collection = /^(?:export\s+)?const\s+(\w+)(\s*:[^=\n]*)?\s*=\s*new\s+(?:Map|Set|WeakMap|WeakSet|Array)\b/gm;
  for (const [, name, type] of code.matchAll(collection)) {
    if (!/Readonly(?:Map|Set)/.test(type ?? '')) add('module state', `${name} is a collection that may change`);
  }
  if (PURE_PARTS.includes(part)) {
    for (const [name, pattern] of IMPURE) if (pattern.test(code)) add('purity', `${part} must not use ${name}`);
  }
  if (!SQL_PARTS.includes(part) && SQL_TEXT.test(uncommented(file.text))) add('sql', 'holds SQL');
  const word = part === 'lib' ? DOMAIN_WORDS.exec(code.replaceAll('_', ' '))?.[0] : undefined;
  if (word !== undefined) add('lib', `lib knows no "${word}"`);
  return found;
}

function lengthBreaches({ path, text }: SourceFile, long: ReadonlyMap<string, string>): Breach[] {
  const lines = text.split('\n').length - 1;
  const tooLong = lines > MAX_LINES && !long.has(path);
  const file: Breach[] = tooLong ? [{ rule: 'length', file: path, detail: `${lines} lines without a reason` }] : [];
  const functions = functionsOf(text)
    .filter((span) => span.lines > MAX_FUNCTION_LINES && !long.has(`${path}#${span.name}`))
    .map((span) => ({ rule: 'length', file: path, detail: `function ${span.name} has ${span.lines} lines` }));
  return [...file, ...functions];
}

/** Every circle of imports, also inside a folder; types count too: a circle of words is as hard to read. */
function cycleBreaches(files: readonly SourceFile[]): Breach[] {
  const edges = new Map(files.map((f) => [f.path, importsOf(f).flatMap((i) => target(f, i.specifier) ?? [])]));
  const done = new Set<string>();
  const found: Breach[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    const seen = trail.indexOf(path);
    if (seen >= 0) {
      found.push({ rule: 'cycle', file: path, detail: [...trail.slice(seen), path].join(' → ') });
    } else if (!done.has(path)) {
      for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    }
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}

function libBreaches(files: readonly SourceFile[]): Breach[] {
  return files
    .filter(({ path }) => partOf(path) === 'lib' && !LIB_FILES.some((name) => path === `src/lib/${name}.ts`))
    .map(({ path }) => ({ rule: 'lib', file: path, detail: `lib holds only ${LIB_FILES.join(', ')}` }));
}

/** A reason outlives its file, or its file's length: it must go. */
function staleReasons(files: readonly SourceFile[], long: ReadonlyMap<string, string>): Breach[] {
  return [...long.keys()].flatMap((key) => {
    const [path = '', name] = key.split('#');
    const text = files.find((file) => file.path === path)?.text ?? '';
    const span = name === undefined ? undefined : functionsOf(text).find((f) => f.name === name);
    const needed =
      name === undefined ? text.split('\n').length - 1 > MAX_LINES : (span?.lines ?? 0) > MAX_FUNCTION_LINES;
    return needed ? [] : [{ rule: 'length', file: path, detail: `${key} needs no reason any more` }];
  });
}
