/** The last minute of a collar as a picture: how strong it moves and how sure the detector is, with thresholds and the shakes found. */
import { el, setText } from './dom.ts';
import type { LiveTrace } from './types.ts';

const WIDTH = 600;
const HEIGHT = 100;
const MINUTE_MS = 60_000;
/** Below this a plot of the level would be noise. */
const LEAST_TOP = { acceleration: 0.5, level: 0.5, edges: 4 } as const;
const UNITS = { acceleration: 'g', level: 'level of the collar', edges: 'edges of late' } as const;
const SVG = 'http://www.w3.org/2000/svg';

export interface LivePlot {
  readonly node: HTMLElement;
  show(trace: LiveTrace): void;
}

export function createLivePlot(): LivePlot {
  const level = createLane('How strong it moves');
  const sure = createLane('How sure it is that this is a shake');
  const axis = el(
    'p',
    { class: 'live-axis muted', 'aria-hidden': 'true' },
    el('span', {}, '60 s ago'),
    el('span', {}, 'now'),
  );
  return {
    node: el('div', { class: 'live-plot' }, level.node, sure.node, axis),
    show(trace) {
      const { measure, borders, columns } = trace;
      const named = measure ?? 'acceleration';
      const top = Math.max(LEAST_TOP[named], 1.25 * borders.level, ...columns.map((one) => one.level));
      level.show(trace, {
        unit: UNITS[named],
        top,
        shown: (column) => column.level,
        lines: [[borders.level, named === 'acceleration' ? 'goes on above' : 'a shake above']],
        digits: named === 'edges' ? 0 : 2,
      });
      const { onOdds, offOdds } = borders;
      sure.node.hidden = onOdds === null || offOdds === null;
      if (onOdds === null || offOdds === null) return;
      sure.show(trace, {
        unit: '%',
        top: 100,
        shown: ({ odds }) => (odds === null ? 0 : percentOf(odds)),
        lines: [
          [percentOf(onOdds), 'begins above'],
          [percentOf(offOdds), 'goes on above'],
        ],
        digits: 0,
      });
    },
  };
}

/** Of log-odds. */
export function percentOf(odds: number): number {
  return 100 / (1 + Math.exp(-odds));
}

interface Scale {
  readonly unit: string;
  readonly top: number;
  readonly shown: (column: LiveTrace['columns'][number]) => number;
  readonly lines: readonly (readonly [value: number, words: string])[];
  readonly digits: number;
}

function createLane(title: string) {
  const bursts = svg('g', { class: 'live-bursts' });
  const area = svg('path', { class: 'live-level' });
  const shaking = svg('path', { class: 'live-shaking' });
  const borders = svg('g', { class: 'live-borders' });
  // Stretched to its place; words stand beside it, so that they are not.
  const picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
  picture.append(bursts, area, shaking, borders);
  const scale = el('span', { class: 'muted' });
  const legend = el('figcaption', {}, el('strong', {}, title), ' ', scale);
  return {
    node: el('figure', { class: 'live-lane' }, legend, picture as unknown as HTMLElement),
    show(trace: LiveTrace, { unit, top, shown, lines, digits }: Scale) {
      const yOf = (value: number) => HEIGHT * (1 - Math.min(1, value / top));
      const xOf = (ms: number) => WIDTH * Math.max(0, 1 - (trace.nowMs - ms) / MINUTE_MS);
      const { columns, columnMs, nowMs } = trace;
      const pathOf = (column: LiveTrace['columns'][number]) => {
        const [from, to] = [xOf(column.no * columnMs), xOf((column.no + 1) * columnMs)];
        return `M${from.toFixed(1)} ${HEIGHT}V${yOf(shown(column)).toFixed(1)}H${to.toFixed(1)}V${HEIGHT}`;
      };
      const drawn = (isShaking: boolean) =>
        columns
          .filter((column) => column.shaking === isShaking)
          .map(pathOf)
          .join('');
      area.setAttribute('d', drawn(false));
      shaking.setAttribute('d', drawn(true));
      bursts.replaceChildren(
        ...trace.bursts.map(({ startMs, endMs }) => {
          const [from, to] = [xOf(startMs), xOf(endMs ?? nowMs)];
          // A short one is seen, too.
          return rect({ x: from, y: 0, width: Math.max(2, to - from), height: HEIGHT });
        }),
      );
      borders.replaceChildren(...lines.map(([value]) => svg('path', { d: `M0 ${yOf(value).toFixed(1)}H${WIDTH}` })));
      const words = lines.map(([value, what]) => `${what} ${value.toFixed(digits)}`).join(', ');
      setText(scale, `up to ${top.toFixed(digits)} ${unit}; ${words}`);
      picture.setAttribute('aria-label', `${title} in the last minute, ${scale.textContent}`);
    },
  };
}

function rect(of: Readonly<Record<string, number>>): SVGElement {
  return svg('rect', Object.fromEntries(Object.entries(of).map(([name, value]) => [name, value.toFixed(1)])));
}

function svg(tag: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const node = document.createElementNS(SVG, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
