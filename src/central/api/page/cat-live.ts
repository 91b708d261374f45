/** How the collar of a cat moves now: central asks its agent once a second, as long as somebody looks. */
import { span } from './ago.ts';
import { getLive } from './api.ts';
import { byId, el, keyed, setText } from './dom.ts';
import { createLivePlot, type LivePlot, percentOf } from './live-plot.ts';
import type { Agent, Cat, LiveTrace } from './types.ts';

const EVERY_MS = 1_000;
/** Then it waits for somebody to say that they still look. */
const LOOK_MS = 300_000;

export interface CatLive {
  show(cat: Cat, agents: readonly Agent[]): void;
}

export function createCatLive(): CatLive {
  const box = byId('cat-live', HTMLDetailsElement);
  const place = byId('cat-live-plot', HTMLDivElement);
  const answer = byId('cat-live-answer', HTMLParagraphElement);
  const more = byId('cat-live-more', HTMLButtonElement);
  let collar: string | null = null;
  let agent: string | null = null;
  let plot: LivePlot | null = null;
  let isAsking = false;
  let sinceMs = 0;
  const show = (trace: LiveTrace) => {
    plot ??= createLivePlot();
    if (plot.node.parentElement !== place) place.replaceChildren(plot.node);
    plot.show(trace);
    setText(byId('cat-live-words', HTMLParagraphElement), wordsOf(trace));
    showLists(trace);
  };
  const clear = () => {
    place.replaceChildren();
    setText(answer, '');
    setText(byId('cat-live-words', HTMLParagraphElement), '');
    for (const id of ['cat-live-warnings', 'cat-live-bursts']) byId(id, HTMLUListElement).replaceChildren();
  };
  const ask = async () => {
    // Closed, or of another view: nobody sees it.
    if (isAsking || !box.open || document.hidden || box.offsetParent === null) return;
    more.hidden = performance.now() - sinceMs < LOOK_MS;
    if (!more.hidden) return;
    if (collar === null || agent === null) {
      setText(answer, collar === null ? 'The cat wears no collar.' : `No agent that is online hears ${collar}.`);
      return;
    }
    const asked = `${agent}\n${collar}`;
    isAsking = true;
    try {
      const trace = await getLive(agent, collar);
      if (asked === `${agent}\n${collar}`) show(trace);
      setText(answer, '');
    } catch (error) {
      setText(answer, error instanceof Error ? error.message : String(error));
    } finally {
      isAsking = false;
    }
  };
  const begin = () => {
    sinceMs = performance.now();
    void ask();
  };
  box.addEventListener('toggle', begin);
  more.addEventListener('click', begin);
  setInterval(() => void ask(), EVERY_MS);
  return {
    show(cat, agents) {
      const now = cat.collar === null ? null : hearerOf(cat.collar, agents);
      if (cat.collar !== collar || now !== agent) clear();
      if (cat.collar !== collar) box.open = false;
      [collar, agent] = [cat.collar, now];
    },
  };
}

/** The agent that is online and has heard it last; health is a stranger's. */
export function hearerOf(collar: string, agents: readonly Agent[]): string | null {
  let [found, newest]: [string | null, string] = [null, ''];
  for (const { agent, state, health } of agents) {
    if (state !== 'online' || !Array.isArray(health?.collars)) continue;
    for (const told of health.collars as readonly unknown[]) {
      const { collar: name, lastHeard } = (told ?? {}) as Readonly<Record<string, unknown>>;
      if (name !== collar || typeof lastHeard !== 'string' || lastHeard <= newest) continue;
      [found, newest] = [agent, lastHeard];
    }
  }
  return found;
}

function wordsOf({ measure, columns, rateHz, restG, bursts }: LiveTrace): string {
  const last = columns.at(-1);
  if (measure === null || last === undefined) return 'Nothing has come from the collar yet.';
  const level = {
    acceleration: `${last.level.toFixed(2)} g`,
    level: last.level.toFixed(2),
    edges: `${last.level} edges`,
  };
  const shakes = bursts.length === 1 ? 'one shake' : `${bursts.length} shakes`;
  const facts = [
    `Now ${level[measure]}`,
    last.odds === null ? '' : `${percentOf(last.odds).toFixed(0)} % sure`,
    rateHz === null ? '' : `${rateHz.toFixed(0)} readings a second`,
    restG === null ? '' : `at rest it weighs ${restG.toFixed(2)} g`,
    bursts.length === 0 ? 'no shake found' : `${shakes} found`,
  ];
  return `${facts.filter(Boolean).join(', ')}.`;
}

function showLists({ warnings, bursts, nowMs }: LiveTrace): void {
  keyed(
    byId('cat-live-warnings', HTMLUListElement),
    warnings,
    (text) => text,
    (text) => el('li', {}, text),
    () => undefined,
  );
  keyed(
    byId('cat-live-bursts', HTMLUListElement),
    bursts.toReversed(),
    ({ startMs }) => String(startMs),
    () => el('li'),
    (node, { startMs, endMs }) => {
      const began = span(nowMs - startMs);
      const length = endMs === null ? 'goes on' : `${((endMs - startMs) / 1_000).toFixed(1)} s long`;
      setText(node, `Shake ${began === 'now' ? began : `${began} ago`}, ${length}`);
    },
  );
}
