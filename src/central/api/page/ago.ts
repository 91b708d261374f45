/** Times as people say them, ticking. Central's clock counts, so that a phone with a wrong clock shows no nonsense. */
import { el, setText } from './dom.ts';

const clock = { offsetMs: 0 };

export function setClock(centralNow: string): void {
  clock.offsetMs = Date.parse(centralNow) - Date.now();
}

export function nowMs(): number {
  return Date.now() + clock.offsetMs;
}

/** 0 → `now`, 12 000 → `12 s`, 150 000 → `2 min`. */
export function span(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 1) return 'now';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function ago(time: string): string {
  const text = span(nowMs() - Date.parse(time));
  return text === 'now' ? text : `${text} ago`;
}

/** 14:02 today, else with the day. */
export function clockTime(time: string, seconds = false): string {
  const date = new Date(time);
  const today = new Date(nowMs()).toDateString() === date.toDateString();
  return date.toLocaleString(undefined, {
    ...(today ? {} : { day: 'numeric', month: 'short' }),
    hour: '2-digit',
    minute: '2-digit',
    ...(seconds ? { second: '2-digit' } : {}),
    hourCycle: 'h23',
  });
}

/** With the year: of a time that may be any. */
export function fullTime(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' });
}

/** A <time> whose text `tick` keeps true. */
export function agoElement(time: string | null): HTMLTimeElement {
  const node = el('time');
  setAgo(node, time);
  return node;
}

/** `still`: the clock time, which no tick changes. */
export function setAgo(node: HTMLTimeElement, time: string | null, still = false): void {
  if (time === null || still) delete node.dataset.ago;
  else node.dataset.ago = time;
  if (time === null) {
    node.removeAttribute('datetime');
    setText(node, 'never');
    return;
  }
  node.dateTime = time;
  node.title = new Date(time).toLocaleString();
  setText(node, still ? clockTime(time) : ago(time));
}

/** Has `tick` say in `note` when the time is longer ago than `afterMs`. */
export function setStale(node: HTMLTimeElement, note: HTMLElement, afterMs: number): void {
  note.dataset.staleAfter = String(afterMs);
  sayStale(node, note);
}

function sayStale(node: HTMLTimeElement, note: HTMLElement): void {
  const time = node.dataset.ago;
  const isStale = time !== undefined && nowMs() - Date.parse(time) > Number(note.dataset.staleAfter);
  node.parentElement?.classList.toggle('warn', isStale);
  note.classList.toggle('warn', isStale);
  setText(note, isStale ? 'stale' : '');
}

export function tick(): void {
  for (const node of document.querySelectorAll<HTMLTimeElement>('time[data-ago]')) {
    setText(node, ago(node.dataset.ago ?? ''));
    const note = node.closest('dd')?.nextElementSibling;
    if (note instanceof HTMLElement && note.dataset.staleAfter !== undefined) sayStale(node, note);
  }
}
