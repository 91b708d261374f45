/** What happened, newest first: as much as somebody scrolls to, and what comes live. */
import { byId, setText } from './dom.ts';
import { createFilters, matches, queryOf } from './filters.ts';
import { createPages, MAX_LIVE, type Pages } from './pages.ts';
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
  const view = { cats, find: pages.find };
  const { scroller, list } = createList(pages, correct, {
    faceOf: (event, before) => `${names}|${rowFace(event, before, view)}`,
    draw: (event, before) => rowElement(event, before, view),
    drawn(end, size) {
      if (size - end < ROWS_LEFT && size > 0 && more.hidden && pages.isMore && !pages.isReading) failing(pages.older());
    },
  });
  function show() {
    byId('no-events', HTMLParagraphElement).hidden = pages.events.length > 0 || pages.isReading || !more.hidden;
    byId('reading', HTMLParagraphElement).hidden = !pages.isReading;
    scroller.setAttribute('aria-busy', String(pages.isReading));
    scroller.hidden = pages.events.length === 0;
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
    const fresh = events.filter((event) => {
      if (pages.find(event.id) !== undefined) return true;
      if (moment !== null || !matches(event, sentenceOf(event, cats).catId, filters.now)) return false;
      say(event, cats);
      return true;
    });
    if (fresh.length > 0) pages.add(fresh);
  });
  return {
    reload,
    add,
    read() {
      if (filters.read()) failing(reload());
    },
    until(now) {
      if (now === moment) return;
      moment = now;
      failing(reload());
    },
    know(now, agents) {
      cats = now;
      view.cats = now;
      filters.offer(now, agents);
      const text = JSON.stringify(now.map((cat) => [cat.id, cat.name, cat.collar]));
      if (text === names) return;
      names = text;
      list.refresh();
    },
  };
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
  const list = createWindowList<CloudEvent>(scroller, rows, {
    ...kind,
    keyOf: ({ id }) => id,
    drawn(end, size) {
      for (const node of rows.children) node.setAttribute('aria-setsize', String(pages.isMore ? -1 : size));
      kind.drawn(end, size);
    },
  });
  return { scroller, list };
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
