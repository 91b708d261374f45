/** Events, newest first. Rows are bounded: what goes out at the end can be loaded again. */
import { EVENTS_A_PAGE, getEvents } from './api.ts';
import { byId } from './dom.ts';
import { createRows } from './rows.ts';
import type { Cat, CloudEvent } from './types.ts';

/** The most rows that live events may make; rows that somebody asked for by "Load more" come on top. */
const MAX_ROWS = 300;

export interface Timeline {
  /** Drops what is shown and reads the newest events. */
  reload(): Promise<void>;
  add(event: CloudEvent): void;
  rename(cats: readonly Cat[]): void;
}

/** Where older events go on: the cursor of the last page, or a time after rows were dropped. */
type Older = { readonly before?: string; readonly to?: string };

/** `correct`: somebody wants to say what an event should have been. */
export function createTimeline(correct: (event: CloudEvent) => void): Timeline {
  const list = byId('events', HTMLOListElement);
  const more = byId('more', HTMLButtonElement);
  const filter = byId('filter', HTMLSelectElement);
  const rows = createRows(list);
  let waiting: CloudEvent[] = [];
  let drawing = false;
  let allowed = MAX_ROWS;
  let older: Older = {};
  let reading = 0;

  const show = () => {
    byId('no-events', HTMLParagraphElement).hidden = rows.size > 0;
    list.hidden = rows.size === 0;
  };
  /** Once a frame at most; in a hidden tab the newest wait, no more than fit. */
  const draw = () => {
    drawing = false;
    rows.insert(waiting.filter((event) => matches(event, filter.value)));
    waiting = [];
    if (rows.trim(allowed) && rows.oldest !== null) {
      // One millisecond on, so that others of the same moment are not left out; those shown already are known by their id.
      older = { to: new Date(Date.parse(rows.oldest) + 1).toISOString() };
      more.hidden = false;
    }
    show();
  };
  const read = async (from: Older) => {
    reading += 1;
    const mine = reading;
    const answer = await getEvents({ ...from, type: filter.value });
    if (mine !== reading) return;
    rows.insert(answer.events);
    older = { before: answer.next };
    more.hidden = answer.events.length < EVENTS_A_PAGE;
    allowed = Math.max(MAX_ROWS, rows.size);
    show();
  };
  const reload = () => {
    rows.clear();
    return read({});
  };
  list.addEventListener('click', ({ target }) => {
    const row = target instanceof Element && target.closest('.fix') !== null ? target.closest('li') : null;
    const event = rows.find(row?.dataset.event ?? '');
    if (event !== null) correct(event);
  });
  more.addEventListener('click', () => press(more, () => read(older)));
  filter.addEventListener('change', () => press(more, reload));
  return {
    reload,
    rename: rows.rename,
    add(event) {
      waiting.push(event);
      if (waiting.length > MAX_ROWS) waiting.shift();
      if (drawing) return;
      drawing = true;
      requestAnimationFrame(draw);
    },
  };
}

/** Runs what the button is for, and says on it when central did not answer. */
function press(button: HTMLButtonElement, what: () => Promise<void>): void {
  button.disabled = true;
  const end = (text: string) => {
    button.disabled = false;
    button.textContent = text;
  };
  what().then(
    () => end('Load more'),
    () => {
      button.hidden = false;
      end('Central did not answer. Try again');
    },
  );
}

function matches(event: CloudEvent, types: string): boolean {
  return types === '' || types.split(',').includes(event.type.replace(/^collard\./, ''));
}
