/** The table of a bench, its ratios, and how it differs from an earlier one. Pure. */
export const FIGURES = [
  'events/s',
  'events/s, warm',
  'CPU-s per 100 000 readings',
  'CPU-s per 100 000 readings, warm',
  'B written per event, burst',
  'B written per event, 40 a second',
  'B on the wire per event, burst',
  'latency p50, ms',
  'latency p99, ms',
  'RSS idle, MB',
  'RSS at most, MB',
  'CPU idle, %',
  'events/s, 10 ms a flush',
  'events/s after an outage',
  'RSS in the outage, MB',
  'lost in the burst',
  'lost of 100 in the outage',
  'lost of 100 by kill -9 in an outage',
] as const;

const COMPARED: readonly (typeof FIGURES)[number][] = [
  'events/s',
  'events/s, warm',
  'CPU-s per 100 000 readings',
  'CPU-s per 100 000 readings, warm',
  'B written per event, burst',
  'RSS idle, MB',
];

/** A name of `FIGURES` with one value a run. */
export type Figures = Record<string, readonly number[]>;

export interface Bench {
  readonly machine: {
    readonly processors: number;
    readonly model: string;
    readonly node: string;
    readonly flushesPerSecond: readonly [number, number];
  };
  readonly readings: number;
  readonly runs: number;
  /** By contender. */
  readonly figures: Readonly<Record<string, Figures>>;
}

/** One row a figure, one column a contender: the median, and the least and the most where there were several runs. */
export function printed({ machine, readings, runs, figures }: Bench): string {
  const names = Object.keys(figures);
  const [least, most] = machine.flushesPerSecond;
  const head = [
    `${machine.processors} × ${machine.model}, Node ${machine.node}, ${least} to ${most} flushes a second`,
    `${readings} readings of 20 collars, ${runs} runs in turn: median (least to most)`,
    '',
  ];
  const rows = FIGURES.filter((figure) => names.some((name) => (figures[name]?.[figure]?.length ?? 0) > 0)).map(
    (figure) => [figure, ...names.map((name) => cell(figures[name]?.[figure]))],
  );
  return [...head, ...table([['', ...names], ...rows]), '', ...ratios(figures)].join('\n');
}

/** What collard needs of the others, run by run, in the middle: paired, since the machine changes from run to run. */
export function ratios(figures: Bench['figures']): string[] {
  const [own] = Object.keys(figures).filter((name) => name === 'collard (json)');
  if (own === undefined) return [];
  const lines: string[] = [];
  for (const other of Object.keys(figures).filter((name) => !name.startsWith('collard'))) {
    const parts = COMPARED.flatMap((figure) => {
      const ratio = paired(figures[own]?.[figure], figures[other]?.[figure]);
      return ratio === null ? [] : [`${figure} × ${number(ratio)}`];
    });
    if (parts.length > 0) lines.push(`collard (json) against ${other}: ${parts.join(', ')}`);
  }
  return lines;
}

/** Each figure of a contender that both have. */
export function compared(before: Bench, after: Bench): string {
  const lines = [
    `against the result that is kept (${before.machine.flushesPerSecond.join(' to ')} flushes a second then):`,
  ];
  for (const [name, figures] of Object.entries(after.figures)) {
    const parts = Object.entries(figures).flatMap(([figure, values]) => {
      const [was, is] = [median(before.figures[name]?.[figure] ?? []), median(values)];
      return was === null || is === null || was === 0 ? [] : [`${figure} ${number(is / was)} ×`];
    });
    if (parts.length > 0) lines.push(`  ${name}: ${parts.join(', ')}`);
  }
  return lines.join('\n');
}

export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] ?? null;
  const [low, high] = [sorted[middle - 1], sorted[middle]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

function paired(own: readonly number[] = [], other: readonly number[] = []): number | null {
  const each = own.flatMap((value, run) => {
    const beside = other[run];
    return beside === undefined || beside === 0 ? [] : [value / beside];
  });
  return median(each);
}

function cell(values: readonly number[] = []): string {
  const middle = median(values);
  if (middle === null) return '-';
  return values.length === 1
    ? number(middle)
    : `${number(middle)} (${number(Math.min(...values))} to ${number(Math.max(...values))})`;
}

function number(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
  return String(Number(value.toPrecision(3)));
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  '),
  );
}
