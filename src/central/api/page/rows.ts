/** The rows of the timeline: sorted by time, each event once. */
import { agoElement, clockTime, nowMs } from './ago.ts';
import { hueOf } from './cats.ts';
import { fixOf } from './correct.ts';
import { el } from './dom.ts';
import { correctionOf, sentenceOf } from './sentence.ts';
import type { Cat, CloudEvent } from './types.ts';

export interface Rows {
  readonly size: number;
  /** Time of the last row, or null. */
  readonly oldest: string | null;
  find(id: string): CloudEvent | null;
  insert(events: readonly CloudEvent[]): void;
  /** Drops the oldest beyond `limit`; true when there were any. */
  trim(limit: number): boolean;
  clear(): void;
  /** Writes the sentences anew where names or collars have changed. */
  rename(cats: readonly Cat[]): void;
}

interface Row {
  event: CloudEvent;
  readonly node: HTMLElement;
}

export function createRows(list: HTMLElement): Rows {
  let cats: readonly Cat[] = [];
  let names = '';
  let rows: Row[] = [];
  const redraw = (row: Row, event: CloudEvent) => {
    row.event = event;
    const drawn = rowElement(
      event,
      cats,
      rows.map((one) => one.event),
    );
    // Whoever is on its button stays there.
    const isHere = row.node.contains(document.activeElement);
    row.node.className = drawn.className;
    row.node.replaceChildren(...drawn.childNodes);
    if (isHere) row.node.querySelector<HTMLElement>('.fix')?.focus();
  };
  return {
    get size() {
      return rows.length;
    },
    get oldest() {
      return rows.at(-1)?.event.time ?? null;
    },
    find: (id) => rows.find(({ event }) => event.id === id)?.event ?? null,
    insert(events) {
      const known = new Map(rows.map((row) => [row.event.id, row]));
      const fresh = events.filter((event) => !known.has(event.id));
      for (const event of events) {
        // It comes again where it is corrected: the row stays and says so.
        const row = known.get(event.id);
        if (row !== undefined && row.event.correctedby !== event.correctedby) redraw(row, event);
      }
      if (fresh.length === 0) return;
      const all = [...rows.map((row) => row.event), ...fresh];
      const made = fresh.map((event) => ({ event, node: rowElement(event, cats, all) }));
      rows = [...rows, ...made].sort((a, b) => newestFirst(a.event, b.event));
      rows.forEach(({ node }, index) => {
        if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
      });
      markDays(rows);
    },
    trim(limit) {
      if (rows.length <= limit) return false;
      for (const row of rows.slice(limit)) row.node.remove();
      rows = rows.slice(0, limit);
      return true;
    },
    clear() {
      rows = [];
      list.replaceChildren();
    },
    rename(now) {
      cats = now;
      const text = JSON.stringify(now.map((cat) => [cat.id, cat.name, cat.collar]));
      if (text === names) return;
      names = text;
      for (const row of rows) redraw(row, row.event);
    },
  };
}

/** By time; events of one moment and one agent in its own order. */
function newestFirst(a: CloudEvent, b: CloudEvent): number {
  if (a.time !== b.time) return a.time < b.time ? 1 : -1;
  return a.source === b.source ? b.seq - a.seq : 0;
}

/** `others`: among them may be what the event corrects. */
function rowElement(event: CloudEvent, cats: readonly Cat[], others: readonly CloudEvent[]): HTMLElement {
  const target = others.find(({ id }) => id === `${event.data.epoch}/${event.data.seq}`);
  const { who, text, tone, catId } = sentenceOf(event, cats, target);
  const note = correctionOf(event, cats);
  const fix = fixOf(event);
  return el(
    'li',
    { class: `event tone-${tone}${event.revoked === true ? ' revoked' : ''}`, 'data-event': event.id },
    el('span', { class: `dot ${catId === null ? '' : hueOf(catId)}`, 'aria-hidden': 'true' }),
    el('p', { class: 'sentence' }, who === null ? null : el('strong', {}, who), who === null ? text : ` ${text}`),
    el(
      'p',
      { class: 'when muted' },
      el('span', { class: 'clock' }, clockTime(event.time, true)),
      ' · ',
      agoElement(event.time),
      fix === null ? null : ' ',
      fix === null
        ? null
        : el('button', { class: 'fix', type: 'button', 'aria-label': `${fix}: ${who ?? ''} ${text}` }, fix),
    ),
    note === null ? null : el('p', { class: 'correction' }, note),
  );
}

/** The first row of a day says which one it is, today apart. */
function markDays(rows: readonly Row[]): void {
  let day = new Date(nowMs()).toDateString();
  for (const { event, node } of rows) {
    const its = new Date(event.time).toDateString();
    if (its === day) delete node.dataset.day;
    else
      node.dataset.day = new Date(event.time).toLocaleDateString(undefined, {
        weekday: 'long',
        day: 'numeric',
        month: 'long',
      });
    day = its;
  }
}
