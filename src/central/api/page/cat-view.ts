/** One cat: where it is, what happened to it, its collars, what was corrected, and what the watchdog looks for. */
import { submit } from './agents.ts';
import { clockTime } from './ago.ts';
import { renameCat } from './api.ts';
import { batteriesOf } from './batteries.ts';
import { createCatCollars, isOfCollars } from './cat-collars.ts';
import { createCatCompare } from './cat-compare.ts';
import { createCatCorrections } from './cat-corrections.ts';
import { createCatLive } from './cat-live.ts';
import { readRules } from './cat-rules.ts';
import { createCatTimeline } from './cat-timeline.ts';
import { badgesOf, hueOf } from './cats.ts';
import type { Corrections } from './correct.ts';
import { byId, el, keyed, setText } from './dom.ts';
import { type Fact, showFacts } from './facts.ts';
import { showAvatar } from './pictures.ts';
import type { Agent, AgentsAnswer, Cat, CloudEvent } from './types.ts';

export interface CatView {
  /** Null cats: central has not told them. Returns what the view shows, for the title. */
  show(id: number, cats: readonly Cat[] | null, answer: AgentsAnswer): string;
  event(event: CloudEvent): void;
  /** What happened meanwhile is not known. */
  reload(): void;
}

export function createCatView(corrections: Corrections, pictureOf: (catId: number) => string | null): CatView {
  const timeline = createCatTimeline(corrections);
  const collars = createCatCollars();
  const corrected = createCatCorrections();
  const live = createCatLive();
  const compare = createCatCompare();
  let cat: Cat | null = null;
  let cats: readonly Cat[] = [];
  /** What of the cat its rules and corrections are told with. */
  let read = '';
  const readAll = () => {
    if (cat === null) return;
    collars.reload(cat.id);
    corrected.reload(cat, cats);
    readRules(cat);
  };
  byId('cat-fix', HTMLButtonElement).addEventListener('click', () => {
    if (cat !== null) corrections.place(cat, cats);
  });
  takeName(() => cat);
  return {
    show(id, now, { agents, unassigned }) {
      cats = now ?? [];
      cat = cats.find((one) => one.id === id) ?? null;
      byId('cat-reading', HTMLParagraphElement).hidden = now !== null;
      byId('cat-unknown', HTMLParagraphElement).hidden = now === null || cat !== null;
      byId('cat-page', HTMLElement).hidden = cat === null;
      const title = cat?.name ?? (now === null ? 'Cat' : `There is no cat ${id}`);
      setText(byId('cat-title', HTMLHeadingElement), title);
      timeline.know(cats);
      showHead(cat, agents);
      if (cat === null) return title;
      showAvatar(byId('cat-avatar', HTMLElement), cat, pictureOf(id));
      collars.know(cat, cats, unassigned);
      live.show(cat, agents);
      compare.show(cat, agents);
      timeline.of(id);
      const key = JSON.stringify(cats.map((one) => [one.id, one.name, one.id === id]));
      if (key !== read) {
        read = key;
        readAll();
      }
      return title;
    },
    event(event) {
      if (cat === null) return;
      timeline.event(event);
      if (isOfCollars(event)) collars.reload(cat.id);
      if (/^collard\.event\./.test(event.type)) corrected.reload(cat, cats);
    },
    reload() {
      if (cat === null) return;
      timeline.reload();
      readAll();
    },
  };
}

function showHead(cat: Cat | null, agents: readonly Agent[]): void {
  const head = byId('cat-head', HTMLElement);
  for (const part of head.querySelectorAll<HTMLElement>('[data-of-cat]')) part.hidden = cat === null;
  if (cat === null) return;
  head.dataset.key = String(cat.id);
  head.className = `cat-head ${hueOf(cat.id)}${cat.isMeowed ? ' is-shaking' : ''}${cat.silent ? ' is-silent' : ''}`;
  setText(byId('cat-place', HTMLElement), cat.location ?? 'place unknown');
  const sure = cat.confidence === undefined ? '' : `, ${Math.round(100 * cat.confidence)} % sure`;
  const since = cat.locationSince === null ? '' : `since ${clockTime(cat.locationSince)}${sure}`;
  setText(byId('cat-since', HTMLElement), since);
  byId('cat-fix', HTMLButtonElement).setAttribute('aria-label', `Correct where ${cat.name} is`);
  byId('cat-shaking', HTMLElement).hidden = !cat.isMeowed;
  showFacts(byId('cat-facts', HTMLDListElement), factsOf(cat, agents));
  const badges = byId('cat-badges', HTMLUListElement);
  keyed(
    badges,
    badgesOf(cat),
    (text) => text,
    (text) => el('li', { class: 'badge warn' }, text),
    () => undefined,
  );
  badges.hidden = badges.children.length === 0;
}

function factsOf(cat: Cat, agents: readonly Agent[]): Fact[] {
  const percent = cat.collar === null ? undefined : batteriesOf(agents).get(cat.collar);
  const low = cat.batteryLow ? 'low' : '';
  return [
    { label: 'last seen', time: cat.lastHeard, tone: cat.silent ? 'warn' : undefined },
    { label: 'meows today', text: String(cat.meowsToday) },
    { label: 'collar', text: cat.collar ?? 'none', tone: cat.collar === null ? 'warn' : undefined },
    {
      label: 'battery',
      text: percent === undefined ? low || 'not told' : `${percent}\u00a0%`,
      note: percent === undefined ? '' : low,
      tone: cat.batteryLow ? 'warn' : undefined,
    },
  ];
}

function takeName(catNow: () => Cat | null): void {
  const form = byId('cat-name-form', HTMLFormElement);
  const field = byId('cat-name', HTMLInputElement);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const cat = catNow();
    const name = field.value.trim();
    const answer = byId('cat-name-answer', HTMLParagraphElement);
    if (cat !== null) submit(form, answer, renameCat(cat.id, name), `now called ${name}`);
  });
}
