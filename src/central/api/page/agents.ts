/** The agents with what they wait for, and the collars that belong to no cat. */
import { agoElement, setAgo } from './ago.ts';
import { addCat, giveCollar } from './api.ts';
import { byId, el, keyed, setText } from './dom.ts';
import { faultsOf, sourcesOf } from './health.ts';
import type { Agent, Cat, Source, Unassigned } from './types.ts';

export function showAgents(agents: readonly Agent[]): void {
  byId('no-agents', HTMLParagraphElement).hidden = agents.length > 0;
  keyed(byId('agents', HTMLUListElement), agents, (agent) => agent.agent, makeAgent, updateAgent);
}

function makeAgent(agent: Agent): HTMLElement {
  return el(
    'li',
    { class: 'agent card' },
    el('div', { class: 'agent-head' }, el('h3', {}, agent.agent), el('span', { class: 'state' })),
    el(
      'dl',
      { class: 'facts' },
      el('div', {}, el('dt', {}, 'queue'), el('dd', { class: 'queue' })),
      el('div', {}, el('dt', {}, 'last confirmed'), el('dd', {}, agoElement(null))),
    ),
    el('ul', { class: 'badges' }),
    el('p', { class: 'trouble' }),
    el('ul', { class: 'sources' }),
  );
}

function updateAgent(card: HTMLElement, agent: Agent): void {
  const health = agent.health ?? {};
  const part = (selector: string) => (card.querySelector(selector) ?? card) as HTMLElement;
  part('.state').dataset.state = agent.state;
  setText(part('.state'), agent.state);
  const queue = health.queue;
  setText(part('.queue'), typeof queue === 'number' ? count(queue, 'event') : 'not told');
  const confirmed = card.querySelector<HTMLTimeElement>('.facts time');
  const told = health.lastConfirmed;
  if (confirmed !== null) setAgo(confirmed, typeof told === 'string' ? told : agent.lastStored);
  keyed(
    part('.badges'),
    badgesOf(agent),
    ([text]) => text,
    ([text, kind]) => el('li', { class: `badge ${kind}` }, text),
    () => undefined,
  );
  part('.badges').hidden = part('.badges').children.length === 0;
  setText(part('.trouble'), typeof health.lastError === 'string' ? health.lastError : '');
  part('.trouble').hidden = part('.trouble').textContent === '';
  part('.sources').replaceChildren(...sourcesOf(health).map(sourceElement));
}

export function badgesOf(agent: Agent): [string, string][] {
  const health = agent.health ?? {};
  const missing = agent.epochs.reduce((sum, epoch) => sum + epoch.missing, 0);
  const badges: [string, string | boolean][] = [
    ['SIMULATED', health.simulated === true && 'simulated'],
    ['signed', agent.signed === 'verified' && 'good'],
    ['first-use key', agent.signed === 'first-use' && 'good'],
    ['key revoked', agent.signed === 'revoked' && 'bad'],
    ['stalled', health.stalled === true && 'bad'],
    [`disk: ${health.disk}`, health.disk === 'warn' && 'warn'],
    [`disk: ${health.disk}`, (health.disk === 'thinning' || health.disk === 'losing') && 'bad'],
    ['clock not set', health.clock === 'unsynced' && 'warn'],
    ['histories differ', (health.conflicting === true || agent.epochs.some((epoch) => !epoch.chainOk)) && 'bad'],
    [`${health.oversize} too large to send`, typeof health.oversize === 'number' && health.oversize > 0 && 'bad'],
    [count(agent.conflicts, 'conflict'), agent.conflicts > 0 && 'bad'],
    [`${missing} missing`, missing > 0 && 'warn'],
    [count(agent.gaps, 'gap'), agent.gaps > 0 && 'warn'],
    [`${agent.quarantined} in quarantine`, agent.quarantined > 0 && 'bad'],
  ];
  return badges.filter((badge): badge is [string, string] => badge[1] !== false);
}

