/** Puts the page together: the stream feeds cats, timeline and agents; nothing is polled but how the centrals are, while somebody looks. */

import { showAgents, showCollars, submit } from './agents.ts';
import { nowMs, setAgo, setClock, tick } from './ago.ts';
import { addCat } from './api.ts';
import { createCatView } from './cat-view.ts';
import { createCorrections } from './correct.ts';
import { createDevices } from './devices.ts';
import { byId, setText } from './dom.ts';
import { createHome } from './home.ts';
import { openLive } from './live.ts';
import { showModels } from './models.ts';
import { createPictures } from './pictures.ts';
import { createRouter, type Router } from './router.ts';
import type { AgentsAnswer, Cat } from './types.ts';

const OFFLINE_AFTER_MS = 1_500;

function start(): void {
  let cats: readonly Cat[] = [];
  let isTold = false;
  let areAgentsTold = false;
  const devices = createDevices();
  let agents: AgentsAnswer = { simulated: false, agents: [], unassigned: [] };
  let simulated = false;
  const sayState = createStateLine();
  const corrections = createCorrections();
  const pictures = createPictures(() => sayModels());
  const home = createHome(corrections, pictures.of);
  const catView = createCatView(corrections, pictures.of);

  /** Home is kept up to date behind the others, which draw what they show. */
  const showView = ({ route, title }: Router) => {
    if (route.view === 'cat') title(catView.show(route.id, isTold ? cats : null, agents));
    else if (route.view === 'devices') {
      devices.show(areAgentsTold ? agents : null);
      title('Devices');
    } else title(route.view === 'home' ? null : 'No such view');
    if (route.view === 'home') home.read();
  };
  const router = createRouter(showView);
  const sayModels = () => {
    home.know(isTold ? cats : null, agents.agents);
    showAgents(agents.agents);
    showCollars(agents.unassigned, cats);
    const any = simulated || agents.agents.some((agent) => agent.health?.simulated === true);
    byId('simulated', HTMLParagraphElement).hidden = !any;
    router.simulated(any);
    showView(router);
  };
  openLive({
    state: sayState,
    hello(hello, fresh) {
      setClock(hello.now);
      simulated = hello.simulated;
      setText(byId('version', HTMLSpanElement), hello.version);
      byId('logout', HTMLFormElement).hidden = !hello.login;
      if (fresh) {
        pictures.know(cats, true);
        home.reload().catch(() => sayState('lost'));
        catView.reload();
      }
    },
    event(event) {
      home.event(event);
      catView.event(event);
    },
    cats(answer) {
      cats = answer.cats;
      isTold = true;
      pictures.know(cats, false);
      sayModels();
    },
    agents(answer) {
      agents = answer;
      areAgentsTold = true;
      sayModels();
    },
    models: showModels,
  });
  setInterval(tick, 1_000);
  takeNewCats();
}

/** The word at the top, and a banner where central does not answer. */
function createStateLine(): (state: 'live' | 'lost') => void {
  let offline: ReturnType<typeof setTimeout> | undefined;
  let isLive = false;
  const answered = byId('answered', HTMLTimeElement);
  setAgo(answered, null);
  return (state) => {
    const live = byId('live', HTMLParagraphElement);
    live.dataset.state = state;
    setText(live, state === 'live' ? 'live' : 'connecting');
    if (isLive && state === 'lost') setAgo(answered, new Date(nowMs()).toISOString());
    isLive = state === 'live';
    document.body.classList.toggle('is-lost', !isLive);
    clearTimeout(offline);
    const banner = byId('offline', HTMLParagraphElement);
    if (state === 'live') banner.hidden = true;
    // A blink of the network is nobody's business.
    else offline = setTimeout(() => (banner.hidden = false), OFFLINE_AFTER_MS);
  };
}

function takeNewCats(): void {
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
