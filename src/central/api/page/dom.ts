/** Building elements. Strangers' text only ever becomes text nodes. */

type Child = Node | string | null;

/** `class` and attributes by name; null leaves one out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | null>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const node = document.getElementById(id);
  if (!(node instanceof kind)) throw new Error(`the page has no ${id}`);
  return node;
}

/** Changes the text only where it differs, so that nothing is announced or drawn for nothing. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Makes the children of a list those of `items`, in order. An element stays while its key does, so that animations run on and
 * what somebody types is not lost.
 */
export function keyed<T>(
  list: HTMLElement,
  items: readonly T[],
  keyOf: (item: T) => string,
  make: (item: T) => HTMLElement,
  update: (node: HTMLElement, item: T) => void,
): void {
  const wanted = new Set(items.map(keyOf));
  const old = new Map<string, HTMLElement>();
  for (const node of [...list.children] as HTMLElement[]) {
    const key = node.dataset.key ?? '';
    // Before anything is placed: what stays is then not moved, and keeps the focus.
    if (wanted.has(key)) old.set(key, node);
    else node.remove();
  }
  items.forEach((item, index) => {
    const key = keyOf(item);
    let node = old.get(key);
    if (node === undefined) {
      node = make(item);
      node.dataset.key = key;
    }
    update(node, item);
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
}
