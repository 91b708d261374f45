/** The last 14 days as bars, a part for each cat; a day is a button that shows its events. The same as tables, and the hours too. */
import type { Activity } from './activity.ts';
import { hueOf } from './cats.ts';
import { byId, el, keyed, setText } from './dom.ts';
import type { Cat } from './types.ts';

export interface DaysView {
  readonly cats: readonly Cat[];
  /** Null: not told. */
  readonly activity: Activity | null;
}

export interface Days {
  show(view: DaysView): void;
}

/** `chosen`: somebody wants to see a day. */
export function createDays(chosen: (day: string) => void): Days {
  const list = byId('days', HTMLOListElement);
  const tables = byId('days-tables', HTMLDetailsElement);
  let latest: DaysView = { cats: [], activity: null };
  list.addEventListener('click', ({ target }) => {
    const day = target instanceof Element ? target.closest('li')?.dataset.key : undefined;
    if (day !== undefined) chosen(day);
  });
  // Tables are long: they are made for who wants them.
  const showTables = () => {
    const { cats, activity } = latest;
    if (!tables.open || activity === null) return;
    const day = activity.days.map(dayName);
    byId('days-table', HTMLDivElement).replaceChildren(
      tableOf('Meows a day', 'Day', day, cats, (cat) => activity.of(cat.id).days),
      tableOf('Meows an hour', 'Hour from', activity.hours, cats, (cat) => activity.of(cat.id).hours),
    );
  };
  tables.addEventListener('toggle', showTables);
  return {
    show(view) {
      latest = view;
      const { cats, activity } = view;
      byId('days-section', HTMLElement).hidden = cats.length === 0;
      if (activity === null) return;
      showBars(list, cats, activity);
      keyed(
        byId('days-legend', HTMLUListElement),
        cats,
        (cat) => String(cat.id),
        makeLegend,
        (node, cat) => setText(node.querySelector('.who') ?? node, cat.name),
      );
      showTables();
    },
  };
}

interface Day {
  readonly day: string;
  readonly parts: readonly { readonly cat: Cat; readonly meows: number }[];
  readonly meows: number;
}

function showBars(list: HTMLElement, cats: readonly Cat[], activity: Activity): void {
  const counts = cats.map((cat) => ({ cat, meows: activity.of(cat.id).days }));
  const days = activity.days.map((day, i): Day => {
    const parts = counts.map(({ cat, meows }) => ({ cat, meows: meows[i] ?? 0 }));
    return { day, parts, meows: parts.reduce((sum, { meows }) => sum + meows, 0) };
  });
  const most = Math.max(...days.map(({ meows }) => meows));
  const words = most === 0 ? `none in ${days.length} days` : `most in a day: ${most}`;
  setText(byId('days-most', HTMLParagraphElement), words);
  keyed(
    list,
    days,
    ({ day }) => day,
    ({ day }) =>
      el(
        'li',
        { class: 'day' },
        el('button', { type: 'button' }, el('span', { class: 'bar' })),
        el('span', { class: 'day-of', 'aria-hidden': 'true' }, day.slice(8).replace(/^0/, '')),
      ),
    (node, day) => updateDay(node, day, most, day === days.at(-1)),
  );
}

function updateDay(node: HTMLElement, { day, parts, meows }: Day, most: number, isLast: boolean): void {
  const button = node.querySelector('button');
  const bar = node.querySelector<HTMLElement>('.bar');
  if (button === null || bar === null) return;
  const told = parts.filter((part) => part.meows > 0).map((part) => `${part.cat.name} ${part.meows}`);
  const words = `${dayName(day)}: ${meows === 1 ? '1 meow' : `${meows} meows`}${told.length > 1 ? ` (${told.join(', ')})` : ''}`;
  button.title = words;
  button.setAttribute('aria-label', `${words}. Show this day`);
  node.classList.toggle('is-running', isLast);
  bar.style.height = `${(meows / Math.max(1, most)) * 100}%`;
  keyed(
    bar,
    parts.filter((part) => part.meows > 0).toReversed(),
    ({ cat }) => String(cat.id),
    ({ cat }) => el('span', { class: hueOf(cat.id) }),
    (part, { meows: height }) => {
      part.style.flexGrow = String(height);
    },
  );
}

function makeLegend(cat: Cat): HTMLElement {
  return el(
    'li',
    { class: hueOf(cat.id) },
    el('span', { class: 'swatch', 'aria-hidden': 'true' }),
    el('span', { class: 'who' }),
  );
}

function tableOf(
  caption: string,
  first: string,
  rows: readonly string[],
  cats: readonly Cat[],
  countsOf: (cat: Cat) => readonly number[],
): HTMLElement {
  const head = el(
    'tr',
    {},
    el('th', { scope: 'col' }, first),
    ...cats.map(({ name }) => el('th', { scope: 'col' }, name)),
  );
  const counts = cats.map(countsOf);
  const body = rows.map((name, i) =>
    el('tr', {}, el('th', { scope: 'row' }, name), ...counts.map((count) => el('td', {}, String(count[i] ?? 0)))),
  );
  // The newest first, as in the timeline.
  const table = el('table', {}, el('caption', {}, caption), el('thead', {}, head), el('tbody', {}, ...body.reverse()));
  // With many cats it is wider than its place, and then scrolled by keyboard.
  return el(
    'div',
    { class: 'table-box', role: 'region', 'aria-label': `${caption}, as a table`, tabindex: '0' },
    table,
  );
}

/** `2026-11-20` → `Fri 20 Nov`: a day, whatever the zone of who looks. */
function dayName(day: string): string {
  return new Date(`${day}T12:00:00Z`).toLocaleDateString(undefined, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    timeZone: 'UTC',
  });
}
