/** One cat. */
import { byId, setText } from './dom.ts';
import type { Cat } from './types.ts';

/** `cats` is null until central has told them. Returns what the view shows, for the title. */
export function showCat(id: number, cats: readonly Cat[] | null): string {
  const cat = cats?.find((one) => one.id === id);
  const unknown = cats === null ? 'Cat' : `There is no cat ${id}`;
  setText(byId('cat-title', HTMLHeadingElement), cat?.name ?? unknown);
  setText(byId('cat-now', HTMLParagraphElement), cat === undefined ? '' : (cat.location ?? 'place unknown'));
  return cat?.name ?? unknown;
}
