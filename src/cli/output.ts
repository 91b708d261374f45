/** What goes to the terminal: results on stdout, messages on stderr, colour only on a terminal without NO_COLOR. */

import { cut, widthOf } from './text-width.ts';

const colours = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, dim: 2, bold: 1 } as const;

export type Colour = keyof typeof colours;

/** Writes a line of results. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes one JSON value as a line of results. JSON leaves C1 and bidi as they are: escaped, it says the same. */
export function printJson(value: unknown): void {
  print(safe(JSON.stringify(value)));
}

/** Writes a line of messages. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Colours text when the stream is a terminal and NO_COLOR (no-color.org) is not set. */
export function paint(text: string, colour: Colour, stream: NodeJS.WriteStream = process.stdout): string {
  if (!stream.isTTY || (process.env.NO_COLOR ?? '') !== '') return text;
  return `\u001b[${colours[colour]}m${text}\u001b[0m`;
}

/** Makes a stranger's text safe for a terminal: C0, C1, bidi controls and line separators become \u escapes. */
export function safe(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is escaped
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A text that is coloured where the terminal shows colours. */
export type Cell = string | readonly [text: string, colour: Colour];

export interface TableOptions {
  /** Titles of the columns that hold numbers: they are aligned at their right. */
  readonly right?: readonly string[];
}

/** Columns that are narrower than this are never cut. */
const LEAST_WIDTH = 12;

/** Rows as aligned columns. Where a terminal is too narrow for them, the widest are cut; elsewhere nothing is. */
export function table(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  { right = [] }: TableOptions = {},
): string {
  const all = rows.map((row) => head.map((_, i) => cellOf(row[i] ?? '')));
  const wanted = head.map((title, i) => Math.max(widthOf(title), ...all.map((row) => widthOf(row[i]?.text ?? ''))));
  const widths = process.stdout.isTTY ? fitted(wanted, process.stdout.columns) : wanted;
  const pad = (text: string, i: number, last: boolean) => {
    const short = cut(text, widths[i] ?? 0);
    const room = ' '.repeat(Math.max(0, (widths[i] ?? 0) - widthOf(short)));
    if (right.includes(head[i] ?? '')) return [room, short, ''] as const;
    return ['', short, last ? '' : room] as const;
  };
  const line = (cells: readonly { readonly text: string; readonly colour: Colour | null }[]) => {
    const end = cells.findLastIndex(({ text }) => text !== '');
    const parts = cells.slice(0, end + 1).map(({ text, colour }, i) => {
      const [before, middle, after] = pad(text, i, i === end);
      return before + (colour === null || middle === '' ? middle : paint(middle, colour)) + after;
    });
    return parts.join('  ');
  };
  return [line(head.map((text) => ({ text, colour: 'bold' }))), ...all.map(line)].join('\n');
}

function cellOf(cell: Cell): { readonly text: string; readonly colour: Colour | null } {
  return typeof cell === 'string' ? { text: cell, colour: null } : { text: cell[0], colour: cell[1] };
}

/** The widest column gives way first. */
function fitted(wanted: readonly number[], columns: number): readonly number[] {
  const widths = [...wanted];
  const gaps = 2 * (widths.length - 1);
  for (let over = gaps + widths.reduce((sum, width) => sum + width, 0) - columns; over > 0; over -= 1) {
    const widest = widths.indexOf(Math.max(...widths));
    const width = widths[widest] ?? 0;
    if (width <= LEAST_WIDTH) break;
    widths[widest] = width - 1;
  }
  return widths;
}
