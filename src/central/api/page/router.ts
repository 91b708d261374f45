/**
 * Shows the view that the hash names: a section `#view-NAME` each, with a heading that takes the focus when somebody went there.
 * Who comes by a link of another page starts at the top, as with any page.
 */
import { byId, setText } from './dom.ts';
import { type Route, routeOf } from './route.ts';

const VIEWS = ['home', 'cat', 'devices', 'unknown'] as const;

export interface Router {
  readonly route: Route;
  /** What the view shows is called so; null: the product's name alone. */
  title(text: string | null): void;
  /** Stands in the title of every view. */
  simulated(is: boolean): void;
}

/** `changed` draws the view and gives it its title; it is called for the first one too. */
export function createRouter(changed: (router: Router) => void): Router {
  let route: Route = routeOf(location.hash) ?? { view: 'home' };
  let name: string | null = null;
  let isSimulated = false;
  const sayTitle = () => {
    document.title = `${name === null ? '' : `${name} · `}collard${isSimulated ? ' (SIMULATED)' : ''}`;
  };
  const router: Router = {
    get route() {
      return route;
    },
    title(text) {
      name = text;
      sayTitle();
    },
    simulated(is) {
      isSimulated = is;
      sayTitle();
    },
  };
  const show = () => {
    for (const view of VIEWS) byId(`view-${view}`, HTMLDivElement).hidden = view !== route.view;
    for (const link of document.querySelectorAll('nav a[data-view]')) {
      if (link.getAttribute('data-view') === route.view) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    if (route.view === 'unknown') setText(byId('unknown-asked', HTMLElement), route.asked);
    changed(router);
  };
  addEventListener('hashchange', () => {
    const next = routeOf(location.hash);
    // A place on the view that is shown: the browser has gone to it.
    if (next === null) return;
    const isSameView = next.view === 'home' && route.view === 'home';
    route = next;
    show();
    if (isSameView) return;
    scrollTo(0, 0);
    headingOf(route)?.focus();
  });
  // The hash is the route here, so the link must not change it.
  byId('skip', HTMLAnchorElement).addEventListener('click', (event) => {
    event.preventDefault();
    headingOf(route)?.focus();
  });
  show();
  return router;
}

function headingOf(route: Route): HTMLElement | null {
  return byId(`view-${route.view}`, HTMLDivElement).querySelector('[data-heading]');
}
