// The list of places beside the map: the way to it by keyboard, and what it says of the chosen one, kept in the address.
import { h, newId } from "../shared/html.ts";
import { say, type Words } from "../shared/stage.ts";
import type { Place } from "./document.ts";

const KEY = "place";

export interface Chooser {
  element: HTMLElement;
  choose: (id: string) => void;
}

/** A select with a line that says value and interval. `chosen` hears of every change, also of the address. */
export function makeChooser(places: Place[], words: Words, chosen: (place: Place | undefined) => void): Chooser {
  const byId = new Map(places.map((place) => [place.id, place]));
  const id = newId("map-place");
  const options = places.map((place) => h("option", { value: place.id }, place.name));
  const select = h("select", { id, change: () => pick(select.value, true) });
  select.append(h("option", { value: "" }, say(words, "choose")), ...options);
  const said = h("p", { class: "figure-said", role: "status" });
  const pick = (wanted: string, remember: boolean) => {
    const place = byId.get(wanted);
    select.value = place?.id ?? "";
    said.replaceChildren(...(place ? saying(place, words) : []));
    if (remember) writeHash(place?.id);
    chosen(place);
  };
  window.addEventListener("hashchange", () => pick(readHash(), false));
  const element = h("div", { class: "figure-places" }, h("label", { for: id }, say(words, "place")), select, said);
  queueMicrotask(() => pick(readHash(), false));
  return { element, choose: (wanted) => pick(wanted, true) };
}

function saying(place: Place, words: Words): (Node | string)[] {
  const nodes: (Node | string)[] = [
    h("strong", {}, h("bdi", {}, place.name)),
    " ",
    h("bdi", {}, place.label ?? ""),
    " ",
  ];
  const url = place.href ? new URL(place.href, document.baseURI) : undefined;
  if (url?.origin === location.origin) nodes.push(h("a", { href: url.href }, say(words, "open")));
  return nodes;
}

const readHash = (): string => new URLSearchParams(location.hash.slice(1)).get(KEY) ?? "";

/** Keeps the chosen place in the address, without a step back in the history for each. */
function writeHash(place: string | undefined): void {
  const fields = new URLSearchParams(location.hash.slice(1));
  if (place) fields.set(KEY, place);
  else fields.delete(KEY);
  const hash = fields.toString();
  history.replaceState(history.state, "", hash ? `#${hash}` : location.pathname + location.search);
}
