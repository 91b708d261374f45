/** What is lost of an agent and what is awaited, range by range. Nothing of it is ever folded away. */
import { clockTime } from './ago.ts';
import { getGaps } from './api.ts';
import { el, setText } from './dom.ts';
import type { Agent, Gap } from './types.ts';

/** Beyond these a button shows the rest. */
const FIRST = 8;

export interface Gaps {
  readonly node: HTMLElement;
  /** Reads the ranges again when the counts of the agent have changed. */
  show(agent: Agent): void;
}

export function createGaps(): Gaps {
  const sum = el('h4');
  const list = el('ul', { class: 'ranges' });
  const more = el('button', { class: 'plain', type: 'button', hidden: '' });
  const node = el('section', { class: 'gaps', hidden: '' }, sum, list, more);
  let gaps: readonly Gap[] = [];
  let shown = FIRST;
  let state = '';
  let hasFailed = false;
  let name = '';
  const draw = () => {
    list.replaceChildren(...gaps.slice(0, shown).map(rangeElement));
    more.hidden = !hasFailed && gaps.length <= shown;
    more.textContent = hasFailed ? 'Central did not tell which. Try again' : `Show ${gaps.length - shown} more`;
  };
  const read = () => {
    const asked = state;
    const end = (found: readonly Gap[] | null) => {
      // Another answer is on the way.
      if (asked !== state) return;
      gaps = found ?? gaps;
      hasFailed = found === null;
      draw();
    };
    getGaps(name).then(
      (answer) => end(answer.gaps),
      () => end(null),
    );
  };
  more.addEventListener('click', () => {
    if (hasFailed) return read();
    shown = Number.POSITIVE_INFINITY;
    draw();
  });
  return {
    node,
    show(agent) {
      name = agent.agent;
      const missing = agent.epochs.reduce((total, epoch) => total + epoch.missing, 0);
      node.hidden = agent.gaps + missing === 0;
      // What is awaited moves with the marks.
      const now = `${agent.gaps}/${missing === 0 ? '' : agent.epochs.map((epoch) => `${epoch.mark}:${epoch.missing}`)}`;
      if (node.hidden || now === state) return;
      state = now;
      setText(sum, `Gaps: ${sumOf(agent.gaps, missing)}`);
      read();
    },
  };
}

function sumOf(lost: number, missing: number): string {
  const parts = [
    lost === 0 ? '' : `${lost.toLocaleString()} ${lost === 1 ? 'range' : 'ranges'} lost for ever`,
    missing === 0 ? '' : `${missing.toLocaleString()} ${missing === 1 ? 'event' : 'events'} awaited`,
  ];
  return parts.filter(Boolean).join(', ');
}

function rangeElement({ epoch, fromSeq, toSeq, reason, noted }: Gap): HTMLElement {
  const count = toSeq - fromSeq + 1;
  const numbers = count === 1 ? `${fromSeq}` : `${fromSeq} to ${toSeq}`;
  return el(
    'li',
    { class: reason === null ? 'range is-awaited' : 'range' },
    el('span', { class: 'badge warn' }, reason === null ? 'awaited' : 'lost'),
    el('strong', {}, numbers),
    el('span', { class: 'muted' }, `${count.toLocaleString()} ${count === 1 ? 'event' : 'events'}`),
    reason === null ? null : el('span', {}, reason),
    noted === null ? null : el('span', { class: 'muted' }, `noted ${clockTime(noted)}`),
    el('small', { class: 'muted', title: `epoch ${epoch}` }, `history …${epoch.slice(-6)}`),
  );
}
