/**
 * Comma-separated rows (semicolons or tabs where a line has no comma). The header line, or `columns` of the configuration,
 * tells what they hold: `t_ms` or `t`; `ax ay az` in the configured unit, or with their own as `ax_g`, `ax_mg`, `ax_ms2`;
 * `rssi` or `rssi_<receiver>` (one sighting each, place and sensor named by the receiver); `collar`, `n`, `shake`,
 * `motion`, `battery`. Other columns are ignored, such as `place` (the truth of a calibration) where it is not asked for.
 * A header that comes again is obeyed: logs are joined.
 */
import { createLineCounter } from './line-counter.ts';
import { createLineClock, createLineDecoder } from './line-decoder.ts';
import { type Decoder, type DiscardReason, NO_COLLAR, type Reading } from './reading.ts';
import {
  type AccelerationUnit,
  BAD,
  type Checked,
  checkCounter,
  checkFlag,
  checkG,
  checkLevel,
  checkMs,
  checkName,
  checkPercent,
  checkRssi,
  countsPerG,
} from './value.ts';

interface CsvOptions {
  readonly place?: string | undefined;
  readonly collar?: string | undefined;
  readonly columns?: readonly string[] | undefined;
  readonly unit?: AccelerationUnit | undefined;
  /** For a calibration: sightings carry the truth of the column `place`; rows without it are only sightings. */
  readonly truth?: boolean | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One row as it is being read. */
interface Row {
  reading: Mutable<Reading>;
  t: number | undefined;
  collar: string | undefined;
  truth: string | undefined;
  sightings: { receiver: string; rssiDbm: number }[];
}

/** Takes the text of one cell. False: a bad value. Null in a list of columns: ignored. */
type Column = (row: Row, cell: string) => boolean;

export function createCsvDecoder(options: CsvOptions): Decoder {
  const unit = options.unit ?? 'g';
  const timeOf = createLineClock();
  const counters = createLineCounter();
  let lostSamples = 0;
  const read = (names: readonly string[]) =>
    names.map((name) => (options.truth === true && nameOf(name) === 'place' ? truth : columnOf(name, unit)));
  let columns = options.columns === undefined ? null : read(options.columns);

  const readLine = (line: string, atMs: number | null, readings: Reading[]): DiscardReason | null => {
    const cells = split(line);
    const header = looksLikeHeader(cells) ? read(cells) : null;
    if (header !== null) {
      if (options.columns === undefined) columns = header;
      return 'comment';
    }
    if (columns === null || columns.length !== cells.length) return 'no-columns';
    const row: Row = {
      reading: { collar: '', atMs: 0 },
      t: undefined,
      collar: undefined,
      truth: undefined,
      sightings: [],
    };
    if (!fill(row, columns, cells)) return 'bad-value';
    const { reading, sightings } = row;
    reading.collar = row.collar ?? options.collar ?? NO_COLLAR;
    const says = Object.keys(reading).length > 2;
    // A row in which no receiver heard the collar is true and says nothing.
    if (!says && sightings.length === 0) return 'comment';
    let steps = reading.axG === undefined ? 0 : 1;
    if (reading.counter !== undefined) {
      const lost = counters.next(reading.collar, reading.counter);
      if (lost === 'duplicate') return 'duplicate';
      lostSamples += lost;
      if (steps > 0) steps += lost;
    }
    reading.atMs = timeOf(reading.collar, atMs, row.t, steps);
    if (options.place !== undefined) reading.place = options.place;
    if (says) readings.push(reading);
    for (const { receiver, rssiDbm } of sightings) {
      const { collar, atMs: sightedMs } = reading;
      const sighting = { collar, atMs: sightedMs, place: receiver, sensor: receiver, rssiDbm };
      readings.push(row.truth === undefined ? sighting : { ...sighting, truth: row.truth });
    }
    return null;
  };
  return createLineDecoder(readLine, () => lostSamples);
}

function split(line: string): string[] {
  const separator = line.includes(',') ? ',' : line.includes(';') ? ';' : '\t';
  return line.split(separator);
}

/** A header line has two columns that we know, and no number. One known word is too little: noise has words too. */
function looksLikeHeader(cells: readonly string[]): boolean {
  if (cells.some((cell) => isNumber(cell.trim()))) return false;
  return cells.filter((cell) => columnOf(cell, 'g') !== null).length >= 2;
}

/** All cells of a row, or false: a bad value, or not all three axes. */
function fill(row: Row, columns: readonly (Column | null)[], cells: readonly string[]): boolean {
  for (const [i, column] of columns.entries()) {
    const cell = (cells[i] ?? '').trim();
    if (column !== null && cell !== '' && !column(row, cell)) return false;
  }
  const { axG, ayG, azG } = row.reading;
  return (axG === undefined) === (ayG === undefined) && (axG === undefined) === (azG === undefined);
}

/** What to do with a column of this name, or null where it is none of ours. */
function columnOf(header: string, unit: AccelerationUnit): Column | null {
  const name = nameOf(header);
  const axis = /^(a[xyz])(?:_(g|mg|ms2))?$/.exec(name);
  if (axis !== null) {
    const key = `${axis[1]}G` as 'axG' | 'ayG' | 'azG';
    const perG = countsPerG(axis[2] === undefined ? unit : axis[2] === 'ms2' ? 'm/s2' : (axis[2] as 'g' | 'mg'));
    return (row, cell) => set(row.reading, key, checkG(number(cell) / perG));
  }
  const receiver = /^rssi_(.+)$/.exec(name)?.[1];
  if (receiver !== undefined) {
    const known = checkName(receiver);
    return typeof known === 'string' ? (row, cell) => sight(row, known, checkRssi(number(cell))) : null;
  }
  return Object.hasOwn(plainColumns, name) ? (plainColumns[name] ?? null) : null;
}

function nameOf(header: string): string {
  return header.trim().replace(/^"(.*)"$/, '$1');
}

const truth: Column = (row, cell) => {
  const place = checkName(cell);
  if (typeof place === 'string') row.truth = place;
  return typeof place === 'string';
};

const time: Column = (row, cell) => {
  const t = checkMs(number(cell));
  if (typeof t === 'number') row.t = t;
  return typeof t === 'number';
};

const plainColumns: Readonly<Record<string, Column>> = {
  t: time,
  t_ms: time,
  collar(row, cell) {
    const collar = checkName(cell);
    if (typeof collar === 'string') row.collar = collar;
    return typeof collar === 'string';
  },
  n: (row, cell) => set(row.reading, 'counter', checkCounter(number(cell))),
  shake: (row, cell) => set(row.reading, 'shake', checkLevel(number(cell))),
  motion: (row, cell) => set(row.reading, 'motion', checkFlag(number(cell))),
  rssi: (row, cell) => set(row.reading, 'rssiDbm', checkRssi(number(cell))),
  battery: (row, cell) => set(row.reading, 'batteryPercent', checkPercent(number(cell))),
};

function set<K extends keyof Reading>(reading: Mutable<Reading>, key: K, value: Checked<NonNullable<Reading[K]>>) {
  if (value === undefined || value === BAD) return false;
  reading[key] = value;
  return true;
}

function sight(row: Row, receiver: string, rssiDbm: Checked<number>): boolean {
  if (typeof rssiDbm === 'number') row.sightings.push({ receiver, rssiDbm });
  return typeof rssiDbm === 'number';
}

/** A decimal number; NaN for any other text (Number would also take '0x10' and 'Infinity'). */
function number(cell: string): number {
  return isNumber(cell) ? Number(cell) : Number.NaN;
}

function isNumber(text: string): boolean {
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?$/.test(text);
}
