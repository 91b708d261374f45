/** Puts the page together: the stream feeds cats, timeline and agents; nothing is ever polled. */

import { showAgents, showCollars, submit } from './agents.ts';
import { setClock, tick } from './ago.ts';
import { addCat } from './api.ts';
import { showCats } from './cats.ts';
import { createCorrections } from './correct.ts';
import { byId, setText } from './dom.ts';
import { openLive } from './live.ts';
import { showModels } from './models.ts';
import { createTimeline } from './timeline.ts';
import type { AgentsAnswer, Cat } from './types.ts';

const OFFLINE_AFTER_MS = 1_500;

function start(): void {
  let cats: readonly Cat[] = [];
  const refused = byId('not-corrected', HTMLParagraphElement);
  const corrections = createCorrections((text) => setText(refused, text));
  const timeline = createTimeline((event) => {
    setText(refused, '');
    corrections.event(event, cats);
  });
  byId('cats', HTMLUListElement).addEventListener('click', ({ target }) => {
    const card = target instanceof Element && target.closest('.fix') !== null ? target.closest('li') : null;
    const cat = cats.find(({ id }) => String(id) === card?.dataset.key);
    if (cat !== undefined) corrections.place(cat, cats);
  });
  let agents: AgentsAnswer = { simulated: false, agents: [], unassigned: [] };
  let simulated = false;
  let offline: ReturnType<typeof setTimeout> | undefined;

  const sayState = (state: 'live' | 'lost') => {
    const live = byId('live', HTMLParagraphElement);
    live.dataset.state = state;
    setText(live, state === 'live' ? 'live' : 'connecting');
    clearTimeout(offline);
    const banner = byId('offline', HTMLParagraphElement);
    if (state === 'live') banner.hidden = true;
    // A blink of the network is nobody's business.
    else offline = setTimeout(() => (banner.hidden = false), OFFLINE_AFTER_MS);
  };
  const sayModels = () => {
    showCats(cats);
    timeline.rename(cats);
    showAgents(agents.agents);
    showCollars(agents.unassigned, cats);
    const any = simulated || agents.agents.some((agent) => agent.health?.simulated === true);
    byId('simulated', HTMLParagraphElement).hidden = !any;
    document.title = any ? 'collard (SIMULATED)' : 'collard';
  };
  openLive({
    state: sayState,
    hello(hello, fresh) {
      setClock(hello.now);
      simulated = hello.simulated;
      setText(byId('version', HTMLSpanElement), hello.version);
      if (fresh) timeline.reload().catch(() => sayState('lost'));
    },
    event: (event) => timeline.add(event),
    cats(answer) {
      cats = answer.cats;
      sayModels();
    },
    agents(answer) {
      agents = answer;
      sayModels();
    },
    models: showModels,
  });
  setInterval(tick, 1_000);

  const form = byId('add-cat', HTMLFormElement);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const fields = new FormData(form);
    const name = String(fields.get('name') ?? '').trim();
    const answer = form.querySelector<HTMLElement>('.answer');
    if (answer !== null)
      submit(form, answer, addCat(name, String(fields.get('collar') ?? '').trim()), `${name} is here`);
  });
}

start();
