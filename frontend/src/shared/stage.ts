// What charts and maps share: the place to draw in, the switch between drawing and table, buttons, failure.
import { h } from "./html.ts";

export type Words = Record<string, string>;

/** A word of the page's language; where the server forgot it, its key shows in the page, so that somebody notices. */
export const say = (words: Words, key: string): string => words[key] ?? key;

export interface Stage {
  figure: HTMLElement;
  drawing: HTMLElement; // left to right in every language: drawing libraries know no other
  bar: HTMLElement;
  title: string;
}

/** Puts bar and drawing under the caption. What stood in the figure (a table, a text) stays, behind the switch. */
export function makeStage(figure: HTMLElement, kind: "chart" | "map", words: Words): Stage {
  const caption = figure.querySelector("figcaption");
  const rest = [...figure.children].filter((child): child is HTMLElement => child !== caption);
  const drawing = h("div", { class: "figure-drawing", dir: "ltr" });
  const body = h("div", { class: "figure-body" }, drawing);
  const bar = h("div", { class: "figure-bar" });
  if (caption) caption.after(bar, body);
  else figure.prepend(bar, body);
  if (rest.length) bar.append(makeSwitch(figure, [body], rest, kind, words));
  return { figure, drawing, bar, title: caption?.textContent?.trim() ?? "" };
}

function makeSwitch(figure: HTMLElement, drawn: HTMLElement[], rest: HTMLElement[], kind: string, words: Words) {
  const show = (table: boolean) => {
    for (const element of drawn) element.hidden = table;
    for (const element of rest) element.hidden = !table;
    first.setAttribute("aria-pressed", String(!table));
    second.setAttribute("aria-pressed", String(table));
  };
  const button = (key: string, table: boolean) =>
    h("button", { type: "button", click: () => show(table) }, say(words, key));
  const first = button(kind, false);
  const second = button("table", true);
  show(figure.dataset.view === "table");
  return h("div", { class: "figure-switch", role: "group", "aria-label": say(words, "view") }, first, second);
}

/** A button of the bar. */
export function addButton(stage: Stage, label: string, act: () => void): HTMLButtonElement {
  const button = h("button", { type: "button", click: act }, label);
  stage.bar.append(button);
  return button;
}

type Enhance = (figure: HTMLElement) => Promise<void>;

/** Enhances each figure of this kind once, also those that htmx brings later. A figure that fails keeps its table. */
export function eachFigure(selector: string, enhance: () => Promise<Enhance>): void {
  const begin = async (figure: HTMLElement) => {
    if (figure.dataset.state) return;
    figure.dataset.state = "loading";
    try {
      await (await enhance())(figure);
      figure.dataset.state = "drawn";
    } catch (error) {
      fail(figure, error);
    }
  };
  const scan = () => document.querySelectorAll<HTMLElement>(selector).forEach(begin);
  document.addEventListener("htmx:load", scan);
  scan();
}

function fail(figure: HTMLElement, error: unknown): void {
  console.warn("A figure could not be drawn; its table stays.", error);
  figure.dataset.state = "failed";
  for (const made of figure.querySelectorAll(".figure-bar, .figure-body")) made.remove();
  for (const child of figure.children) (child as HTMLElement).hidden = false;
  if (figure.dataset.failed) figure.append(h("p", { class: "note", role: "status" }, figure.dataset.failed));
}

/** Calls when the width of an element has changed, once it has settled. */
export function onWidth(element: HTMLElement, changed: (width: number) => void): () => void {
  let known = Math.round(element.clientWidth);
  let waiting = 0;
  const observer = new ResizeObserver(() => {
    const width = Math.round(element.clientWidth);
    if (!width || width === known) return;
    known = width;
    clearTimeout(waiting);
    waiting = window.setTimeout(() => changed(width), 80);
  });
  observer.observe(element);
  return () => observer.disconnect();
}
