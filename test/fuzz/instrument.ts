/**
 * Counts which branches run. Each function, branch, loop and default value of a file gets a counter of its own, written
 * into its text when Node loads it. Only the thread that registers is concerned.
 */
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vitest/node';

const MAX_COUNTERS = 65_536;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Coverage {
  readonly counters: Uint8Array;
  /** Counters that are in use so far. */
  readonly used: () => number;
  /** Texts that the instrumented files hold, and numbers that are bytes. */
  readonly words: () => readonly string[];
  readonly bytes: () => readonly number[];
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Instruments what is imported from now on and begins with one of the paths. */
export function registerCoverage(paths: readonly string[]): Coverage {
  const counters = new Uint8Array(MAX_COUNTERS);
  (globalThis as Record<string, unknown>).fuzzCounters = counters;
  const words = new Set<string>();
  const bytes = new Set<number>();
  let used = 0;
  registerHooks({
    load(url, context, nextLoad) {
      const path = url.startsWith('file:') ? relative(ROOT, fileURLToPath(url)) : '';
      const isCode = /\.[cm]?[jt]s$/.test(path);
      if (!isCode || !paths.some((start) => path.startsWith(start))) return nextLoad(url, context);
      const typed = path.endsWith('.ts');
      const text = readFileSync(fileURLToPath(url), 'utf8');
      const module = typed || text.includes('\nexport ');
      const found = instrument(typed ? stripTypeScriptTypes(text) : text, used, module);
      used += found.counters;
      for (const word of found.words) words.add(word);
      for (const byte of found.bytes) bytes.add(byte);
      if (used > MAX_COUNTERS) throw new Error(`more than ${MAX_COUNTERS} branches`);
      return { format: module ? 'module' : 'commonjs', source: found.text, shortCircuit: true };
    },
  });
  return { counters, used: () => used, words: () => [...words].sort(), bytes: () => [...bytes].sort((a, b) => a - b) };
}

interface Instrumented {
  readonly text: string;
  readonly counters: number;
  readonly words: readonly string[];
  readonly bytes: readonly number[];
}

/** The same program with counters from `first` on. */
export function instrument(text: string, first: number, module = true): Instrumented {
  const edits: { at: number; close: boolean; text: string }[] = [];
  const words: string[] = [];
  const bytes: number[] = [];
  let next = first;
  const open = (at: number, added: string) => edits.push({ at, close: false, text: added });
  const close = (at: number, added: string) => edits.push({ at, close: true, text: added });
  const count = () => `$fuzz[${next++}]++`;
  /** Counts when an expression or a statement is evaluated; what is inside it comes between. */
  const around = (node: Node, inside: () => void) => {
    if (node.type === 'BlockStatement') {
      open(node.start + 1, `${count()};`);
      inside();
      return;
    }
    const isStatement = /(Statement|Declaration)$/.test(node.type);
    open(node.start, isStatement ? `{${count()};` : `(${count()},`);
    inside();
    close(node.end, isStatement ? '}' : ')');
  };
  const visit = (node: Node, parent: Node | null, key: string): void => {
    const value = node.value;
    if (node.type === 'Literal' && typeof value === 'string' && key !== 'source') words.push(value);
    if (node.type === 'Literal' && Number.isInteger(value) && Number(value) >= 0 && Number(value) < 256) {
      bytes.push(Number(value));
    }
    if (node.type === 'SwitchCase' && (node.consequent as Node[]).length > 0) {
      const [head] = node.consequent as Node[];
      if (head !== undefined) open(head.start, `${count()};`);
    }
    const inside = () => {
      for (const [name, child] of Object.entries(node)) {
        for (const item of Array.isArray(child) ? child : [child]) {
          if (isNode(item)) visit(item, node, name);
        }
      }
    };
    if (parent !== null && isBranch(parent, key, node)) around(node, inside);
    else inside();
    if (parent?.type === 'IfStatement' && key === 'consequent' && !isNode(parent.alternate)) {
      close(node.end, `else{${count()}}`);
    }
  };
  const program = parseAst(text, { sourceType: module ? 'module' : 'script' } as object) as unknown as Node;
  const start = /^(?:#![^\n]*\n)?(?:\s*'use strict';)?/.exec(text)?.[0].length ?? 0;
  visit(program, null, '');
  const ordered = edits
    .map((edit, i) => ({ ...edit, i }))
    .sort((a, b) => a.at - b.at || Number(b.close) - Number(a.close) || a.i - b.i);
  let result = `${text.slice(0, start)}const $fuzz = globalThis.fuzzCounters;`;
  let from = start;
  for (const edit of ordered) {
    result += text.slice(from, edit.at) + edit.text;
    from = edit.at;
  }
  return { text: result + text.slice(from), counters: next - first, words, bytes };
}

function isBranch(parent: Node, key: string, node: Node): boolean {
  switch (parent.type) {
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return key === 'body';
    case 'IfStatement':
    case 'ConditionalExpression':
      return key === 'consequent' || key === 'alternate';
    case 'WhileStatement':
    case 'DoWhileStatement':
    case 'ForStatement':
    case 'ForInStatement':
    case 'ForOfStatement':
    case 'CatchClause':
      return key === 'body';
    case 'LogicalExpression':
    case 'AssignmentPattern':
      return key === 'right' && node.type !== 'FunctionExpression';
    default:
      return false;
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}
