/** What the watchdog looks for in the cat, and how that is changed. */
import { getActivity } from './api.ts';
import { byId, el, setText } from './dom.ts';
import { ruleText, ruleYaml } from './rule-text.ts';
import type { Cat } from './types.ts';

export function readRules({ id, name }: Cat): void {
  const list = byId('cat-rules', HTMLUListElement);
  const failed = byId('cat-rules-failed', HTMLParagraphElement);
  list.dataset.cat = String(id);
  getActivity(id).then(
    ({ rules }) => {
      if (list.dataset.cat !== String(id)) return;
      failed.hidden = true;
      byId('cat-no-rules', HTMLParagraphElement).hidden = rules.length > 0;
      const rows = rules.map((rule) =>
        el('li', {}, ruleText(rule), rule.own ? el('small', { class: 'muted' }, `, for ${name} alone`) : null),
      );
      list.replaceChildren(...rows);
      const first = rules[0] ?? { rule: 'shaking', own: false, meows: 20, withinMinutes: 10 };
      setText(byId('cat-rule-yaml', HTMLElement), ruleYaml(first, name));
    },
    () => {
      failed.hidden = list.dataset.cat !== String(id);
    },
  );
}
