/** Shakes of then and of now over the same readings, as a picture: what is added, removed and moved has a colour of its own. */
import { clockTime } from './ago.ts';
import { el } from './dom.ts';
import type { Compared } from './types.ts';

const WIDTH = 600;
const PLOT = 80;
/** Top of the rows. */
const ROWS = { past: 86, anew: 104 } as const;
const ROW = 14;
const HEIGHT = 120;
/** Below this a plot of the level would be noise. */
const LEAST_TOP = 0.5;
const SVG = 'http://www.w3.org/2000/svg';

export function drawCompared(compared: Compared): HTMLElement {
  const { levels, fromMs, toMs, past, anew, changes } = compared;
  const top = levels.reduce((most, level) => Math.max(most, level), LEAST_TOP);
  const step = WIDTH / Math.max(1, levels.length);
  const d = levels.map((level, i) => {
    const y = PLOT * (1 - Math.min(1, level / top));
    return level === 0
      ? ''
      : `M${(i * step).toFixed(1)} ${PLOT}V${y.toFixed(1)}H${((i + 1) * step).toFixed(1)}V${PLOT}`;
  });
  const kinds = {
    past: new Map(changes.flatMap(({ what, before }) => (before === null ? [] : [[before[0], what] as const]))),
    anew: new Map(changes.flatMap(({ what, after }) => (after === null ? [] : [[after[0], what] as const]))),
  };
  const marks = (row: 'past' | 'anew') =>
    (row === 'past' ? past : anew).map(([startMs, endMs]) => {
      const from = (WIDTH * startMs) / (toMs - fromMs);
      const wide = Math.max(2, (WIDTH * ((endMs ?? startMs) - startMs)) / (toMs - fromMs));
      const place = { x: from.toFixed(1), y: String(ROWS[row]), width: wide.toFixed(1), height: String(ROW) };
      return svg('rect', { ...place, class: `compare-${kinds[row].get(startMs) ?? 'same'}` });
    });
  const title = `${past.length} shakes then, ${anew.length} now`;
  const picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
  picture.setAttribute('aria-label', title);
  picture.append(svg('path', { class: 'live-level', d: d.join('') }), ...marks('past'), ...marks('anew'));
  const moment = (ms: number) => clockTime(new Date(ms).toISOString());
  const legend = (['added', 'removed', 'moved', 'same'] as const).map((what) =>
    el('span', { class: `compare-key compare-${what}` }, what),
  );
  return el(
    'figure',
    { class: 'live-lane compare-lane' },
    el(
      'figcaption',
      {},
      el('strong', {}, 'Then above, now below'),
      ' ',
      el('span', { class: 'muted' }, `up to ${top.toFixed(2)}`),
      ...legend,
    ),
    picture as unknown as HTMLElement,
    el(
      'p',
      { class: 'live-axis muted', 'aria-hidden': 'true' },
      el('span', {}, moment(fromMs)),
      el('span', {}, moment(toMs)),
    ),
  );
}

function svg(tag: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const node = document.createElementNS(SVG, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
