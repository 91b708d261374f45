/** The cards of the cats: now, or as of a moment. */
import type { Activity } from './activity.ts';
import { agoElement, clockTime, setAgo, setStale } from './ago.ts';
import { byId, el, keyed, setText } from './dom.ts';
import { drawHeat } from './heat.ts';
import { showAvatar } from './pictures.ts';
import type { Cat } from './types.ts';

/** As many as page.css has. */
const HUES = 8;
/** Agents say every minute which collars they hear: one that is missing from a few of their words is worth a look. */
const STALE_MS = 5 * 60_000;

export interface CatsView {
  readonly cats: readonly Cat[];
  /** Null: not told. */
  readonly activity: Activity | null;
  /** Percent, by collar. */
  readonly batteries: ReadonlyMap<string, number>;
  /** The address of its picture, or null. */
  readonly pictureOf: (catId: number) => string | null;
  /** The moment that they are shown as of; null: now. */
  readonly moment: string | null;
}

export function hueOf(catId: number): string {
  return `hue-${(catId - 1) % HUES}`;
}

export function showCats(view: CatsView): void {
  const { cats, activity, moment } = view;
  const list = byId('cats', HTMLUListElement);
  byId('empty', HTMLDivElement).hidden = cats.length > 0 || moment !== null;
  byId('none-then', HTMLParagraphElement).hidden = cats.length > 0 || moment === null;
  list.hidden = cats.length === 0;
  list.removeAttribute('aria-busy');
  const shaking = cats.filter((cat) => cat.isMeowed).length;
  const many = `${cats.length} ${cats.length === 1 ? 'cat' : 'cats'}`;
  const sum = cats.length === 0 ? '' : `${many}, ${shaking === 0 ? 'none' : shaking} shaking`;
  setText(byId('cats-sum', HTMLParagraphElement), sum);
  const busiest = Math.max(0, ...cats.flatMap(({ id }) => activity?.of(id).hours ?? []));
  keyed(
    list,
    cats,
    (cat) => String(cat.id),
    makeCard,
    (card, cat) => updateCard(card, cat, view, busiest),
  );
}

function makeCard(cat: Cat): HTMLElement {
  const fact = (name: string, value: HTMLElement, note: string) =>
    el('div', {}, el('dt', { class: `${value.className}-when` }, name), value, el('dd', { class: `note ${note}` }));
  return el(
    'li',
    { class: `cat card ${hueOf(cat.id)}` },
    el('span', { class: 'avatar', 'aria-hidden': 'true' }),
    el(
      'div',
      { class: 'cat-who' },
      el('h3', {}, el('a', { href: `#/cats/${cat.id}` })),
      el('p', { class: 'place' }, el('span'), ' ', el('small', { class: 'muted' })),
    ),
    el('button', { class: 'fix', type: 'button' }, 'Correct'),
    el('p', { class: 'shaking' }),
    el(
      'dl',
      { class: 'facts' },
      fact('last seen', el('dd', { class: 'seen' }, agoElement(null)), 'stale'),
      fact('meows today', el('dd', { class: 'meows' }), 'usual'),
      fact('battery', el('dd', { class: 'battery' }), 'charge'),
    ),
    el('div', { class: 'heat-box' }, el('div', { class: 'heat', role: 'img' }), el('p', { class: 'heat-ends muted' })),
    el('ul', { class: 'badges' }),
  );
}

function updateCard(card: HTMLElement, cat: Cat, view: CatsView, busiest: number): void {
  const part = (selector: string) => (card.querySelector(selector) ?? card) as HTMLElement;
  const isPast = view.moment !== null;
  card.classList.toggle('is-shaking', cat.isMeowed);
  card.classList.toggle('is-silent', cat.silent);
  showAvatar(part('.avatar'), cat, view.pictureOf(cat.id));
  setText(part('h3 a'), cat.name);
  setText(part('.place span'), cat.location ?? 'place unknown');
  setText(part('.place small'), cat.locationSince === null ? '' : `since ${clockTime(cat.locationSince)}`);
  // What was is corrected where it stands in the timeline.
  part('.fix').hidden = isPast;
  part('.fix').setAttribute('aria-label', `Correct where ${cat.name} is`);
  part('.shaking').hidden = !cat.isMeowed;
  setText(part('.shaking'), isPast ? 'was shaking' : 'shaking now');
  showSeen(part('.seen'), part('.stale'), cat, isPast);
  setText(part('.meows-when'), isPast ? 'meows that day' : 'meows today');
  setText(part('.meows'), String(cat.meowsToday));
  showUsual(part('.usual'), cat, view.activity);
  showBattery(part('.battery'), part('.charge'), cat, view);
  showHeat(card, cat, view.activity, busiest);
  keyed(
    part('.badges'),
    badgesOf(cat),
    (text) => text,
    (text) => el('li', { class: 'badge warn' }, text),
    () => undefined,
  );
  part('.badges').hidden = part('.badges').children.length === 0;
}

function showSeen(value: HTMLElement, note: HTMLElement, cat: Cat, isPast: boolean): void {
  const time = value.querySelector('time');
  if (time === null) return;
  setAgo(time, cat.lastHeard, isPast);
  setStale(time, note, isPast ? Number.POSITIVE_INFINITY : STALE_MS);
}

function showUsual(note: HTMLElement, { id, meowsToday }: Cat, activity: Activity | null): void {
  const usual = activity?.of(id).usual ?? null;
  const isMuch = usual !== null && meowsToday >= 2 * usual.meows + 3;
  note.classList.toggle('warn', isMuch);
  setText(note, usual === null ? '' : `${isMuch ? '↑ ' : ''}usually ${usual.meows}`);
  note.title = usual === null ? '' : `by this time of day: the median of ${usual.ofDays} days`;
}

function showBattery(value: HTMLElement, note: HTMLElement, cat: Cat, { batteries, moment }: CatsView): void {
  // What agents say of it is not kept, so of the past only that it was low is known.
  const percent = moment === null && cat.collar !== null ? batteries.get(cat.collar) : undefined;
  const isLow = cat.batteryLow || (cat.alerts ?? []).some(({ rule }) => rule === 'battery');
  value.classList.toggle('warn', isLow);
  note.classList.toggle('warn', isLow);
  setText(value, percent === undefined ? (isLow ? 'low' : '–') : `${percent}\u00a0%`);
  value.title = percent === undefined && !isLow ? 'its collar does not tell' : '';
  setText(note, percent !== undefined && isLow ? 'low' : '');
}

function showHeat(card: HTMLElement, { id }: Cat, activity: Activity | null, busiest: number): void {
  const box = card.querySelector<HTMLElement>('.heat-box');
  const strip = card.querySelector<HTMLElement>('.heat');
  const ends = card.querySelector('.heat-ends');
  if (box === null || strip === null || ends === null) return;
  box.classList.toggle('waits', activity === null);
  if (activity === null) return;
  drawHeat(strip, activity, activity.of(id).hours, busiest);
  const labels = [0, 6, 12, 18].map((i) => el('span', {}, activity.hours[i] ?? ''));
  ends.replaceChildren(...labels);
}

/** The alerts of the watchdog, and what the collar says where no rule says it already. */
export function badgesOf(cat: Cat): string[] {
  const alerts = cat.alerts ?? [];
  const told = (rule: string) => alerts.some((alert) => alert.rule === rule);
  return [
    ...(cat.batteryLow && !told('battery') ? ['battery low'] : []),
    ...(cat.silent && !told('silent') ? ['collar silent'] : []),
    ...(cat.collar === null ? ['no collar'] : []),
    ...new Set(alerts.map((alert) => alert.text)),
  ];
}
