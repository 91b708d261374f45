/** Events that counted for the cat once, and do not any more: taken back, or given to another one. Each can be undone. */
import { clockTime } from './ago.ts';
import { getHistory, revokeEvent } from './api.ts';
import { wordsOf } from './correct.ts';
import { byId, el, keyed, setText } from './dom.ts';
import { sentenceOf } from './sentence.ts';
import type { Cat, Corrected } from './types.ts';

const UNDONE = 'undone on the page';

export interface CatCorrections {
  reload(cat: Cat, cats: readonly Cat[]): void;
}

export function createCatCorrections(): CatCorrections {
  const list = byId('cat-corrected', HTMLUListElement);
  const none = byId('cat-none-corrected', HTMLParagraphElement);
  const said = byId('cat-corrected-answer', HTMLParagraphElement);
  let reading = 0;
  list.addEventListener('click', ({ target }) => {
    const button = target instanceof Element ? target.closest('button') : null;
    const [epoch = '', seq = ''] = (button?.dataset.revoke ?? '').split('/');
    if (button === null || epoch === '') return;
    setText(said, '');
    button.disabled = true;
    revokeEvent(epoch, Number(seq), UNDONE).catch((error: unknown) => {
      button.disabled = false;
      setText(said, wordsOf(error));
    });
  });
  return {
    reload(cat, cats) {
      reading += 1;
      const mine = reading;
      getHistory(cat.id).then(
        ({ corrected }) => {
          if (mine !== reading) return;
          setText(said, '');
          none.hidden = corrected.length > 0;
          keyed(
            list,
            corrected,
            ({ id, correction }) => `${id}|${correction.by}`,
            (one) => correctedElement(one, cat, cats),
            () => undefined,
          );
        },
        (error: unknown) => setText(said, wordsOf(error)),
      );
    },
  };
}

function correctedElement({ id, timestamp, type, data, correction }: Corrected, cat: Cat, cats: readonly Cat[]) {
  const { text } = sentenceOf({ id, source: '', type, time: timestamp, seq: 0, data, subject: `cat/${cat.id}` }, cats);
  const other = cats.find((one) => one.id === correction.catId)?.name;
  const what = correction.catId === null ? 'taken back' : `given to ${other ?? `cat ${correction.catId}`}`;
  return el(
    'li',
    { class: 'corrected' },
    el('s', {}, text),
    el('span', { class: 'muted' }, `${clockTime(timestamp)}, ${what}: ${correction.reason}`),
    el(
      'button',
      { class: 'fix', type: 'button', 'data-revoke': correction.by, 'aria-label': `Undo: ${cat.name} ${text}` },
      'Undo',
    ),
  );
}
