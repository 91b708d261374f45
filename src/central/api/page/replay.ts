/**
 * The house as it was: a slider over the last hours or days, and any moment by its date. The moment stands in the address. Only
 * where the slider comes to rest is asked for, and an answer that is not wanted any more is let go.
 */
import { clockTime, nowMs, span } from './ago.ts';
import { getState } from './api.ts';
import { byId, setText } from './dom.ts';
import { localDay } from './filters.ts';
import { fromHash, toHash } from './home-hash.ts';
import type { Cat } from './types.ts';

/** As many as the slider has steps in a span: 5 minutes in a day. */
const STEPS = 288;
const DAY_MS = 86_400_000;
const REST_MS = 150;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/;

export interface Past {
  readonly moment: string;
  readonly cats: readonly Cat[];
}

export interface Replay {
  /** What is shown; null: now. */
  readonly past: Past | null;
  /** The address may have changed. */
  read(): void;
}

interface ReplayHandlers {
  /** Somebody wants to see another moment; null: now. */
  move(moment: string | null): void;
  /** The house as it was then is known. */
  told(): void;
}

export function createReplay({ move, told }: ReplayHandlers): Replay {
  const panel = createPanel();
  let past: Past | null = null;
  /** What was asked for last; null: now. */
  let moment: string | null = null;
  let asked = new AbortController();
  const ask = (at: string) => {
    const { signal } = asked;
    getState(at, signal).then(
      (answer) => {
        if (signal.aborted) return;
        past = { moment: at, cats: answer.cats };
        panel.busy(false);
        told();
      },
      // The cats that stand there are of another moment: they stay dimmed.
      (error: unknown) => {
        if (!signal.aborted) panel.fault(error instanceof Error ? error.message : String(error));
      },
    );
  };
  const settle = (next: string | null, isWritten: boolean) => {
    asked.abort();
    asked = new AbortController();
    moment = next;
    if (!isWritten) toHash({ at: next ?? '' });
    panel.busy(next !== null);
    if (next === null) past = null;
    else ask(next);
    move(next);
  };
  let resting: ReturnType<typeof setTimeout> | undefined;
  panel.moved((atMs, isDragged) => {
    clearTimeout(resting);
    const next = atMs === null ? null : new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z');
    panel.show(next);
    // The way back is never waited for.
    if (next === null || !isDragged) settle(next, false);
    else resting = setTimeout(() => settle(next, false), REST_MS);
  });
  const read = () => {
    const next = fromHash('at', MOMENT) || null;
    if (next === moment || (next !== null && Number.isNaN(Date.parse(next)))) return;
    clearTimeout(resting);
    panel.show(next);
    settle(next, true);
  };
  panel.show(null);
  return {
    get past() {
      return past;
    },
    read,
  };
}

interface Panel {
  /** Says which moment is shown. */
  show(moment: string | null): void;
  /** `isDragged`: others follow soon. */
  moved(use: (atMs: number | null, isDragged: boolean) => void): void;
  busy(is: boolean): void;
  fault(why: string): void;
}

function createPanel(): Panel {
  const slider = byId('replay-at', HTMLInputElement);
  const days = byId('replay-span', HTMLSelectElement);
  const exact = byId('replay-moment', HTMLInputElement);
  const fault = byId('past-fault', HTMLParagraphElement);
  slider.max = String(STEPS);
  /** The right end of the slider: now, but where the past is shown it stands still. */
  let end: number | null = null;
  const endMs = () => end ?? nowMs();
  const spanMs = () => Number(days.value) * DAY_MS;
  const atOf = (value: number) => endMs() - ((STEPS - value) / STEPS) * spanMs();
  const view = byId('view-home', HTMLDivElement);
  const show = (moment: string | null) => {
    const atMs = moment === null ? null : Date.parse(moment);
    end = atMs === null ? null : (end ?? nowMs());
    if (atMs !== null) days.value = fitting(endMs() - atMs, Number(days.value));
    slider.value = String(atMs === null ? STEPS : Math.round(STEPS - ((endMs() - atMs) / spanMs()) * STEPS));
    setText(byId('replay-from', HTMLSpanElement), dayTime(endMs() - spanMs()));
    const words = atMs === null ? 'now' : `${dayTime(atMs)}, ${span(endMs() - atMs)} ago`;
    slider.setAttribute('aria-valuetext', words);
    exact.max = localMinute(nowMs());
    exact.value = atMs === null ? '' : localMinute(atMs);
    view.classList.toggle('is-past', atMs !== null);
    byId('past', HTMLDivElement).hidden = atMs === null;
    setText(byId('past-when', HTMLSpanElement), `The house as it was at ${words}`);
    setText(fault, '');
  };
  return {
    show,
    busy(is) {
      byId('cats', HTMLUListElement).classList.toggle('is-reading', is);
    },
    fault: (why) => setText(fault, `The house of that moment could not be read: ${why}`),
    moved(use) {
      slider.addEventListener('input', () => {
        end ??= nowMs();
        const value = Number(slider.value);
        use(value === STEPS ? null : atOf(value), true);
      });
      days.addEventListener('change', () => {
        // What is shown stays, as long as it is on the slider.
        const atMs = exact.value === '' ? Number.NaN : Date.parse(exact.value);
        if (Number.isNaN(atMs)) show(null);
        else use(Math.max(atMs, endMs() - spanMs()), false);
      });
      exact.addEventListener('change', () => {
        const atMs = Date.parse(exact.value);
        use(Number.isNaN(atMs) || atMs >= nowMs() ? null : atMs, false);
      });
      byId('replay-live', HTMLButtonElement).addEventListener('click', () => {
        use(null, false);
        slider.focus();
      });
    },
  };
}

/** The days of the narrowest choice that holds a moment so long ago, and not narrower than `days`. */
function fitting(agoMs: number, days: number): string {
  const choices = [1, 7, 14];
  return String(choices.find((one) => one >= days && one * DAY_MS >= agoMs) ?? 14);
}

function dayTime(ms: number): string {
  const date = new Date(ms);
  const isToday = localDay(date) === localDay(new Date(nowMs()));
  const day = isToday ? '' : `${date.toLocaleDateString(undefined, { weekday: 'short' })} `;
  return `${day}${clockTime(date.toISOString())}`;
}

function localMinute(ms: number): string {
  const date = new Date(ms);
  const time = [date.getHours(), date.getMinutes()].map((number) => String(number).padStart(2, '0')).join(':');
  return `${localDay(date)}T${time}`;
}
