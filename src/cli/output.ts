/** What goes to the terminal: results on stdout, messages on stderr, colour only on a terminal without NO_COLOR. */

const colours = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, dim: 2, bold: 1 } as const;

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
export function paint(text: string, colour: keyof typeof colours, stream: NodeJS.WriteStream = process.stdout): string {
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

/** Rows as aligned columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)].join('\n');
}
