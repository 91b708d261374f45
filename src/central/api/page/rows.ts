/** The rows of the timeline: an event as a list item, with its day where a day begins. */
import { agoElement, clockTime, fullTime, nowMs } from './ago.ts';
import { hueOf } from './cats.ts';
import { fixOf } from './correct.ts';
import { el } from './dom.ts';
import { correctionOf, sentenceOf } from './sentence.ts';
import type { Cat, CloudEvent } from './types.ts';

export interface RowView {
  readonly cats: readonly Cat[];
  /** An event that is held, by its id: what a correction corrects. */
  find(id: string): CloudEvent | undefined;
}

export function rowElement(event: CloudEvent, before: CloudEvent | undefined, view: RowView): HTMLElement {
  const { who, text, tone, catId } = sentenceOf(event, view.cats, view.find(targetOf(event)));
  const note = correctionOf(event, view.cats);
  const fix = fixOf(event);
  const doubt = doubtOf(event);
  return el(
    'li',
    {
      class: `event tone-${tone}${event.revoked === true ? ' revoked' : ''}`,
      'data-event': event.id,
      'data-day': dayOf(event, before),
    },
    el('span', { class: `dot ${catId === null ? '' : hueOf(catId)}`, 'aria-hidden': 'true' }),
    el('p', { class: 'sentence' }, who === null ? null : el('strong', {}, who), who === null ? text : ` ${text}`),
    el(
      'p',
      { class: 'when muted' },
      fix === null
        ? null
        : el('button', { class: 'fix', type: 'button', 'aria-label': `${fix}: ${who ?? ''} ${text}` }, fix),
      agoElement(event.time),
      el('span', { class: 'clock' }, clockTime(event.time, true)),
    ),
    doubt === null ? null : el('p', { class: 'doubt muted' }, doubt),
    note === null ? null : el('p', { class: 'correction' }, note),
  );
}

/** Two events of one face have the same row, as long as the cats are called the same. */
export function rowFace(event: CloudEvent, before: CloudEvent | undefined, view: RowView): string {
  const target = view.find(targetOf(event));
  const { correctedby = '', time, originaltime = '' } = event;
  const times = `${time}|${originaltime}`;
  const fused = [event.fusedfrom, event.fusedto, event.fusedpercent, event.fusedagents].join();
  return [times, fused, correctedby, dayOf(event, before) ?? '', target?.id ?? '', target?.correctedby ?? ''].join('|');
}

/** Why its time is not what a clock said that was set; null where it is. */
function doubtOf({ clock, originaltime }: CloudEvent): string | null {
  if (originaltime !== undefined) return `time corrected: the clock was not set and said ${fullTime(originaltime)}`;
  return clock === 'unsynced' ? 'the clock was not set: this time may be wrong' : null;
}

function targetOf(event: CloudEvent): string {
  return `${event.data.epoch}/${event.data.seq}`;
}

/** The first row of a day says which one it is, today apart. */
function dayOf(event: CloudEvent, before: CloudEvent | undefined): string | null {
  const date = new Date(event.time);
  const above = before === undefined ? new Date(nowMs()) : new Date(before.time);
  if (above.toDateString() === date.toDateString()) return null;
  return date.toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
}
