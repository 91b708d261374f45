/** The charts of a report, as SVG without scripts: readable in print and without colour. */
import type { DayOfReport } from '../central/models/report.ts';
import { dayLabel } from './report-words.ts';

const WIDTH = 720;
const LEFT = 44;
const RIGHT = 8;
const HALF_HOUR_MS = 1_800_000;
const EMPTY = '#faf7f4';
const INK = '#26211d';
const MUTED = '#6c635b';
const LINE = '#e0d7cc';
const BAR = '#c9573a';
/** From few to many. */
const RAMP = ['#fbe7dc', '#f6c9b3', '#eda585', '#df7c58', '#b5452c'] as const;
const FONT = 'font-family="system-ui,sans-serif"';
const HATCH = `<defs><pattern id="unheard" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#f2eee9"/><line x1="0" y1="0" x2="0" y2="6" stroke="#a89c90" stroke-width="2"/></pattern></defs>`;

/** Meows a day, what is usual as a dashed line, and how much of each day the collar was not heard. */
export function dayChart(days: readonly DayOfReport[], usual: number | null, tz: string): string {
  const [top, height] = [22, 150];
  const most = niceCeiling(Math.max(1, usual ?? 0, ...days.map(({ meows }) => meows)));
  const step = (WIDTH - LEFT - RIGHT) / days.length;
  const y = (value: number) => top + height - (height * value) / most;
  const grid = [0, most / 2, most].map(
    (value) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${n(y(value))}" y2="${n(y(value))}" stroke="${LINE}"/>` +
      text(LEFT - 6, y(value) + 4, String(value), { anchor: 'end', size: 11, fill: MUTED }),
  );
  const every = Math.ceil(days.length / 10);
  const bars = days.map((day, i) => {
    const x = LEFT + i * step;
    const width = Math.min(64, step * 0.7);
    const at = x + (step - width) / 2;
    const unheard = day.unheardMs / (day.toMs - day.fromMs);
    const shade =
      unheard < 0.02
        ? ''
        : `<rect x="${n(x)}" y="${n(top + height * (1 - unheard))}" width="${n(step)}" height="${n(height * unheard)}" fill="url(#unheard)"/>`;
    const bar = `<rect x="${n(at)}" y="${n(y(day.meows))}" width="${n(width)}" height="${n(top + height - y(day.meows))}" rx="2" fill="${BAR}"/>`;
    const count =
      days.length > 31 ? '' : text(x + step / 2, y(day.meows) - 5, String(day.meows), { size: 11, isTotal: true });
    const label = i % every === 0 ? text(x + step / 2, top + height + 16, dayLabel(day.fromMs, tz), { size: 11 }) : '';
    return { back: shade + bar, front: count + label };
  });
  const line =
    usual === null
      ? ''
      : `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${n(y(usual))}" y2="${n(y(usual))}" stroke="${INK}" stroke-dasharray="5 4"/>`;
  const layer = (name: 'back' | 'front') => bars.map((bar) => bar[name]).join('');
  return svg(top + height + 26, 'Shakes a day', HATCH + grid.join('') + layer('back') + line + layer('front'));
}

/** One row a day, one column an hour; above it all days together. */
export function hourChart(days: readonly DayOfReport[], tz: string): string {
  const left = 78;
  const sums = Array.from({ length: 24 }, (_, hour) => days.reduce((sum, { hours }) => sum + (hours[hour] ?? 0), 0));
  const mostOfAll = Math.max(1, ...sums);
  const most = Math.max(1, ...days.flatMap(({ hours }) => hours.map((count) => count ?? 0)));
  const step = (WIDTH - left - RIGHT) / 24;
  const rowHeight = days.length > 14 ? 16 : 24;
  const [barTop, barHeight] = [16, 44];
  const top = barTop + barHeight + 22;
  const columns = sums.map((sum, hour) => {
    const x = left + hour * step;
    const height = (barHeight * sum) / mostOfAll;
    const bar = `<rect x="${n(x + 2)}" y="${n(barTop + barHeight - height)}" width="${n(step - 4)}" height="${n(height)}" rx="1.5" fill="${BAR}"/>`;
    const count = sum === 0 ? '' : text(x + step / 2, barTop + barHeight - height - 4, String(sum), { size: 10 });
    const label = hour % 3 === 0 ? text(x + step / 2, top - 6, `${hour}:00`, { size: 10, fill: MUTED }) : '';
    return bar + count + label;
  });
  const rows = days.map((day, i) => {
    const y = top + i * rowHeight;
    const cells = day.hours.map((count, hour) => {
      if (count === null) return '';
      const x = left + hour * step;
      const isUnheard = count === 0 && (day.unheardHours[hour] ?? 0) >= HALF_HOUR_MS;
      const level = RAMP[Math.min(4, Math.floor((5 * (count - 1)) / most))] ?? RAMP[4];
      const shade = isUnheard ? 'url(#unheard)' : count === 0 ? EMPTY : level;
      const cell = `<rect x="${n(x + 1)}" y="${n(y + 1)}" width="${n(step - 2)}" height="${rowHeight - 2}" rx="2" fill="${shade}"/>`;
      const fill = level === RAMP[4] || level === RAMP[3] ? '#ffffff' : INK;
      return count === 0 ? cell : cell + text(x + step / 2, y + rowHeight / 2 + 4, String(count), { size: 10, fill });
    });
    return (
      text(left - 8, y + rowHeight / 2 + 4, dayLabel(day.fromMs, tz), { anchor: 'end', size: 11 }) + cells.join('')
    );
  });
  const all = text(left - 8, barTop + barHeight - 4, 'all days', { anchor: 'end', size: 11, fill: MUTED });
  return svg(top + days.length * rowHeight + 4, 'Shakes by hour of the day', columns.join('') + all + rows.join(''));
}

interface TextStyle {
  readonly size: number;
  readonly anchor?: 'middle' | 'end';
  readonly fill?: string;
  /** Bold, and white around it: lines run behind it. */
  readonly isTotal?: true;
}

/** `words` are numbers and dates of ours. */
function text(
  x: number,
  y: number,
  words: string,
  { size, anchor = 'middle', fill = INK, isTotal }: TextStyle,
): string {
  const total = ' font-weight="600" paint-order="stroke" stroke="#ffffff" stroke-width="3"';
  return `<text x="${n(x)}" y="${n(y)}" font-size="${size}" text-anchor="${anchor}" fill="${fill}"${isTotal === true ? total : ''}>${words}</text>`;
}

function svg(height: number, title: string, inner: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${n(height)}" role="img" aria-label="${title}" ${FONT}><title>${title}</title>${inner}</svg>`;
}

/** What reads well at the side of a chart, and halved. */
function niceCeiling(value: number): number {
  if (value <= 2) return 2;
  const ten = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 6, 8, 10].map((factor) => factor * ten).find((nice) => nice >= value) ?? 10 * ten;
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}
