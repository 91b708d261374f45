// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts here are programs, with templates of their own
import { homedir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { ROOT, readText, repositoryFiles, sourceFiles } from './architecture/files.ts';
import { breachesOf } from './architecture/rules.ts';
import { blank, functionsOf, importsOf, type SourceFile, topLevel } from './architecture/scan.ts';

const none: ReadonlyMap<string, string> = new Map();
const file = (path: string, text: string): SourceFile => ({ path, text });

describe('the house', () => {
  test('keeps every rule', () => {
    expect(breachesOf(sourceFiles())).toEqual([]);
  });

  test('has files to check in every part', () => {
    const paths = sourceFiles().map(({ path }) => path);
    expect(paths.length).toBeGreaterThan(30);
    for (const part of ['contract', 'lib', 'agent', 'central', 'simulator', 'cli']) {
      expect(paths.some((path) => path.startsWith(`src/${part}/`))).toBe(true);
    }
  });

  test('gives a test that mocks a module modules of its own', () => {
    const mocking = repositoryFiles('test').filter((path) => /\bvi\.(?:mock|doMock)\(/.test(readText(path)));
    expect(mocking.length).toBeGreaterThan(0);
    const config = readText('vitest.config.ts');
    const named = /^const MOCKING = \[(.*?)\];/ms.exec(config)?.[1] ?? '';
    expect(mocking.filter((path) => !named.includes(`'${path}'`))).toEqual([]);
  });

  test('names no path of the machine it is written on', () => {
    const pieces = [ROOT, `${homedir()}/`, ['', 'work', ''].join('/'), ['', 'tmp', 'n', ''].join('/')];
    const named = repositoryFiles().flatMap((path) => {
      const text = readText(path);
      return pieces.filter((piece) => piece.length > 2 && text.includes(piece)).map((piece) => `${path}: ${piece}`);
    });
    expect(named).toEqual([]);
  });
});

/** Each plants one breach in a house that is otherwise clean. */
const planted: readonly (readonly [title: string, rule: string, path: string, text: string])[] = [
  ['the contract imports lib', 'imports', 'src/contract/a.ts', "import { delay } from '../lib/wait.ts';\n"],
  [
    'the contract imports a type of the agent',
    'imports',
    'src/contract/a.ts',
    "import type { A } from '../agent/a.ts';\n",
  ],
  ['the contract imports a package', 'imports', 'src/contract/a.ts', "import { z } from 'zod';\n"],
  ['lib imports the contract', 'imports', 'src/lib/wait.ts', "import { newEvent } from '../contract/event.ts';\n"],
  ['a part imports its sibling', 'imports', 'src/agent/log/a.ts', "import { b } from '../source/b.ts';\n"],
  ['a part imports its side', 'imports', 'src/agent/log/a.ts', "import { b } from '../config.ts';\n"],
  ['a part loads its sibling later', 'imports', 'src/central/api/a.ts', "const b = await import('../store/b.ts');\n"],
  ['the agent imports a type of central', 'imports', 'src/agent/a.ts', "import type { B } from '../central/b.ts';\n"],
  ['central imports the agent', 'imports', 'src/central/store/a.ts', "import { b } from '../../agent/config.ts';\n"],
  ['the simulator imports the agent', 'imports', 'src/simulator/a.ts', "import { b } from '../agent/decoder/b.ts';\n"],
  ['a loop imports the command line', 'imports', 'src/agent/ingest.ts', "import { print } from '../cli/output.ts';\n"],
  ['a source imports a test', 'imports', 'src/cli/a.ts', "import { b } from '../../test/b.ts';\n"],
  ['a decoder reads a file', 'imports', 'src/agent/decoder/a.ts', "import { readFileSync } from 'node:fs';\n"],
  [
    'an import over several lines',
    'imports',
    'src/lib/wait.ts',
    "import {\n  a,\n  b,\n} from '../contract/event.ts';\n",
  ],
  ['an import for its effect', 'imports', 'src/lib/wait.ts', "import '../contract/event.ts';\n"],
  ['a file in no part', 'place', 'src/util/a.ts', 'export const a = 1;\n'],
  ['a pure part reads the clock', 'purity', 'src/agent/detector/a.ts', 'export const now = () => Date.now();\n'],
  ['a pure part makes a date of now', 'purity', 'src/central/models/a.ts', 'export const now = () => new Date();\n'],
  ['a pure part makes a date without brackets', 'purity', 'src/contract/a.ts', 'export const now = () => new Date;\n'],
  ['a pure part rolls dice', 'purity', 'src/agent/decoder/a.ts', 'export const roll = () => Math.random();\n'],
  ['a pure part knows its process', 'purity', 'src/contract/a.ts', 'export const env = () => process.env.HOME;\n'],
  ['a pure part sets a timer', 'purity', 'src/agent/detector/a.ts', 'export const f = () => setTimeout(() => 1, 2);\n'],
  ['a pure part prints', 'purity', 'src/contract/a.ts', "export const f = () => console.log('x');\n"],
  ['impurity inside a template', 'purity', 'src/contract/a.ts', 'export const f = () => `at ${Date.now()}`;\n'],
  ['a file called index', 'barrel', 'src/agent/log/index.ts', 'export const a = 1;\n'],
  ['an export of another file', 'barrel', 'src/agent/log/a.ts', "export { b } from './b.ts';\n"],
  ['an export of all of another file', 'barrel', 'src/agent/log/a.ts', "export * from './b.ts';\n"],
  ['a default export', 'default export', 'src/cli/a.ts', 'export default function a() {\n  return 1;\n}\n'],
  ['a default export by another name', 'default export', 'src/cli/a.ts', 'const a = 1;\nexport { a as default };\n'],
  ['a variable of the module', 'module state', 'src/cli/a.ts', 'let count = 0;\nexport const f = () => count++;\n'],
  ['an exported variable', 'module state', 'src/cli/a.ts', 'export let count = 0;\n'],
  [
    'a map of the module',
    'module state',
    'src/cli/a.ts',
    'const seen = new Map<string, number>();\nexport { seen };\n',
  ],
  ['a seventh file in lib', 'lib', 'src/lib/strings.ts', 'export const a = 1;\n'],
  [
    'a word of the domain in lib',
    'lib',
    'src/lib/wait.ts',
    'export function waitForCollar() {}\nexport const cat = 1;\n',
  ],
  ['a database driver in a command', 'sql', 'src/cli/a.ts', "import { Database } from 'better-sqlite3';\n"],
  ['a query in the API', 'sql', 'src/central/api/a.ts', "export const q = 'SELECT id FROM cat';\n"],
  ['a pragma in a command', 'sql', 'src/cli/a.ts', 'export const q = `PRAGMA journal_mode`;\n'],
  ['a long file', 'length', 'src/cli/a.ts', 'export const a = 1;\n'.repeat(251)],
  ['a long function', 'length', 'src/cli/a.ts', `export function a() {\n${'  a();\n'.repeat(69)}}\n`],
  ['a file loaded before the guard', 'guard', 'src/cli/bin.ts', "import { main } from './main.ts';\nmain();\n"],
  ['a guard that needs a package', 'guard', 'src/lib/runtime-guard.ts', "import semver from 'semver';\n"],
];

describe('a planted breach is found:', () => {
  test.each(planted)('%s', (_title, rule, path, text) => {
    expect(breachesOf([file(path, text)], none).map((breach) => breach.rule)).toContain(rule);
  });

  test('two files of a folder that import each other', () => {
    const files = [
      file('src/agent/log/a.ts', "import { b } from './b.ts';\nexport const a = b;\n"),
      file('src/agent/log/b.ts', "import { c } from './c.ts';\nexport const b = c;\n"),
      file('src/agent/log/c.ts', "import type { a } from './a.ts';\nexport const c = 1;\n"),
    ];
    expect(breachesOf(files, none)).toEqual([
      {
        rule: 'cycle',
        file: 'src/agent/log/a.ts',
        detail: 'src/agent/log/a.ts → src/agent/log/b.ts → src/agent/log/c.ts → src/agent/log/a.ts',
      },
    ]);
  });

  test('a reason for a length that is over', () => {
    const files = [file('src/cli/a.ts', 'export const a = 1;\n')];
    expect(breachesOf(files, new Map([['src/cli/a.ts', 'once long']]))).toHaveLength(1);
    expect(breachesOf([], new Map([['src/cli/gone.ts#f', 'once there']]))).toHaveLength(1);
  });
});

describe('what is allowed passes:', () => {
  test.each([
    ['a type of a sibling', 'src/agent/log/a.ts', "import type { B } from '../source/b.ts';\n"],
    ['a type of the own side', 'src/agent/source/a.ts', "import type { B } from '../config.ts';\n"],
    ['hashing in the contract', 'src/contract/a.ts', "import { createHash } from 'node:crypto';\n"],
    ['a date of a given time', 'src/agent/detector/a.ts', 'export const at = (ms: number) => new Date(ms);\n'],
    ['forbidden words in comments', 'src/contract/a.ts', '// Date.now() and process.env\n/* Math.random() */\n'],
    ['forbidden words in strings', 'src/contract/a.ts', 'export const a = ["Date.now()", \'let x\', `process.env`];\n'],
    ['forbidden words in a pattern', 'src/contract/a.ts', 'export const a = /["\'`]Date.now()/;\n'],
    ['a variable inside a function', 'src/cli/a.ts', 'export function f() {\n  let a = 1;\n  return a++;\n}\n'],
    ['a map that cannot change', 'src/cli/a.ts', 'const m: ReadonlyMap<string, number> = new Map();\nexport { m };\n'],
    ['SQL in the store', 'src/central/store/a.ts', "export const q = 'SELECT id FROM cat';\n"],
    ['the program behind the guard', 'src/cli/bin.ts', "const { main } = await import('./main.ts');\nmain();\n"],
    ['a property called process', 'src/agent/detector/a.ts', 'export const f = (a: { process: 1 }) => a.process;\n'],
  ])('%s', (_title, path, text) => {
    expect(breachesOf([file(path, text)], none)).toEqual([]);
  });
});

describe('the scan', () => {
  test('keeps offsets and lines', () => {
    const text = "a('x // y'); // 'z'\n/* b\n*/ c(`d ${e('f')} g`) / 2;\n";
    const hollow = blank(text);
    expect(hollow).toHaveLength(text.length);
    expect(hollow).toBe("a('      ');       \n    \n   c(`  ${e(' ')}  `) / 2;\n");
  });

  test('tells patterns from division', () => {
    expect(blank("const a = b / c; const d = /'/; e(x / y, /`/g);")).toBe(
      'const a = b / c; const d =    ; e(x / y,     );',
    );
  });

  test('finds braces inside templates inside templates', () => {
    expect(blank('`a${`b${c}d`}e` + f')).toBe('` ${` ${c} `} ` + f');
  });

  test('reads every form of import', () => {
    const text = [
      "import a from 'a';",
      "import * as b from 'b';",
      "import { c, type D } from 'c';",
      "import type { E } from 'e';",
      "import 'f';",
      "export type { G } from 'g';",
      "const h = await import('h');",
      'const s = "import x from \'nothing\'";',
      "type T = typeof import('t');",
    ].join('\n');
    const found = importsOf({ path: 'src/cli/a.ts', text });
    expect(found.map(({ specifier }) => specifier)).toEqual(['a', 'b', 'c', 'e', 'f', 'g', 'h', 't']);
    expect(found.filter(({ typeOnly }) => typeOnly).map(({ specifier }) => specifier)).toEqual(['e', 'g', 't']);
  });

  test('measures functions and leaves out what is inside', () => {
    expect(functionsOf('async function* a() {\n  b();\n}\n')).toEqual([{ name: 'a', lines: 3 }]);
    expect(topLevel('const a = { let: 1 };\nlet b;').trim()).toMatch(/^const a = +;\nlet b;$/);
  });
});
