/**
 * A list of which only the rows that can be seen are in the page, so that ten thousand scroll as ten do. Rows may be of any
 * height, and whoever looks at a row keeps it where it is while others change.
 */
import { keyed } from './dom.ts';
import { createTops, type Tops } from './tops.ts';

/** Drawn beyond both edges, so that a row is there before it is seen. */
const OVERSCAN_PX = 320;
/** Drawn rows may turn out lower than was guessed, and then more of them fit. */
const MAX_ROUNDS = 3;

export interface WindowList<T> {
  /** What the list holds, in order. At the top the newest stay in sight; further down what is seen stays. */
  show(items: readonly T[]): void;
  /** Draws anew what has another face now. */
  refresh(): void;
  toTop(): void;
}

export interface RowKind<T> {
  keyOf(item: T): string;
  /** Two items of one face are drawn alike. `before`: the item above. */
  faceOf(item: T, before: T | undefined): string;
  draw(item: T, before: T | undefined): HTMLElement;
  /** The rows to before `end` of `size` are drawn. */
  drawn(end: number, size: number): void;
}

export function createWindowList<T>(scroller: HTMLElement, list: HTMLElement, kind: RowKind<T>): WindowList<T> {
  let items: readonly T[] = [];
  let width = 0;
  const tops = createTops();
  const place = (first: number, end: number) => {
    const focused = document.activeElement?.closest('li');
    placeRows(list, kind, items, first, end);
    list.style.paddingTop = `${tops.of(first)}px`;
    list.style.paddingBottom = `${tops.of(items.length) - tops.of(end)}px`;
    // Whoever was on a row that is out of sight goes on from the list itself.
    if (focused instanceof HTMLElement && !focused.isConnected) scroller.focus({ preventScroll: true });
    kind.drawn(end, items.length);
  };
  const draw = () => {
    const seen = scroller.scrollTop;
    const anchor = tops.at(seen);
    const inside = seen - tops.of(anchor);
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const y = scroller.scrollTop;
      const end = tops.at(y + scroller.clientHeight + OVERSCAN_PX) + 1;
      place(tops.at(Math.max(0, y - OVERSCAN_PX)), Math.min(items.length, end));
      if (scroller.clientHeight === 0 || !measure(list, tops)) return;
      if (seen > 0) scroller.scrollTop = tops.of(anchor) + inside;
    }
  };
  scroller.addEventListener('scroll', draw, { passive: true });
  new ResizeObserver(() => {
    // Rows break elsewhere now.
    if (scroller.clientWidth !== width) tops.clear();
    width = scroller.clientWidth;
    draw();
  }).observe(scroller);
  return {
    refresh: draw,
    toTop: () => scroller.scrollTo(0, 0),
    show(next) {
      const seen = scroller.scrollTop;
      const anchor = tops.at(seen);
      const inside = seen - tops.of(anchor);
      const old = items[anchor];
      const key = seen === 0 || old === undefined ? null : kind.keyOf(old);
      items = next;
      tops.set(items.map(kind.keyOf));
      const index = key === null ? -1 : items.findIndex((item) => kind.keyOf(item) === key);
      if (index >= 0) {
        // First the room, then the place in it.
        list.style.paddingTop = `${tops.of(items.length)}px`;
        scroller.scrollTop = tops.of(index) + inside;
      }
      draw();
    },
  };
}

/** True where a row turned out to be of another height. */
function measure(list: HTMLElement, tops: Tops): boolean {
  let changed = false;
  for (const node of list.children) {
    const key = (node as HTMLElement).dataset.key ?? '';
    if (tops.measured(key, node.getBoundingClientRect().height)) changed = true;
  }
  return changed;
}

function placeRows<T>(list: HTMLElement, kind: RowKind<T>, items: readonly T[], first: number, end: number): void {
  keyed(
    list,
    items.slice(first, end).map((item, i) => ({ item, before: items[first + i - 1], index: first + i })),
    ({ item }) => kind.keyOf(item),
    ({ item, before }) => kind.draw(item, before),
    (node, { item, before, index }) => {
      node.setAttribute('aria-posinset', String(index + 1));
      face(node, kind, item, before);
    },
  );
}

/** Draws a row anew where its face has changed; whoever is on its button stays there. */
function face<T>(node: HTMLElement, kind: RowKind<T>, item: T, before: T | undefined): void {
  const now = kind.faceOf(item, before);
  const old = node.dataset.face;
  node.dataset.face = now;
  if (old === now || old === undefined) return;
  const drawn = kind.draw(item, before);
  const isHere = node.contains(document.activeElement);
  node.className = drawn.className;
  if (drawn.dataset.day === undefined) delete node.dataset.day;
  else node.dataset.day = drawn.dataset.day;
  node.replaceChildren(...drawn.childNodes);
  if (isHere) node.querySelector<HTMLElement>('button')?.focus();
}
