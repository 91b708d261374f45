/** A list of what is so: a word and a value each, of which some are times that tick. */
import { agoElement, setAgo } from './ago.ts';
import { el, keyed, setText } from './dom.ts';

export interface Fact {
  readonly label: string;
  /** A moment, told as how long ago; null: never. */
  readonly time?: string | null;
  readonly text?: string;
  /** Below the value, smaller. */
  readonly note?: string;
  readonly tone?: 'bad' | 'warn' | undefined;
  /** How much of something is used, 0 to 1: drawn as a bar. */
  readonly share?: number;
}

export function showFacts(list: HTMLElement, facts: readonly Fact[]): void {
  keyed(list, facts, ({ label }) => label, makeFact, updateFact);
}

function makeFact({ label }: Fact): HTMLElement {
  return el(
    'div',
    { class: 'fact' },
    el('dt', {}, label),
    el('dd', {}, el('span', { class: 'value' }), el('meter', { max: '1', 'aria-label': label }), el('small')),
  );
}

function updateFact(node: HTMLElement, { time, text = '', note = '', tone, share }: Fact): void {
  const [value, bar, small] = [node.querySelector('.value'), node.querySelector('meter'), node.querySelector('small')];
  if (value === null || bar === null || small === null) return;
  if (time === undefined) setText(value, text);
  else {
    const old = value.querySelector('time');
    if (old === null) value.replaceChildren(agoElement(time));
    else setAgo(old, time);
  }
  node.classList.toggle('is-bad', tone === 'bad');
  node.classList.toggle('is-warn', tone === 'warn');
  bar.hidden = share === undefined;
  bar.value = share ?? 0;
  bar.high = 0.9;
  bar.low = 0.75;
  bar.optimum = 0;
  small.hidden = note === '';
  setText(small, note);
}
