/** Which collar the cat wears and wore, and giving it another one, or those of two cats to each other. */

import { submit } from './agents.ts';
import { clockTime } from './ago.ts';
import { getEvents, giveCollar, revokeEvent } from './api.ts';
import { wordsOf } from './correct.ts';
import { byId, el, keyed, setText } from './dom.ts';
import type { Cat, CloudEvent, Unassigned } from './types.ts';
import { type Wearing, wearingsOf } from './wearing.ts';

/** Newest assignments that are looked at; a household has a few dozen in a cat's life. */
const MAX_ASSIGNED = 500;
const TAKEN_BACK = 'taken back on the page';
const UNDONE = 'undone on the page';

export interface CatCollars {
  know(cat: Cat, cats: readonly Cat[], free: readonly Unassigned[]): void;
  /** What was assigned may have changed. */
  reload(cat: number): void;
}

export function createCatCollars(): CatCollars {
  const form = byId('cat-collar-form', HTMLFormElement);
  const field = byId('cat-collar', HTMLInputElement);
  const inReturn = byId('cat-collar-return', HTMLInputElement);
  const answer = byId('cat-collar-answer', HTMLParagraphElement);
  const list = byId('cat-wearings', HTMLUListElement);
  const said = byId('cat-wearings-answer', HTMLParagraphElement);
  let cat: Cat | null = null;
  let cats: readonly Cat[] = [];
  const wearer = () => cats.find((one) => one.id !== cat?.id && one.collar === field.value.trim());
  const offer = () => {
    const other = wearer();
    const box = byId('cat-collar-swap', HTMLLabelElement);
    box.hidden = other === undefined || cat?.collar === null;
    setText(byId('cat-collar-swap-text', HTMLSpanElement), `${other?.name ?? ''} gets ${cat?.collar ?? ''} in return`);
  };
  field.addEventListener('input', offer);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (cat === null) return;
    const [own, other] = [cat, wearer()];
    const collar = field.value.trim();
    const isSwap = other !== undefined && own.collar !== null && inReturn.checked;
    const give = async () => {
      await giveCollar(own.id, collar);
      if (isSwap && own.collar !== null) await giveCollar(other.id, own.collar);
    };
    submit(form, answer, give().finally(offer), isSwap ? `${own.name} and ${other.name} have swapped` : 'given');
  });
  list.addEventListener('click', ({ target }) => {
    const button = target instanceof Element ? target.closest('button') : null;
    const [epoch = '', seq = ''] = (button?.dataset.revoke ?? '').split('/');
    if (button === null || epoch === '') return;
    setText(said, '');
    button.disabled = true;
    revokeEvent(epoch, Number(seq), button.dataset.reason ?? '').catch((error: unknown) => {
      button.disabled = false;
      setText(said, wordsOf(error));
    });
  });
  return {
    know(now, all, free) {
      cat = now;
      cats = all;
      setText(byId('cat-collar-now', HTMLParagraphElement), now.collar === null ? 'wears no collar' : '');
      const worn = all.flatMap(({ id, name, collar }) =>
        id === now.id || collar === null ? [] : [{ value: collar, text: `${collar}, worn by ${name}` }],
      );
      const unworn = free.map(({ collar, agent }) => ({ value: collar, text: `${collar}, heard by ${agent}` }));
      keyed(
        byId('cat-collar-choices', HTMLDataListElement),
        [...unworn, ...worn],
        ({ value }) => value,
        ({ value }) => el('option', { value }),
        (node, { text }) => setText(node, text),
      );
      offer();
    },
    reload(id) {
      getEvents({ type: 'collar.assigned' }, MAX_ASSIGNED).then(
        ({ events }) => {
          if (cat?.id === id) showWearings(list, wearingsOf(id, events));
        },
        (error: unknown) => setText(said, wordsOf(error)),
      );
    },
  };
}

function showWearings(list: HTMLElement, wearings: readonly Wearing[]): void {
  keyed(
    list,
    wearings,
    ({ event, until }) => `${event.id}|${event.correctedby ?? ''}|${until ?? ''}`,
    wearingElement,
    () => undefined,
  );
}

function wearingElement({ event, collar, until, isTakenBack }: Wearing): HTMLElement {
  const span = until === null ? 'until now' : `until ${clockTime(until)}`;
  const revoke = isTakenBack ? event.correctedby : event.id;
  const word = isTakenBack ? 'Undo' : 'Take back';
  return el(
    'li',
    { class: isTakenBack ? 'wearing is-gone' : 'wearing' },
    el('strong', { class: 'collar-id' }, collar),
    el('span', { class: 'muted' }, `since ${clockTime(event.time)}, ${isTakenBack ? 'taken back' : span}`),
    el(
      'button',
      {
        ...{
          class: 'fix',
          type: 'button',
          'data-revoke': revoke ?? '',
          'data-reason': isTakenBack ? UNDONE : TAKEN_BACK,
        },
        'aria-label': `${word}: collar ${collar} since ${clockTime(event.time)}`,
      },
      word,
    ),
  );
}

/** Whether this event changes who wears what. */
export function isOfCollars(event: CloudEvent): boolean {
  return /^collard\.(collar\.assigned|event\.revoked)$/.test(event.type);
}
