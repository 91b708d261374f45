/** What the cats are made without, where they stand still, and which alerts went nowhere. */
import { byId, el, setText } from './dom.ts';
import type { ModelsAnswer } from './types.ts';

export function showModels({ skipped, stopped, webhooks }: ModelsAnswer): void {
  showWebhooks(webhooks);
  byId('stopped', HTMLParagraphElement).hidden = stopped === null;
  if (stopped !== null) {
    const why = `Since event ${stopped.id} of ${stopped.agent}: ${stopped.reason}. `;
    const fix = 'Upgrade collard, take the event back (collard events revoke), or set fold: quarantine.';
    setText(byId('stopped-why', HTMLSpanElement), why + fix);
  }
  const needed = skipped.filter((one) => one.needed);
  byId('left-out', HTMLDetailsElement).hidden = skipped.length === 0;
  const sum = (ones: ModelsAnswer['skipped']) => ones.reduce((total, { events }) => total + events, 0);
  const missing = sum(needed) === 0 ? '' : `, ${sum(needed).toLocaleString()} of which the cats lack`;
  const count = sum(skipped);
  const what = count === 1 ? 'event that this collard cannot read' : 'events that this collard cannot read';
  setText(byId('left-out-sum', HTMLElement), `${count.toLocaleString()} ${what}${missing}`);
  const rows = skipped.map(({ type, version, events, reason }) =>
    el('li', {}, el('code', {}, `${type} v${version}`), ` × ${events.toLocaleString()}: ${reason}`),
  );
  byId('left-out-types', HTMLUListElement).replaceChildren(...rows);
}

function showWebhooks({ dead, dropped }: ModelsAnswer['webhooks']): void {
  byId('untold', HTMLParagraphElement).hidden = dead + dropped === 0;
  const alerts = `${(dead + dropped).toLocaleString()} ${dead + dropped === 1 ? 'alert' : 'alerts'}`;
  const fix = dead === 0 ? '' : ' collard central webhooks tells why, and with --retry tries again.';
  setText(byId('untold-why', HTMLSpanElement), `No webhook has answered to ${alerts}.${fix}`);
}
