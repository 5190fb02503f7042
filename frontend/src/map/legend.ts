// The legend: a list in the page, in the page's language and direction, of what this map shows.
import { h } from "../shared/html.ts";
import { say } from "../shared/stage.ts";
import { statusOf, tokenOf } from "./classes.ts";
import type { MapDocument, Place } from "./document.ts";

export function makeLegend(document: MapDocument, places: Place[]): HTMLElement {
  const count = document.classes.length;
  const item = (swatch: string, text: string) =>
    h("li", {}, h("span", { class: `swatch ${swatch}`, "aria-hidden": "true" }), h("bdi", {}, text));
  const items = document.classes.map((label, index) => item(`swatch-${tokenOf(index, count, document.scale)}`, label));
  const found = new Set(places.map((place) => statusOf(place, document.limits)));
  for (const status of ["unreliable", "withheld", "none"] as const) {
    if (found.has(status)) items.push(item(`swatch-${status}`, say(document.words ?? {}, status)));
  }
  return h("ul", { class: "figure-key" }, ...items);
}
