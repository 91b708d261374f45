/** What the hash of the address means. Pure; hashes without a slash are places on the page that is shown. */

export type Route =
  | { readonly view: 'home' }
  | { readonly view: 'cat'; readonly id: number }
  | { readonly view: 'devices' }
  | { readonly view: 'unknown'; readonly asked: string };

/** Null: `#events`, `#add-cat`: the view stays. */
export function routeOf(hash: string): Route | null {
  const asked = hash.replace(/^#/, '');
  // What home shows of the timeline stands behind the question mark: see filters.ts.
  if (asked === '' || /^\/(\?|$)/.test(asked)) return { view: 'home' };
  if (!asked.startsWith('/')) return null;
  if (/^\/devices\/?$/.test(asked)) return { view: 'devices' };
  const id = Number(/^\/cats\/([1-9]\d{0,14})\/?$/.exec(asked)?.[1]);
  return id > 0 ? { view: 'cat', id } : { view: 'unknown', asked };
}
