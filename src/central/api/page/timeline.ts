/** What happened, newest first: as much as somebody scrolls to, and what comes live. */
import { byId, setText } from './dom.ts';
import { createFilters, matches, queryOf } from './filters.ts';
import { createPages, fusedSince, MAX_LIVE, type Pages, reloading } from './pages.ts';
import { rowElement, rowFace } from './rows.ts';
import { sentenceOf } from './sentence.ts';
import type { Agent, Cat, CloudEvent } from './types.ts';
import { createWindowList, type RowKind } from './window-list.ts';

/** Who listens is told of no more than one event in this time. */
const SAY_EVERY_MS = 4_000;
/** Older ones are asked for when fewer than this are left below what is seen. */
const ROWS_LEFT = 30;

export interface Timeline {
  /** Drops what is shown and reads the newest events. */
  reload(): Promise<void>;
  add(event: CloudEvent): void;
  know(cats: readonly Cat[], agents: readonly Agent[]): void;
  /** Shows a day, and goes there. */
  day(day: string): void;
  /** Shows what happened before a moment, and nothing live; null: live. */
  until(moment: string | null): void;
  /** The address has changed. */
  read(): void;
}

/** `correct`: somebody wants to say what an event should have been. */
export function createTimeline(correct: (event: CloudEvent) => void): Timeline {
  const more = byId('more', HTMLButtonElement);
  const say = createTeller();
  let cats: readonly Cat[] = [];
  let names = '';
  let moment: string | null = null;
  const filters = createFilters(() => failing(reload()));
  const pages = createPages(() => queryOf(filters.now, moment), show);
  const view = () => ({ cats, find: pages.find });
  const list = createList(pages, correct, {
    faceOf: (event, before) => `${names}|${rowFace(event, before, view())}`,
    draw: (event, before) => rowElement(event, before, view()),
    drawn(end, size) {
      if (size - end < ROWS_LEFT && size > 0 && more.hidden && pages.isMore && !pages.isReading) failing(pages.older());
    },
  });
  function show() {
    showState(pages, !more.hidden);
    list.show(pages.events);
  }
  function reload() {
    more.hidden = true;
    list.toTop();
    return pages.reload();
  }
  /** Says on a button when central did not answer. */
  function failing(what: Promise<void>) {
    what.catch(() => {
      more.hidden = false;
      show();
    });
  }
  more.addEventListener('click', () => {
    more.hidden = true;
    failing(pages.isMore ? pages.older() : reload());
  });
  const add = gathered((events) => {
    const isShown = (event: CloudEvent) =>
      moment === null && matches(event, sentenceOf(event, cats).catId, filters.now);
    // Those that are held come again where they were corrected.
    const fresh = events.filter((event) => pages.find(event.id) !== undefined || isShown(event));
    for (const event of fresh) if (pages.find(event.id) === undefined) say(event, cats);
    if (fresh.length > 0) pages.add(fresh);
  });
  return {
    reload,
    add: reloading(add, () => failing(reload())),
    read() {
      if (filters.read()) failing(reload());
    },
    day(day) {
      filters.only({ day });
      // The list may be hidden while it is read.
      byId('events-title', HTMLHeadingElement).focus();
    },
    until(now) {
      if (now === moment) return;
      moment = now;
      failing(reload());
    },
    know(now, agents) {
      if (moment === null) failing(pages.again(fusedSince(cats, now, pages.events)));
      cats = now;
      filters.offer(now, agents);
      const old = names;
      names = namesOf(now);
      if (names !== old) list.refresh();
    },
  };
}

/** What sentences are made with. */
function namesOf(cats: readonly Cat[]): string {
  return JSON.stringify(cats.map((cat) => [cat.id, cat.name, cat.collar]));
}

/** Empty, reading, or neither. `isFailed`: a button says that central did not answer. */
function showState({ events, isReading }: Pages, isFailed: boolean): void {
  byId('no-events', HTMLParagraphElement).hidden = events.length > 0 || isReading || isFailed;
  byId('reading', HTMLParagraphElement).hidden = !isReading;
  const scroller = byId('events-scroll', HTMLElement);
  scroller.hidden = events.length === 0;
  scroller.setAttribute('aria-busy', String(isReading));
}

function createList(pages: Pages, correct: (event: CloudEvent) => void, kind: Omit<RowKind<CloudEvent>, 'keyOf'>) {
  const scroller = byId('events-scroll', HTMLElement);
  const rows = byId('events', HTMLOListElement);
  // Arrows, PageDown and End work on it.
  scroller.tabIndex = 0;
  scroller.addEventListener('click', ({ target }) => {
    const row = target instanceof Element && target.closest('.fix') !== null ? target.closest('li') : null;
    const event = pages.find(row?.dataset.event ?? '');
    if (event !== undefined) correct(event);
  });
  return createWindowList<CloudEvent>(scroller, rows, {
    ...kind,
    keyOf: ({ id }) => id,
    drawn(end, size) {
      for (const node of rows.children) node.setAttribute('aria-setsize', String(pages.isMore ? -1 : size));
      kind.drawn(end, size);
    },
  });
}

/** Once a frame at most; in a hidden tab the newest wait, no more than fit. */
function gathered(take: (events: readonly CloudEvent[]) => void): (event: CloudEvent) => void {
  let waiting: CloudEvent[] = [];
  let isAsked = false;
  return (event) => {
    waiting.push(event);
    if (waiting.length > MAX_LIVE) waiting.shift();
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      const events = waiting;
      waiting = [];
      take(events);
    });
  };
}

/** Only some of the rows are there, so the list cannot say itself what is new. */
function createTeller(): (event: CloudEvent, cats: readonly Cat[]) => void {
  let atMs = Number.NEGATIVE_INFINITY;
  return (event, cats) => {
    if (performance.now() - atMs < SAY_EVERY_MS) return;
    atMs = performance.now();
    const { who, text } = sentenceOf(event, cats);
    setText(byId('said', HTMLParagraphElement), who === null ? text : `${who} ${text}`);
  };
}
