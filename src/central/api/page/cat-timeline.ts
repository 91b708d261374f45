/** What happened to one cat, newest first, of one day or of all. */
import { nowMs } from './ago.ts';
import type { Corrections } from './correct.ts';
import { byId, setText } from './dom.ts';
import { localDay, matches, queryOf } from './filters.ts';
import { createPages, fusedSince, type Pages, reloading } from './pages.ts';
import { rowElement, rowFace } from './rows.ts';
import { sentenceOf } from './sentence.ts';
import type { Cat, CloudEvent } from './types.ts';
import { createWindowList } from './window-list.ts';

/** Older ones are asked for when fewer than this are left below what is seen. */
const ROWS_LEFT = 30;

export interface CatTimeline {
  /** Another cat: its events are read anew. */
  of(id: number): void;
  know(cats: readonly Cat[]): void;
  event(event: CloudEvent): void;
  reload(): void;
}

export function createCatTimeline(corrections: Corrections): CatTimeline {
  const scroller = byId('cat-scroll', HTMLElement);
  const more = byId('cat-more', HTMLButtonElement);
  const refused = byId('cat-refused', HTMLParagraphElement);
  let id = 0;
  let cats: readonly Cat[] = [];
  let names = '';
  const day = createDayPicker(() => reload());
  const filter = () => ({ cat: String(id), type: '', agent: '', day: day.now });
  const pages = createPages(() => queryOf(filter(), null), show);
  const view = () => ({ cats, find: pages.find });
  const list = createWindowList<CloudEvent>(scroller, byId('cat-events', HTMLOListElement), {
    keyOf: (event) => event.id,
    faceOf: (event, before) => `${names}|${rowFace(event, before, view())}`,
    draw: (event, before) => rowElement(event, before, view()),
    drawn(end, size) {
      if (size - end < ROWS_LEFT && size > 0 && more.hidden && pages.isMore && !pages.isReading) failing(pages.older());
    },
  });
  function show() {
    sayState(pages, day.now, !more.hidden);
    list.show(pages.events);
  }
  function failing(what: Promise<void>) {
    what.catch(() => {
      more.hidden = false;
      show();
    });
  }
  function reload() {
    more.hidden = true;
    setText(refused, '');
    list.toTop();
    failing(pages.reload());
  }
  // Arrows, PageDown and End work on it.
  scroller.tabIndex = 0;
  more.addEventListener('click', () => {
    if (!pages.isMore) return reload();
    more.hidden = true;
    failing(pages.older());
  });
  scroller.addEventListener('click', ({ target }) => {
    const row = target instanceof Element && target.closest('.fix') !== null ? target.closest('li') : null;
    const event = pages.find(row?.dataset.event ?? '');
    setText(refused, '');
    if (event !== undefined) corrections.event(event, cats, (text) => setText(refused, text));
  });
  return {
    reload,
    of(cat) {
      if (cat === id) return;
      id = cat;
      day.clear();
      reload();
    },
    know(now) {
      failing(pages.again(fusedSince(cats, ofCat(now, id), pages.events)));
      cats = now;
      const text = JSON.stringify(now.map((cat) => [cat.id, cat.name, cat.collar]));
      if (text === names) return;
      names = text;
      list.refresh();
    },
    event: reloading((event) => {
      const isIn = pages.find(event.id) !== undefined || matches(event, sentenceOf(event, cats).catId, filter());
      if (id !== 0 && isIn) pages.add([event]);
    }, reload),
  };
}

function ofCat(cats: readonly Cat[], id: number): readonly Cat[] {
  return cats.filter((cat) => cat.id === id);
}

function sayState({ events, isReading }: Pages, day: string, hasFailed: boolean): void {
  const none = byId('cat-no-events', HTMLParagraphElement);
  none.hidden = events.length > 0 || isReading || hasFailed;
  setText(none, day === '' ? 'Nothing yet. Events appear by themselves.' : 'Nothing happened on this day.');
  byId('cat-events-reading', HTMLParagraphElement).hidden = !isReading;
  const scroller = byId('cat-scroll', HTMLElement);
  scroller.setAttribute('aria-busy', String(isReading));
  scroller.hidden = events.length === 0;
}

interface DayPicker {
  /** `2026-11-20`; empty: all days. */
  readonly now: string;
  clear(): void;
}

function createDayPicker(changed: () => void): DayPicker {
  const field = byId('cat-day', HTMLInputElement);
  const [before, after, all] = ['cat-day-before', 'cat-day-after', 'cat-day-all'].map((id) =>
    byId(id, HTMLButtonElement),
  );
  const today = () => localDay(new Date(nowMs()));
  const show = () => {
    field.max = today();
    if (after !== undefined) after.disabled = field.value === '' || field.value >= today();
    if (all !== undefined) all.hidden = field.value === '';
  };
  const set = (day: string) => {
    field.value = day;
    show();
    changed();
  };
  const step = (days: number) => {
    const [year = 0, month = 0, date = 0] = (field.value === '' ? today() : field.value).split('-').map(Number);
    // From all days one goes to today first.
    const by = field.value === '' ? 0 : days;
    set(localDay(new Date(year, month - 1, date + by)));
  };
  field.addEventListener('change', () => set(field.value));
  before?.addEventListener('click', () => step(-1));
  after?.addEventListener('click', () => step(1));
  all?.addEventListener('click', () => {
    set('');
    field.focus();
  });
  show();
  return {
    get now() {
      return field.value;
    },
    clear() {
      field.value = '';
      show();
    },
  };
}
