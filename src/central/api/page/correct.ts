/** Correcting by hand: one dialog for what an event should have been and where a cat is. Each correction can be undone. */
import { moveCat, reassignEvent, revokeEvent } from './api.ts';
import { byId, el, setText } from './dom.ts';
import { sentenceOf } from './sentence.ts';
import type { Cat, CloudEvent } from './types.ts';

/** What a collar tells, and so may have told wrongly. */
const CORRECTABLE = /^collard\.(cat\.moved|meow\.started|meow\.ended|collar\.silent|collar\.heard|battery\.low)$/;
const TAKE_BACK = 'revoke';
/** Why an undo was made, where nobody is asked. */
const UNDONE = 'undone on the page';

/** What can be done about an event, as the word on its button; null where nothing can. */
export function fixOf(event: CloudEvent): 'Correct' | 'Undo' | null {
  const isFixable = CORRECTABLE.test(event.type);
  if (event.correctedby !== undefined) return isFixable ? 'Undo' : null;
  return isFixable ? 'Correct' : null;
}

export interface Corrections {
  /** `failed`: told in central's words what it refuses where no dialog is open. */
  event(event: CloudEvent, cats: readonly Cat[], failed: (text: string) => void): void;
  place(cat: Cat, cats: readonly Cat[]): void;
}

/** There is one dialog, so this is made once. */
export function createCorrections(): Corrections {
  const dialog = byId('correct', HTMLDialogElement);
  const form = byId('correct-form', HTMLFormElement);
  const answer = byId('correct-answer', HTMLParagraphElement);
  const choice = byId('correct-choice', HTMLSelectElement);
  const place = byId('correct-place', HTMLInputElement);
  const reason = byId('correct-reason', HTMLInputElement);
  const button = byId('correct-save', HTMLButtonElement);
  let save: () => Promise<void> = async () => undefined;
  let opener = '';
  const open = (title: string, what: string, of: 'event' | 'place', from: string) => {
    setText(byId('correct-title', HTMLHeadingElement), title);
    setText(byId('correct-what', HTMLParagraphElement), what);
    setText(answer, '');
    form.reset();
    for (const [field, kind] of [
      [choice, 'event'],
      [reason, 'event'],
      [place, 'place'],
    ] as const) {
      field.disabled = kind !== of;
      if (field.parentElement !== null) field.parentElement.hidden = kind !== of;
    }
    opener = from;
    dialog.showModal();
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    button.disabled = true;
    save()
      .then(
        () => dialog.close(),
        (error: unknown) => setText(answer, wordsOf(error)),
      )
      .finally(() => {
        button.disabled = false;
      });
  });
  byId('correct-cancel', HTMLButtonElement).addEventListener('click', () => dialog.close());
  // The button that opened it may have been drawn anew meanwhile, and stand on another view too.
  dialog.addEventListener('close', () => {
    const buttons = [...document.querySelectorAll<HTMLElement>(opener)];
    buttons.find((button) => button.checkVisibility())?.focus();
  });
  return {
    event(event, cats, failed) {
      if (fixOf(event) === 'Undo') {
        const [epoch = '', seq = ''] = (event.correctedby ?? '').split('/');
        revokeEvent(epoch, Number(seq), UNDONE).catch((error: unknown) => failed(wordsOf(error)));
        return;
      }
      const { who, text, catId } = sentenceOf(event, cats);
      choice.replaceChildren(...choicesOf(cats.filter(({ id }) => id !== catId)));
      const [epoch = '', seq = ''] = event.id.split('/');
      save = () => {
        const why = reason.value.trim();
        if (choice.value === TAKE_BACK) return revokeEvent(epoch, Number(seq), why);
        return reassignEvent(epoch, Number(seq), Number(choice.value), why);
      };
      open('Correct', `${who ?? ''} ${text}`.trim(), 'event', `[data-event="${event.id}"] .fix`);
    },
    place(cat, cats) {
      const known = [...new Set(cats.flatMap(({ location }) => location ?? []))].sort();
      byId('places', HTMLDataListElement).replaceChildren(...known.map((value) => el('option', { value })));
      save = () => moveCat(cat.id, place.value.trim());
      const now = cat.location === null ? 'Nobody knows where' : `Now: ${cat.location}`;
      open(`Where is ${cat.name}?`, now, 'place', `[data-key="${cat.id}"] .fix`);
    },
  };
}

function choicesOf(others: readonly Cat[]): HTMLElement[] {
  return [
    el('option', { value: TAKE_BACK }, 'It did not happen'),
    ...others.map((cat) => el('option', { value: String(cat.id) }, `It was ${cat.name}`)),
  ];
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
