// Entry of every page: htmx, menus, filters of long lists, copying a link, dialogs. Each page works without it.
import "./css/site.css";
import "./site/htmx.ts";
import { enhanceCombobox } from "./site/combobox.ts";
import { enhanceCopy } from "./site/copy.ts";
import { listenToDialogs } from "./site/dialogs.ts";
import { listenToMenus } from "./site/menus.ts";

const ENHANCED: [string, (element: never) => void][] = [
  ["select[data-combobox]:not([multiple])", enhanceCombobox as (element: never) => void],
  ["button[data-copy]", enhanceCopy as (element: never) => void],
];
const seen = new WeakSet<Element>();

function enhance(): void {
  for (const [selector, begin] of ENHANCED) {
    for (const element of document.querySelectorAll(selector)) {
      if (!seen.has(element)) begin(element as never);
      seen.add(element);
    }
  }
}

listenToDialogs();
listenToMenus();
document.addEventListener("htmx:load", enhance);
enhance();
