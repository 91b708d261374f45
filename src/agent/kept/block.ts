/**
 * What the detectors were given and what they decided, as lines of text. A block stands by itself: names and numbers are told anew in
 * each. Numbers are kept as whole multiples of a small step, so a reading is rounded to what is kept before any detector sees it:
 * what is kept is what was decided on, to the last bit.
 */
import type { Reading } from '../decoder/reading.ts';
import type { Detection } from '../detector/detection.ts';
import type { RememberedCollar, WatchInput } from '../detector/watch.ts';
import type { DetectorNames } from '../detector-names.ts';

/** The first line of a block. */
export interface BlockHead {
  readonly kept: 1;
  /** Of one run of the agent, and the number of the block in it: a number that is missing was not kept. */
  readonly run: string;
  readonly block: number;
  /** From the clock of the readings to wall time, and whether that was set. */
  readonly offsetMs: number;
  readonly synced: boolean;
  readonly detectors: DetectorNames;
  /** What was known before its first line. Absent: it goes on where the block before ended. */
  readonly start?: {
    /** The agent began here: nothing else was known. */
    readonly whole: boolean;
    readonly collars: readonly RememberedCollar[];
  };
}

export interface KeptEntry {
  readonly input: WatchInput;
  /** What was decided on it. */
  readonly detections: readonly Detection[];
}

export interface KeptBlock {
  readonly head: BlockHead;
  readonly entries: readonly KeptEntry[];
}

/** Steps in one unit, by field: times to a microsecond, acceleration to a thousandth of g, as most receivers tell it. */
const STEPS = {
  atMs: 1_000,
  counter: 1,
  axG: 1_000,
  ayG: 1_000,
  azG: 1_000,
  shake: 10_000,
  edges: 1,
  moveCount: 1,
  rssiDbm: 100,
  batteryPercent: 100,
} as const;
type Field = keyof typeof STEPS;
const FIELDS = Object.keys(STEPS) as readonly Field[];
const STEPS_OF = FIELDS.map((field) => STEPS[field]);
/** The number of the field `atMs`. */
const AT = 0;

