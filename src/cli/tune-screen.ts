/** One screen of `collard tune`, as lines of text that fit: pure, so that it can be looked at without a terminal. */
import { levelBorder } from '../agent/detector/shake-view.ts';
import { paint, safe } from './output.ts';
import { COLUMN_MS, type Column, type TuneView } from './tune-model.ts';
import { SHAKES, type Wizard } from './tune-wizard.ts';

export interface Frame {
  readonly columns: number;
  readonly rows: number;
  /** Above the picture: who is looked at, and how. */
  readonly title: string;
  /** What the wizard asks for, or nothing. */
  readonly prompt: readonly string[];
}

const BARS = ' ▁▂▃▄▅▆▇█';
/** In front of the picture: the scale. */
const MARGIN = 7;
const LEAST_TOP = 0.5;
/** Log-odds that are an empty and a full bar. */
const LEAST_ODDS = -4;
const MOST_ODDS = 4;
const MOST_PLOT_ROWS = 10;

export function screenOf(view: TuneView, frame: Frame): string[] {
  const { columns, rows, title, prompt } = frame;
  const width = Math.max(10, columns - MARGIN);
  const shown = view.columns.slice(-width);
  const head = [safe(title), factsOf(view), ...view.warnings.map((text) => paint(`! ${text}`, 'yellow'))];
  const foot = [...meowsOf(view), '', ...prompt];
  const plotRows = Math.max(3, Math.min(MOST_PLOT_ROWS, rows - head.length - foot.length - 5));
  const picture = [
    ...plotOf(view, shown, plotRows),
    `${'sure'.padEnd(MARGIN)}${shown.map(sureOf).join('')}`,
    `${'meow'.padEnd(MARGIN)}${shown.map(({ shaking }) => (shaking ? '█' : '·')).join('')}`,
    `${' '.repeat(MARGIN)}${axisOf(shown.length)}`,
  ];
  return [...head, '', ...picture, ...foot].slice(0, rows).map((line) => fitted(line, columns));
}

/** What the wizard wants of who holds the collar. */
export function askedOf({ phase, leftMs, asked, seen, found }: Wizard): readonly string[] {
  if (phase === 'rest') return [`Let the collar lie still: ${Math.ceil(leftMs / 1_000)} s`];
  if (phase === 'done') return ['Looking what fits …'];
  const [shakeS, pauseS] = [asked.shakeMs / 1_000, asked.pauseMs / 1_000];
  return [
    `Shake the collar now, ${SHAKES} times, ${shakeS} s each, with ${pauseS} s of rest between.`,
    `${seen} seen, ${found} meows. Enter: done`,
  ];
}

function factsOf({ level, odds, measure, shaking, rateHz, restG, meowCount }: TuneView): string {
  const facts = [
    measure === 'edges' ? `${level} edges of late` : `level ${level.toFixed(2)}`,
    odds === null ? null : `sure ${odds.toFixed(1)}`,
    rateHz === null ? null : `${rateHz.toFixed(1)} Hz`,
    restG !== null ? `at rest ${restG.toFixed(2)} g` : measure === 'acceleration' ? 'not at rest yet' : null,
    `${meowCount} ${meowCount === 1 ? 'meow' : 'meows'}`,
    shaking ? paint('SHAKES', 'green') : null,
  ];
  return facts.filter((one) => one !== null).join('   ');
}

/** Bars of the level; the border above which a shake goes on is a dashed line behind them. */
function plotOf({ borders, measure }: TuneView, shown: readonly Column[], rows: number): string[] {
  const border = levelBorder(borders, measure ?? 'level');
  const top = Math.max(LEAST_TOP, 1.25 * border, ...shown.map(({ level }) => level));
  const borderRow = rows - 1 - Math.min(rows - 1, Math.floor((border / top) * rows));
  return Array.from({ length: rows }, (_, row) => {
    const cells = shown.map(({ level }) => {
      const eighths = Math.round(((level / top) * rows - (rows - 1 - row)) * 8);
      const bar = BARS[Math.max(0, Math.min(8, eighths))] ?? ' ';
      return bar === ' ' && row === borderRow ? '┄' : bar;
    });
    const scale = row === 0 ? top.toFixed(2) : row === borderRow ? border.toFixed(2) : '';
    return `${scale.padStart(MARGIN - 2)} ${row === borderRow ? '┄' : ' '}${cells.join('')}`;
  });
}

function sureOf({ odds }: Column): string {
  if (odds === null) return ' ';
  const share = (odds - LEAST_ODDS) / (MOST_ODDS - LEAST_ODDS);
  return BARS[Math.max(1, Math.min(8, Math.round(share * 8)))] ?? ' ';
}

function axisOf(length: number): string {
  const text = `-${Math.round((length * COLUMN_MS) / 1_000)} s`;
  return length < text.length + 4 ? '' : `${text}${'now'.padStart(length - text.length)}`;
}

function meowsOf({ meows, atMs }: TuneView): string[] {
  return [...meows].reverse().map(({ startMs, endMs, peakG }) => {
    const ago = `${(((atMs ?? startMs) - startMs) / 1_000).toFixed(1)} s ago`.padStart(14);
    return endMs === null
      ? `${ago}  goes on`
      : `${ago}  ${((endMs - startMs) / 1_000).toFixed(2)} s  ${(peakG ?? 0).toFixed(1)} g`;
  });
}

/** Colour takes no room. */
function fitted(line: string, columns: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is how colour begins
  const plain = line.replace(/\u001b\[\d+m/g, '');
  return plain.length <= columns ? line : plain.slice(0, columns);
}
