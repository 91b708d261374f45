/** The last 24 hours of a cat as a strip: one cell an hour, the darker the more meows. Told as a sentence to who listens. */
import type { Activity } from './activity.ts';
import { el } from './dom.ts';

/** As many as home.css has shades, the lightest for none. */
const SHADES = 5;

/** Makes the cells of `strip` those of a cat, `busiest` the most meows of any hour of any cat: shades mean the same for all. */
export function drawHeat(
  strip: HTMLElement,
  { hours: labels }: Activity,
  hours: readonly number[],
  busiest: number,
): void {
  const cells = hours.map((meows, i) =>
    el('span', { class: `heat-${shade(meows, busiest)}`, title: `${labels[i] ?? ''} · ${count(meows)}` }),
  );
  strip.replaceChildren(...cells);
  strip.setAttribute('aria-label', sentence(labels, hours));
}

function shade(meows: number, busiest: number): number {
  return meows === 0 ? 0 : Math.max(1, Math.ceil((meows / Math.max(busiest, SHADES - 1)) * (SHADES - 1)));
}

function sentence(labels: readonly string[], hours: readonly number[]): string {
  const all = hours.reduce((total, meows) => total + meows, 0);
  const most = Math.max(...hours);
  const when = all === 0 ? '' : `, most from ${labels[hours.indexOf(most)] ?? ''}: ${most}`;
  return `Last 24 hours: ${count(all)}${when}`;
}

function count(meows: number): string {
  return meows === 1 ? '1 meow' : `${meows === 0 ? 'no' : meows} meows`;
}
