/** The sources of an agent as a table: what each gives, how fast, and what of it cannot be read. */
import { agoElement, setAgo } from './ago.ts';
import { el, keyed, setText } from './dom.ts';
import { faultsOf, numberOf, sourcesOf, timeOf } from './health.ts';
import type { Source } from './types.ts';

const HEADS = ['Source', 'State', 'Per second', 'Readings', 'Bad frames', 'Lost', 'Last reading'];

export function createSources(): HTMLTableElement {
  return el(
    'table',
    { class: 'data-table' },
    el('caption', { class: 'visually-hidden' }, 'Sources'),
    el('thead', {}, el('tr', {}, ...HEADS.map((head) => el('th', { scope: 'col' }, head)))),
    el('tbody'),
  );
}

export function showSources(table: HTMLTableElement, health: Readonly<Record<string, unknown>>): void {
  const sources = sourcesOf(health);
  table.hidden = sources.length === 0;
  const named = sources.map((source, index) => ({ source, key: `${index}/${String(source.source)}` }));
  const body = table.tBodies[0];
  if (body === undefined) return;
  keyed(
    body,
    named,
    ({ key }) => key,
    makeRow,
    (row, { source }) => updateRow(row, source),
  );
}

function makeRow(): HTMLElement {
  const cells = HEADS.slice(1).map((head) => el('td', { 'data-head': head }, el('span')));
  cells.at(-1)?.firstElementChild?.replaceWith(agoElement(null));
  cells[3]?.append(el('small', { class: 'reasons' }));
  return el('tr', {}, el('th', { scope: 'row' }, el('span'), el('small')), ...cells);
}

function updateRow(row: HTMLElement, source: Source): void {
  const [name, state, rate, readings, bad, lost, last] = row.children;
  const isOpen = source.state === 'open';
  row.classList.toggle('not-open', !isOpen && source.state !== 'ended');
  say(name, String(source.source ?? 'source'));
  const reason = typeof source.reason === 'string' && !isOpen ? source.reason : '';
  setText(name?.querySelector('small') ?? row, reason === '' ? productOf(source) : reason);
  say(state, typeof source.state === 'string' ? source.state : 'not told');
  const perSecond = numberOf(source.perSecond);
  say(rate, perSecond === null ? '–' : perSecond.toLocaleString());
  const count = numberOf(source.readings);
  say(readings, count === null ? '–' : count.toLocaleString());
  const faults = faultsOf(source);
  const sum = faults.reduce((total, [, times]) => total + times, 0);
  say(bad, sum === 0 ? '0' : `${sum.toLocaleString()}${shareText(sum, count)}`);
  bad?.classList.toggle('is-warn', sum > 0);
  const reasons = bad?.querySelector('small');
  if (reasons) setText(reasons, faults.map(([why, times]) => `${why} ${times.toLocaleString()}`).join(', '));
  const never = numberOf(source.lostSamples) ?? 0;
  say(lost, never.toLocaleString());
  lost?.classList.toggle('is-warn', never > 0);
  const time = last?.querySelector('time');
  if (time) setAgo(time, timeOf(source.lastReading));
}

function say(cell: Element | undefined, text: string): void {
  const span = cell?.querySelector('span');
  if (span) setText(span, text);
}

function productOf({ usb }: Source): string {
  if (typeof usb !== 'object' || usb === null) return '';
  const { product } = usb as Readonly<Record<string, unknown>>;
  return typeof product === 'string' ? product : '';
}

function shareText(bad: number, readings: number | null): string {
  if (readings === null || readings + bad === 0) return '';
  const percent = (100 * bad) / (readings + bad);
  return percent < 0.1 ? ' (under 0.1 %)' : ` (${percent.toFixed(1)} %)`;
}
