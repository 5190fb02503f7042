// Makes elements. Text is always set as text: nothing that comes from data is ever read as HTML.

type Attributes = Record<string, string | boolean | ((event: Event) => void)>;

/** An element with attributes (a function listens to that event) and children; strings become text. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

let made = 0;
/** An id that no other element has. */
export const newId = (word: string): string => `${word}-${++made}`;
