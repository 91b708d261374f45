/** The cards of the cats. */
import { agoElement, clockTime, setAgo } from './ago.ts';
import { byId, el, keyed, setText } from './dom.ts';
import type { Cat } from './types.ts';

/** As many as page.css has. */
const HUES = 8;

export function hueOf(catId: number): string {
  return `hue-${(catId - 1) % HUES}`;
}

export function showCats(cats: readonly Cat[]): void {
  const list = byId('cats', HTMLUListElement);
  byId('empty', HTMLDivElement).hidden = cats.length > 0;
  list.hidden = cats.length === 0;
  const shaking = cats.filter((cat) => cat.isMeowed).length;
  const sum =
    cats.length === 0
      ? ''
      : `${cats.length} ${cats.length === 1 ? 'cat' : 'cats'}, ${shaking === 0 ? 'none' : shaking} shaking`;
  setText(byId('cats-sum', HTMLParagraphElement), sum);
  keyed(list, cats, (cat) => String(cat.id), makeCard, updateCard);
}

function makeCard(cat: Cat): HTMLElement {
  return el(
    'li',
    { class: `cat card ${hueOf(cat.id)}` },
    el('span', { class: 'avatar', 'aria-hidden': 'true' }),
    el(
      'div',
      { class: 'cat-who' },
      el('h3', {}, el('a', { href: `#/cats/${cat.id}` })),
      el(
        'p',
        { class: 'place' },
        el('span'),
        el('small', { class: 'muted' }),
        el('button', { class: 'fix', type: 'button' }, 'Correct'),
      ),
    ),
    el('p', { class: 'shaking' }, 'shaking now'),
    el(
      'dl',
      { class: 'facts' },
      el('div', {}, el('dt', {}, 'last seen'), el('dd', {}, agoElement(null))),
      el('div', {}, el('dt', {}, 'meows today'), el('dd', { class: 'meows' })),
    ),
    el('ul', { class: 'badges' }),
  );
}

function updateCard(card: HTMLElement, cat: Cat): void {
  const part = (selector: string) => card.querySelector(selector) ?? card;
  card.classList.toggle('is-shaking', cat.isMeowed);
  card.classList.toggle('is-silent', cat.silent);
  setText(part('.avatar'), firstLetter(cat.name));
  setText(part('h3 a'), cat.name);
  setText(part('.place span'), cat.location ?? 'place unknown');
  setText(part('.place small'), cat.locationSince === null ? '' : `since ${clockTime(cat.locationSince)}`);
  part('.fix').setAttribute('aria-label', `Correct where ${cat.name} is`);
  setText(part('.meows'), String(cat.meowsToday));
  const seen = card.querySelector<HTMLTimeElement>('.facts time');
  if (seen !== null) setAgo(seen, cat.lastHeard);
  const shaking = part('.shaking') as HTMLElement;
  shaking.hidden = !cat.isMeowed;
  const badges = part('.badges') as HTMLElement;
  keyed(
    badges,
    badgesOf(cat),
    (text) => text,
    (text) => el('li', { class: 'badge warn' }, text),
    () => undefined,
  );
  badges.hidden = badges.children.length === 0;
}

/** The alerts of the watchdog, and what the collar says where no rule says it already. */
function badgesOf(cat: Cat): string[] {
  const alerts = cat.alerts ?? [];
  const told = (rule: string) => alerts.some((alert) => alert.rule === rule);
  return [
    ...(cat.batteryLow && !told('battery') ? ['battery low'] : []),
    ...(cat.silent && !told('silent') ? ['collar silent'] : []),
    ...(cat.collar === null ? ['no collar'] : []),
    ...new Set(alerts.map((alert) => alert.text)),
  ];
}

function firstLetter(name: string): string {
  const [first] = new Intl.Segmenter().segment(name);
  return (first?.segment ?? '?').toUpperCase();
}
