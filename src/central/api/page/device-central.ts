/** The centrals: who of several is there and has which shards, and how far each shard has come. */
import { agoElement, setAgo } from './ago.ts';
import { byId, el, keyed, setText } from './dom.ts';
import type { CentralAnswer } from './types.ts';

/** Null: central did not answer; what was shown stays, and says so. */
export function showCentral(answer: CentralAnswer | null): void {
  const failed = byId('central-failed', HTMLParagraphElement);
  failed.hidden = answer !== null;
  if (answer === null) return;
  const { workers, shards, shared, concerns } = answer;
  const waiting = shards.reduce((sum, shard) => sum + shard.waiting, 0);
  const there = workers.filter(({ isThere }) => isThere).length;
  const who =
    shared || workers.length > 0 ? `${there} of ${workers.length} workers there` : 'one central has all shards';
  const what = waiting === 0 ? 'all that is stored is folded' : `${waiting.toLocaleString()} stored and not folded yet`;
  setText(byId('central-sum', HTMLParagraphElement), `${who}, ${what}`);
  const list = byId('central-concerns', HTMLUListElement);
  list.hidden = concerns.length === 0;
  keyed(
    list,
    concerns,
    (text) => text,
    (text) => el('li', { class: 'alarm' }, text),
    () => undefined,
  );
  showWorkers(workers);
  showShards(shards);
}

function bodyOf(id: string, hidden: boolean): HTMLElement {
  const table = byId(id, HTMLTableElement);
  table.hidden = hidden;
  return table.tBodies[0] ?? table.createTBody();
}

function showWorkers(workers: CentralAnswer['workers']): void {
  keyed(
    bodyOf('workers', workers.length === 0),
    workers,
    ({ id }) => id,
    ({ id, host }) =>
      el(
        'tr',
        {},
        el('th', { scope: 'row' }, el('span', {}, id), el('small', {}, host)),
        el('td', { 'data-head': 'State' }),
        el('td', { 'data-head': 'Shards' }),
        el('td', { 'data-head': 'Version' }),
        el('td', { 'data-head': 'Heard' }, agoElement(null)),
      ),
    (row, worker) => {
      const [, state, shards, version, heard] = row.children;
      row.classList.toggle('is-gone', !worker.isThere);
      if (state) setText(state, worker.isThere ? (worker.leads ? 'leads' : 'there') : 'gone');
      if (shards) setText(shards, String(worker.shards));
      if (version) setText(version, worker.version);
      const time = heard?.querySelector('time');
      if (time) setAgo(time, worker.heardAt);
    },
  );
}

const SHARD_HEADS = ['Worker', 'Agents', 'Stored', 'In order', 'Folded', 'Awaited'];

function showShards(shards: CentralAnswer['shards']): void {
  const used = shards.filter(({ arrived, waiting, awaited }) => arrived + waiting + awaited > 0);
  byId('shards-box', HTMLDetailsElement).hidden = used.length === 0;
  setText(byId('shards-sum', HTMLElement), `${used.length} ${used.length === 1 ? 'shard' : 'shards'} with events`);
  keyed(
    bodyOf('shards', used.length === 0),
    used,
    ({ shard }) => shard,
    ({ shard }) =>
      el('tr', {}, el('th', { scope: 'row' }, shard), ...SHARD_HEADS.map((head) => el('td', { 'data-head': head }))),
    (row, { worker, epochs, arrived, positioned, projected, awaited }) => {
      const agents = [...new Set(epochs.map(({ agent }) => agent))].join(', ');
      const numbers = [arrived, positioned, projected, awaited].map((number) => number.toLocaleString());
      [worker ?? '–', agents, ...numbers].forEach((text, index) => {
        const cell = row.children[index + 1];
        if (cell) setText(cell, text);
      });
    },
  );
}
