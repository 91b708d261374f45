/** Reads what the rules need from TypeScript text, without a parser: comments, strings, imports, depth of braces. */

export interface SourceFile {
  /** From the root of the repository, such as `src/lib/wait.ts`. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  /** `export … from`. */
  readonly reexport: boolean;
  readonly dynamic: boolean;
}

/** A `/` after one of these begins a regular expression, after anything else it divides. */
const BEFORE_REGEX =
  /(^|[=(,;:!&|?{}[+\-*%~^<>]|=>|\b(?:return|typeof|case|in|of|do|else|void|delete|await|yield))\s*$/;

/** The text with the insides of comments, strings and regular expressions blanked; offsets and lines stay the same. */
export function blank(text: string): string {
  return scanText(text)
    .map(({ kind, part }) => (kind === 'code' ? part : hollow(kind, part)))
    .join('');
}

/** The text without comments; strings stay. */
export function uncommented(text: string): string {
  return scanText(text)
    .map(({ kind, part }) => (kind === 'comment' ? hollow(kind, part) : part))
    .join('');
}

type Kind = 'code' | 'comment' | 'string' | 'regex';
interface Part {
  readonly kind: Kind;
  readonly part: string;
}

const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const STRING = /'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"/y;
const REGEX = /\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
const TEMPLATE = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*/y;

function scanText(text: string): Part[] {
  const parts: Part[] = [];
  /** Depth of braces at which each open template goes on. */
  const templates: number[] = [];
  let depth = 0;
  let code = '';
  let at = 0;
  const take = (kind: Kind, part: string) => {
    if (code !== '') parts.push({ kind: 'code', part: code });
    code = '';
    if (part !== '') parts.push({ kind, part });
    at += part.length;
  };
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? '';
  };
  const template = () => {
    take('string', match(TEMPLATE));
    if (text[at] === '`') code += '`';
    else {
      code += '${';
      templates.push(depth++);
      at++;
    }
    at++;
  };
  while (at < text.length) {
    const c = text[at] ?? '';
    const comment = c === '/' ? match(COMMENT) : '';
    const regex = c === '/' && comment === '' && BEFORE_REGEX.test(tail(parts, code)) ? match(REGEX) : '';
    const string = c === "'" || c === '"' ? match(STRING) : '';
    if (comment !== '') take('comment', comment);
    else if (string !== '') take('string', string);
    else if (regex !== '') take('regex', regex);
    else {
      code += c;
      at++;
      if (c === '{') depth++;
      if (c === '}') depth--;
      if (c === '`') template();
      else if (c === '}' && templates.at(-1) === depth) {
        templates.pop();
        template();
      }
    }
  }
  take('code', '');
  return parts;
}

/** The last words of code before the place that is read, comments left out. */
function tail(parts: readonly Part[], code: string): string {
  if (code.trim() !== '') return code.slice(-40);
  const before = parts.filter(({ kind }) => kind !== 'comment').at(-1);
  return before === undefined ? '' : before.kind === 'code' && before.part.trim() === '' ? '(' : before.part.slice(-40);
}

function hollow(kind: Kind, part: string): string {
  const spaces = part.replace(/[^\n]/g, ' ');
  const quoted = kind === 'string' && /^['"]/.test(part);
  return quoted ? `${part[0]}${spaces.slice(1, -1)}${part[0]}` : spaces;
}

const STATIC = /(^|[;}\n])\s*(import|export)\s+(type\s+)?(?:[\w$*{},\s]*?\bfrom\s*)?(['"])( *)\4/g;
const DYNAMIC = /\bimport\s*\(\s*(['"])( *)\1/g;

export function importsOf({ text }: SourceFile): Import[] {
  const hollowed = blank(text);
  const specifier = (match: RegExpExecArray, spaces: string) => {
    const end = match.index + match[0].length - 1;
    return text.slice(end - spaces.length, end);
  };
  const fixed = [...hollowed.matchAll(STATIC)].map((match) => ({
    specifier: specifier(match, match[5] ?? ''),
    typeOnly: match[3] !== undefined,
    reexport: match[2] === 'export',
    dynamic: false,
  }));
  const dynamic = [...hollowed.matchAll(DYNAMIC)].map((match) => ({
    specifier: specifier(match, match[2] ?? ''),
    typeOnly: /\btypeof\s+$/.test(hollowed.slice(0, match.index)),
    reexport: false,
    dynamic: true,
  }));
  return [...fixed, ...dynamic];
}

/** Blanked text of what stands outside every brace, bracket and parenthesis. */
export function topLevel(text: string): string {
  let depth = 0;
  let out = '';
  for (const c of blank(text)) {
    if ('{[('.includes(c)) depth++;
    out += depth === 0 || c === '\n' ? c : ' ';
    if ('}])'.includes(c)) depth--;
  }
  return out;
}

export interface FunctionSpan {
  readonly name: string;
  readonly lines: number;
}

/** Functions at the left margin. The formatter puts the brace that ends one at the margin too. */
export function functionsOf(text: string): FunctionSpan[] {
  const lines = blank(text).split('\n');
  return lines.flatMap((line, start) => {
    const name = /^(?:export )?(?:async )?function\*? (\w+)/.exec(line)?.[1];
    if (name === undefined) return [];
    const length = lines.slice(start).findIndex((later) => later.startsWith('}'));
    return [{ name, lines: length + 1 }];
  });
}
