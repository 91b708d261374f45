/** One agent with all that somebody who looks after it must know. */
import { badgesOf } from './agents.ts';
import { factsOf } from './device-facts.ts';
import { createGaps } from './device-gaps.ts';
import { createSources, showSources } from './device-sources.ts';
import { el, keyed, setText } from './dom.ts';
import { showFacts } from './facts.ts';
import type { Agent } from './types.ts';

export interface DeviceCard {
  readonly node: HTMLElement;
  show(agent: Agent): void;
}

export function createDeviceCard(): DeviceCard {
  const name = el('h3');
  const state = el('span', { class: 'state' });
  const badges = el('ul', { class: 'badges' });
  const alarm = el('p', { class: 'alarm', hidden: '' }, el('strong', {}, 'Stalled'), ' ', el('span'));
  const trouble = el('p', { class: 'trouble' });
  const facts = el('dl', { class: 'facts-grid' });
  const sources = createSources();
  const gaps = createGaps();
  const advice = el('ul', { class: 'advice' });
  const histories = el('details', { class: 'histories' }, el('summary'), el('ul'));
  const node = el(
    'li',
    { class: 'device card' },
    el('div', { class: 'device-head' }, name, state, badges),
    alarm,
    trouble,
    facts,
    sources,
    gaps.node,
    advice,
    histories,
  );
  return {
    node,
    show(agent) {
      const health = agent.health ?? {};
      setText(name, agent.agent);
      state.dataset.state = agent.state;
      setText(state, agent.state);
      const isStalled = health.stalled === true;
      node.classList.toggle('is-stalled', isStalled);
      alarm.hidden = !isStalled;
      setText(alarm.querySelector('span') ?? alarm, stalledText(health.lastError));
      const error = typeof health.lastError === 'string' && !isStalled ? health.lastError : '';
      setText(trouble, error);
      trouble.hidden = error === '';
      showBadges(badges, agent);
      showFacts(facts, factsOf(agent));
      showSources(sources, health);
      gaps.show(agent);
      showAdvice(advice, agent);
      showHistories(histories, agent);
    },
  };
}

function stalledText(error: unknown): string {
  const what = 'The backlog does not move: what is logged stays on the agent and is sent when the way is free.';
  return typeof error === 'string' ? `${what} Last heard: ${error}` : what;
}

/** What the card says in full below needs no badge. */
const TOLD_BELOW = /^(stalled|clock not set|disk: |[\d,.]+ missing|[\d,.]+ gaps?$|[\d,.]+ conflicts?$)|in quarantine$/;

function showBadges(list: HTMLElement, agent: Agent): void {
  keyed(
    list,
    badgesOf(agent).filter(([text]) => !TOLD_BELOW.test(text)),
    ([text]) => text,
    ([text, kind]) => el('li', { class: `badge ${kind}` }, text),
    () => undefined,
  );
  list.hidden = list.children.length === 0;
}

interface Advice {
  readonly what: string;
  readonly command: string;
  /** Where the API tells more. */
  readonly link: string;
}

function showAdvice(list: HTMLElement, agent: Agent): void {
  const all = adviceOf(agent);
  list.hidden = all.length === 0;
  keyed(
    list,
    all,
    ({ what, command }) => `${what}|${command}`,
    ({ what, command, link }) =>
      el('li', {}, el('span', {}, what), el('code', {}, command), link === '' ? null : el('a', { href: link }, 'show')),
    () => undefined,
  );
}

function adviceOf({ agent, conflicts, quarantined, epochs, health }: Agent): Advice[] {
  const query = new URLSearchParams({ agent });
  const differ = health?.conflicting === true || epochs.some(({ chainOk }) => !chainOk);
  const many = (count: number, one: string, more: string) => `${count.toLocaleString()} ${count === 1 ? one : more}`;
  const found: (Advice | null)[] = [
    differ
      ? {
          what: 'Agent and central hold different histories: nothing is deleted on the agent meanwhile.',
          command: `collard verify --agent ${agent} --config central.yaml`,
          link: '',
        }
      : null,
    conflicts === 0
      ? null
      : {
          what: `${many(conflicts, 'event has', 'events have')} the number of another event.`,
          command: `collard quarantine list --conflicts --agent ${agent}`,
          link: `api/v1/conflicts?${query}`,
        },
    quarantined === 0
      ? null
      : {
          what: `${many(quarantined, 'message is', 'messages are')} in quarantine: central could not take them in.`,
          command: `collard quarantine list --agent ${agent}`,
          link: `api/v1/quarantine?${query}`,
        },
  ];
  return found.filter((one) => one !== null);
}

function showHistories(details: HTMLDetailsElement, { epochs }: Agent): void {
  const [summary, list] = details.children;
  details.hidden = epochs.length === 0;
  if (summary === undefined || !(list instanceof HTMLElement)) return;
  const events = epochs.reduce((sum, { mark }) => sum + mark, 0);
  const histories = epochs.length === 1 ? 'One history' : `${epochs.length} histories`;
  setText(summary, `${histories}, ${events.toLocaleString()} confirmed`);
  keyed(
    list,
    epochs,
    ({ epoch }) => epoch,
    ({ epoch }) => el('li', {}, el('code', {}, epoch), ' ', el('span')),
    (node, { mark, highestSeq, chainOk }) =>
      setText(
        node.querySelector('span') ?? node,
        `confirmed to ${mark.toLocaleString()} of ${highestSeq.toLocaleString()}${chainOk ? '' : ', chain differs'}`,
      ),
  );
}