function count(number: number, what: string): string {
  return `${number.toLocaleString()} ${what}${number === 1 ? '' : 's'}`;
}

function sourceElement(source: Source): HTMLElement {
  const faults = faultsOf(source);
  const bad = faults.reduce((sum, [, count]) => sum + count, 0);
  const reasons = faults.map(([reason, count]) => `${reason} ${count}`).join(', ');
  const readings = typeof source.readings === 'number' ? `${source.readings.toLocaleString()} readings` : '';
  const lost = Number(source.lostSamples) > 0 ? `${Number(source.lostSamples).toLocaleString()} lost` : '';
  const open = source.state === 'open';
  return el(
    'li',
    { class: open ? 'source' : 'source not-open' },
    el('span', { class: 'source-name' }, String(source.source ?? 'source')),
    el(
      'span',
      { class: 'muted' },
      [open ? '' : String(source.state ?? 'unknown'), readings, lost].filter(Boolean).join(' · '),
    ),
    bad === 0 ? null : el('span', { class: 'bad-frames' }, `${bad.toLocaleString()} bad: ${reasons}`),
    typeof source.reason === 'string' && !open ? el('span', { class: 'bad-frames' }, source.reason) : null,
  );
}

export function showCollars(collars: readonly Unassigned[], cats: readonly Cat[]): void {
  byId('collars-section', HTMLElement).hidden = collars.length === 0;
  keyed(
    byId('collars', HTMLUListElement),
    collars,
    (collar) => collar.collar,
    makeCollar,
    (node, collar) => updateCollar(node, collar, cats),
  );
}

function makeCollar({ collar, agent }: Unassigned): HTMLElement {
  const select = el('select', { name: 'cat', 'aria-label': `Cat for collar ${collar}` });
  const name = el('input', { name: 'name', maxlength: '64', placeholder: 'name', 'aria-label': 'Name of the new cat' });
  const answer = el('p', { class: 'answer', role: 'status' });
  const form = el('form', { class: 'give' }, select, name, el('button', { type: 'submit' }, 'Give'), answer);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const cat = Number(select.value);
    submit(form, answer, cat > 0 ? giveCollar(cat, collar) : addCat(name.value, collar), '');
  });
  select.addEventListener('change', () => {
    name.hidden = select.value !== '';
    name.required = !name.hidden;
  });
  return el(
    'li',
    { class: 'collar' },
    el(
      'p',
      {},
      el('strong', { class: 'collar-id' }, collar),
      ' ',
      el('small', { class: 'muted' }, 'heard by ', agent, ' ', agoElement(null)),
    ),
    form,
  );
}

function updateCollar(node: HTMLElement, collar: Unassigned, cats: readonly Cat[]): void {
  const heard = node.querySelector('time');
  if (heard !== null) setAgo(heard, collar.lastSeen);
  const select = node.querySelector('select');
  const name = node.querySelector('input');
  if (select === null || name === null) return;
  const options = [{ id: '', name: 'a new cat…' }, ...cats.map((cat) => ({ id: String(cat.id), name: cat.name }))];
  keyed(
    select,
    options,
    (option) => `cat-${option.id}`,
    (option) => el('option', { value: option.id }),
    (option, { name: text }) => setText(option, text),
  );
  name.hidden = select.value !== '';
  name.required = !name.hidden;
}

/** Runs a command and says how it went, in central's words where it refuses. */
export function submit(form: HTMLFormElement, answer: HTMLElement, command: Promise<void>, done: string): void {
  const button = form.querySelector('button');
  if (button !== null) button.disabled = true;
  const end = (text: string, good: boolean) => {
    if (button !== null) button.disabled = false;
    answer.classList.toggle('bad', !good);
    answer.textContent = text;
    if (good) form.reset();
  };
  command.then(
    () => end(done, true),
    (error: unknown) => end(error instanceof Error ? error.message : String(error), false),
  );
}
