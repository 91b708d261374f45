/** The devices: agents and their sources, and the centrals. */
import { getCentral } from './api.ts';
import { createDeviceCard, type DeviceCard } from './device-card.ts';
import { showCentral } from './device-central.ts';
import { byId, keyed, setText } from './dom.ts';
import type { Agent, AgentsAnswer } from './types.ts';

/** So often central is asked how its parts are, while somebody looks. */
const CENTRAL_EVERY_MS = 10_000;

export interface Devices {
  /** Null: central has not told yet. */
  show(answer: AgentsAnswer | null): void;
}

export function createDevices(): Devices {
  const list = byId('devices', HTMLUListElement);
  const cards = new WeakMap<HTMLElement, DeviceCard>();
  const view = byId('view-devices', HTMLDivElement);
  let askedAt = Number.NEGATIVE_INFINITY;
  const ask = () => {
    if (view.hidden || document.hidden || performance.now() - askedAt < CENTRAL_EVERY_MS) return;
    askedAt = performance.now();
    getCentral().then(showCentral, () => showCentral(null));
  };
  setInterval(ask, CENTRAL_EVERY_MS);
  return {
    show(answer) {
      ask();
      byId('devices-reading', HTMLParagraphElement).hidden = answer !== null;
      const agents = answer?.agents ?? [];
      byId('no-devices', HTMLDivElement).hidden = answer === null || agents.length > 0;
      list.hidden = agents.length === 0;
      setText(byId('devices-sum', HTMLParagraphElement), sumOf(agents));
      keyed(
        list,
        agents,
        ({ agent }) => agent,
        () => {
          const card = createDeviceCard();
          cards.set(card.node, card);
          return card.node;
        },
        (node, agent) => cards.get(node)?.show(agent),
      );
    },
  };
}

function sumOf(agents: readonly Agent[]): string {
  if (agents.length === 0) return '';
  const online = agents.filter(({ state }) => state === 'online').length;
  const stalled = agents.filter(({ health }) => health?.stalled === true).length;
  const waiting = agents.reduce((sum, { health }) => sum + (typeof health?.queue === 'number' ? health.queue : 0), 0);
  const parts = [
    `${agents.length.toLocaleString()} ${agents.length === 1 ? 'agent' : 'agents'}`,
    `${online === agents.length ? 'all' : online.toLocaleString()} online`,
    stalled === 0 ? '' : `${stalled} stalled`,
    waiting === 0 ? 'nothing waits' : `${waiting.toLocaleString()} ${waiting === 1 ? 'event waits' : 'events wait'}`,
  ];
  return parts.filter(Boolean).join(', ');
}
