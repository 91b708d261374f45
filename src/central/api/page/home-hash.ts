/** What home shows stands in the address, so that it can be linked and survives a reload: `#/?cat=1&day=2026-11-20`. */

/** In this order. `at`: the moment that the house is shown as of. */
const NAMES = ['cat', 'type', 'agent', 'day', 'at'] as const;

export type HomeName = (typeof NAMES)[number];

/** The empty text where it is not there, or not of that form. */
export function fromHash(name: HomeName, form: RegExp): string {
  const text = queryOf(location.hash).get(name) ?? '';
  return form.test(text) ? text : '';
}

/** The empty text takes it out. Going back leaves the page, and does not go through all that was ever chosen. */
export function toHash(changes: Readonly<Partial<Record<HomeName, string>>>): void {
  const old = queryOf(location.hash);
  const query = new URLSearchParams();
  for (const name of NAMES) {
    const value = changes[name] ?? old.get(name) ?? '';
    if (value !== '') query.set(name, value);
  }
  // A moment keeps its colons, so that people can read it.
  const text = query.toString().replaceAll('%3A', ':');
  history.replaceState(history.state, '', text === '' ? '#/' : `#/?${text}`);
}

function queryOf(hash: string): URLSearchParams {
  return new URLSearchParams(/^#\/\?(.*)$/.exec(hash)?.[1] ?? '');
}
