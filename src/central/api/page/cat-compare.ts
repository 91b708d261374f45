/** What other settings of shakes would change: asked of the agent that keeps readings of the collar. Nothing is applied by it. */
import { clockTime, fullTime } from './ago.ts';
import { compareSettings } from './api.ts';
import { hearerOf } from './cat-live.ts';
import { drawCompared } from './compare-plot.ts';
import { byId, el, setText } from './dom.ts';
import type { Agent, Cat, Compared, ComparedChange } from './types.ts';

const KEYS = ['sensitivity', 'quietMs', 'levelOn', 'levelHold', 'edgesOn', 'edgesMs'] as const;

export interface CatCompare {
  show(cat: Cat, agents: readonly Agent[]): void;
}

export function createCatCompare(): CatCompare {
  const box = byId('cat-compare', HTMLDetailsElement);
  const form = byId('cat-compare-form', HTMLFormElement);
  const answer = byId('cat-compare-answer', HTMLParagraphElement);
  const button = byId('cat-compare-go', HTMLButtonElement);
  const found = byId('cat-compare-found', HTMLDivElement);
  let collar: string | null = null;
  let agent: string | null = null;
  let asked = new AbortController();
  const clear = () => {
    asked.abort();
    asked = new AbortController();
    button.disabled = false;
    found.hidden = true;
    say('', false);
  };
  const say = (text: string, isBad: boolean) => {
    answer.classList.toggle('bad', isBad);
    setText(answer, text);
  };
  const ask = async () => {
    if (collar === null || agent === null)
      return say(collar === null ? 'The cat wears no collar.' : `No agent that is online hears ${collar}.`, true);
    clear();
    const { signal } = asked;
    button.disabled = true;
    say(`${agent} decides its kept readings anew. This takes up to 45 seconds…`, false);
    try {
      const compared = await compareSettings(agent, collar, questionOf(form), signal);
      if (signal.aborted) return;
      show(compared, agent);
      found.hidden = false;
      say('', false);
    } catch (error) {
      if (!signal.aborted) say(error instanceof Error ? error.message : String(error), true);
    } finally {
      if (!signal.aborted) button.disabled = false;
    }
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void ask();
  });
  return {
    show(cat, agents) {
      const now = cat.collar === null ? null : hearerOf(cat.collar, agents);
      if (cat.collar !== collar) {
        clear();
        form.reset();
        box.open = false;
      }
      // An agent that is away for a moment leaves what it found.
      [collar, agent] = [cat.collar, now];
    },
  };
}

/** Fields that are empty stay as they are. */
function questionOf(form: HTMLFormElement) {
  const fields = new FormData(form);
  const numberOf = (name: string) => String(fields.get(name) ?? '').trim();
  const set = KEYS.flatMap((key) => (numberOf(key) === '' ? [] : [[key, Number(numberOf(key))] as const]));
  return { hours: Number(numberOf('hours')), shake: Object.fromEntries(set) };
}

function show(compared: Compared, agent: string): void {
  byId('cat-compare-plot', HTMLDivElement).replaceChildren(drawCompared(compared));
  setText(byId('cat-compare-words', HTMLParagraphElement), wordsOf(compared));
  setText(byId('cat-compare-yaml', HTMLElement), yamlOf(compared));
  setText(byId('cat-compare-where', HTMLSpanElement), agent);
  const { changes, added, removed, moved, fromMs } = compared;
  const rows = changes.toReversed().map((change) => rowOf(change, fromMs));
  byId('cat-compare-rows', HTMLTableSectionElement).replaceChildren(...rows);
  byId('cat-compare-table', HTMLTableElement).hidden = rows.length === 0;
  const left = added + removed + moved - rows.length;
  setText(byId('cat-compare-left', HTMLParagraphElement), left === 0 ? '' : `${left} older changes are not listed.`);
}

function wordsOf({ added, removed, moved, same, coveredMs, past, anew }: Compared): string {
  const hours = coveredMs / 3_600_000;
  const kept = `${hours < 0.1 ? `${Math.round(hours * 60)} min` : `${hours.toFixed(1)} h`} of readings`;
  const counts = `${past.length} shakes then, ${anew.length} now`;
  if (added + removed + moved === 0) return `Nothing would change: ${counts}, in ${kept}.`;
  return `${added} added, ${removed} removed, ${moved} moved, ${same} the same: ${counts}, in ${kept}.`;
}

function rowOf({ what, before, after }: ComparedChange, fromMs: number): HTMLElement {
  const shake = after ?? before;
  const time = new Date(fromMs + (shake?.[0] ?? 0)).toISOString();
  const lengths = [before, after].flatMap((one) => (one === null ? [] : [lengthOf(one)]));
  return el(
    'tr',
    { class: `compare-${what}` },
    el('th', { scope: 'row' }, what),
    el('td', {}, el('time', { datetime: time, title: fullTime(time) }, clockTime(time, true))),
    el('td', {}, lengths.join(' → ')),
  );
}

function lengthOf([startMs, endMs]: readonly [number, number | null]): string {
  return endMs === null ? 'not ended' : `${((endMs - startMs) / 1_000).toFixed(2)}\u00a0s`;
}

/** For the file of the agent. A name that could be something else in YAML stands in quotation marks. */
export function yamlOf({ collar, own }: Pick<Compared, 'collar' | 'own'>): string {
  const name = /^[A-Za-z][\w-]{2,}$/.test(collar) && !/^(true|false|null|yes|no|off)$/i.test(collar);
  const values = Object.entries(own).map(([key, value]) => `${key}: ${value}`);
  const set = values.length === 0 ? '{}' : `{ ${values.join(', ')} }`;
  return `detect:\n  shake:\n    collars:\n      ${name ? collar : JSON.stringify(collar)}: ${set}\n`;
}
