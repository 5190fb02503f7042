// Says what has changed to those who do not see it: the text of [data-announce] in what htmx brings.
import { h } from "../shared/html.ts";

const line = h("p", { role: "status", class: "hidden" });

/** Puts a sentence into a line that stays in the page (a line that is itself replaced is not read out). */
export function announce(text: string): void {
  if (!line.isConnected) document.body.append(line);
  if (text && line.textContent !== text) line.textContent = text;
}

export function listenToChanges(): void {
  if (!line.isConnected) document.body.append(line);
  document.addEventListener("htmx:load", (event) => {
    const part = (event as CustomEvent<{ elt: Element }>).detail.elt;
    const said = part.matches("[data-announce]") ? part : part.querySelector("[data-announce]");
    if (said instanceof HTMLElement) announce(said.dataset.announce ?? "");
  });
}
