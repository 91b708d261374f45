/** Pictures of cats, where there are some: else a cat is the first letter of its name. */
import { getPictures } from './api.ts';
import { el, setText } from './dom.ts';
import type { Cat } from './types.ts';

export interface Pictures {
  /** The cats may be others, or central another one. Calls back when there are pictures to show. */
  know(cats: readonly Cat[], fresh: boolean): void;
  /** Its address, or null. */
  of(catId: number): string | null;
}

export function createPictures(changed: () => void): Pictures {
  let versions: ReadonlyMap<number, string> = new Map();
  let known = '';
  return {
    know(cats, fresh) {
      const key = cats.map(({ id, name }) => `${id} ${name}`).join('\n');
      if (key === known && !fresh) return;
      known = key;
      getPictures()
        .then(({ pictures }) => {
          versions = new Map(pictures.map(({ catId, version }) => [catId, version]));
          changed();
        })
        // Letters do as well.
        .catch(() => undefined);
    },
    of(catId) {
      const version = versions.get(catId);
      return version === undefined ? null : `api/v1/cats/${catId}/picture?v=${encodeURIComponent(version)}`;
    },
  };
}

/** What stands beside it says whose it is. */
export function showAvatar(node: HTMLElement, { name }: Pick<Cat, 'name'>, picture: string | null): void {
  const shown = node.querySelector('img');
  if (picture === null) {
    setText(node, firstLetter(name));
    return;
  }
  if (shown?.getAttribute('src') === picture || node.dataset.broken === picture) return;
  const image = el('img', { src: picture, alt: '' });
  image.addEventListener('error', () => {
    node.dataset.broken = picture;
    setText(node, firstLetter(name));
  });
  node.replaceChildren(image);
}

export function firstLetter(name: string): string {
  const [first] = new Intl.Segmenter().segment(name);
  return (first?.segment ?? '?').toUpperCase();
}
