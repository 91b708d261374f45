/** Tables in Markdown, so that what is printed can stand in a document. */
export type Cell = string | number | null;

export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]) => `| ${cells.map((cell) => cell ?? '').join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line), ''].join('\n');
}

/** `.87`, as such figures are written. */
export function share(value: number): string {
  if (!Number.isFinite(value)) return '';
  return value.toFixed(value >= 0.9995 ? 1 : 2).replace(/^0/, '');
}

export function ratio(a: number, b: number): number {
  return b === 0 ? 0 : a / b;
}