/** The input as it will be read again. `truth` is for calibrations and is not kept. */
export function roundInput(input: WatchInput): WatchInput {
  if (input.type !== 'reading') return { type: input.type, atMs: rounded(input.atMs, STEPS.atMs) };
  const { truth, ...reading } = input.reading as Mutable<Reading>;
  for (let i = 0; i < FIELDS.length; i += 1) {
    const field = FIELDS[i] as Field;
    const value = reading[field];
    if (value !== undefined) reading[field] = rounded(value, STEPS_OF[i] as number);
  }
  return { type: 'reading', reading };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function rounded(value: number, steps: number): number {
  // No negative zero: it would come back as another one.
  return Math.round(value * steps) / steps + 0;
}

/** What readings of one kind have in common, told once. */
interface Shape {
  readonly no: number;
  /** By their numbers. */
  readonly fields: readonly number[];
  readonly last: Last;
}

/** Of a collar, in steps by field: what numbers are told as a difference to. */
interface Last {
  readonly values: number[];
  stepUs: number;
}

export interface BlockWriter {
  /** An input as `roundInput` gives it. */
  add(input: WatchInput, detections: readonly Detection[]): void;
  readonly characters: number;
  text(): string;
}

export function createBlockWriter(head: BlockHead): BlockWriter {
  let text = `${JSON.stringify(head)}\n`;
  const shapes = new Map<string, Shape>();
  const lasts = createLasts();
  const shapeOf = (reading: Reading): Shape => {
    const { collar, place, sensor, motion } = reading;
    let mask = 0;
    for (let i = 0; i < FIELDS.length; i += 1) if (reading[FIELDS[i] as Field] !== undefined) mask |= 1 << i;
    // With the lengths of what comes first: names may hold anything.
    const key = `${mask},${collar.length},${place?.length},${motion},${collar}${place}${sensor}`;
    const known = shapes.get(key);
    if (known !== undefined) return known;
    const fields = FIELDS.flatMap((_field, i) => ((mask >> i) & 1 ? [i] : []));
    const shape = { no: shapes.size, fields, last: lasts.of(collar) };
    shapes.set(key, shape);
    text += `=${JSON.stringify({ collar, place, sensor, motion, fields: fields.map((i) => FIELDS[i]) })}\n`;
    return shape;
  };
  return {
    add(input, detections) {
      if (input.type === 'reading') {
        const { no, fields, last } = shapeOf(input.reading);
        let line = `${no}`;
        for (const i of fields) line += ` ${difference(last, i, input.reading[FIELDS[i] as Field] ?? 0)}`;
        text += `${line}\n`;
      } else text += `${input.type} ${difference(lasts.of(TIME), AT, input.atMs)}\n`;
      for (const detection of detections) text += `!${JSON.stringify(detection)}\n`;
    },
    get characters() {
      return text.length;
    },
    text: () => text,
  };
}

/** Null where it is not a block that this program knows. */
export function readBlock(text: string): KeptBlock | null {
  const [first = '', ...lines] = text.split('\n');
  const head = parseHead(first);
  if (head === null || lines.pop() !== '') return null;
  const shapes: (Shape & { readonly constant: Partial<Reading> & { readonly collar: string } })[] = [];
  const lasts = createLasts();
  const entries: { readonly input: WatchInput; detections: Detection[] }[] = [];
  for (const line of lines) {
    if (line.startsWith('=')) {
      const { fields, ...constant } = JSON.parse(line.slice(1)) as Reading & { readonly fields: readonly Field[] };
      const numbers = fields.map((field) => FIELDS.indexOf(field));
      if (numbers.includes(-1)) return null;
      shapes.push({ no: shapes.length, fields: numbers, last: lasts.of(constant.collar), constant });
      continue;
    }
    if (line.startsWith('!')) {
      entries.at(-1)?.detections.push(JSON.parse(line.slice(1)) as Detection);
      continue;
    }
    const [what = '', ...numbers] = line.split(' ');
    if (what === 'tick' || what === 'end') {
      const atMs = summed(lasts.of(TIME), AT, Number(numbers[0]));
      entries.push({ input: { type: what, atMs }, detections: [] });
      continue;
    }
    const shape = shapes[Number(what)];
    if (shape === undefined) return null;
    const reading: Mutable<Reading> = { ...shape.constant, atMs: 0 };
    shape.fields.forEach((field, i) => {
      reading[FIELDS[field] as Field] = summed(shape.last, field, Number(numbers[i]));
    });
    entries.push({ input: { type: 'reading', reading }, detections: [] });
  }
  return { head, entries };
}

/** Where ticks have their times; no collar is called so, for lines end there. */
const TIME = '\n';

function createLasts() {
  const lasts = new Map<string, Last>();
  return {
    of(collar: string): Last {
      const known = lasts.get(collar) ?? { values: FIELDS.map(() => 0), stepUs: 0 };
      lasts.set(collar, known);
      return known;
    },
  };
}

/** To the value before; of times, to the step before: an even rate is a row of zeros. */
function difference(last: Last, field: number, value: number): number {
  const steps = Math.round(value * (STEPS_OF[field] as number));
  const by = steps - (last.values[field] as number);
  last.values[field] = steps;
  if (field !== AT) return by;
  const told = by - last.stepUs;
  last.stepUs = by;
  return told;
}

function summed(last: Last, field: number, told: number): number {
  const by = field === AT ? told + last.stepUs : told;
  if (field === AT) last.stepUs = by;
  const steps = (last.values[field] as number) + by;
  last.values[field] = steps;
  return steps / (STEPS_OF[field] as number);
}

function parseHead(line: string): BlockHead | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Another program's gzip file.
    return null;
  }
  const isHead = typeof value === 'object' && value !== null && 'kept' in value && value.kept === 1;
  return isHead ? (value as BlockHead) : null;
}
