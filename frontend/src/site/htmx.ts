// htmx as a strict policy wants it: no eval, no inline styles, no scripts in answers, no other site, nothing stored.
import htmx from "htmx.org";

Object.assign(htmx.config, {
  allowEval: false,
  allowScriptTags: false,
  includeIndicatorStyles: false, // site.css has them
  selfRequestsOnly: true,
  historyCacheSize: 0, // private pages never go into the browser's storage
  refreshOnHistoryMiss: true,
  scrollBehavior: "auto",
});

/** Django's token, from any form of the page, on what changes something here. */
document.addEventListener("htmx:configRequest", (event) => {
  const { detail } = event as CustomEvent<{ verb: string; headers: Record<string, string> }>;
  const field = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]");
  if (field && detail.verb !== "get") detail.headers["X-CSRFToken"] = field.value;
});

// What is being replaced says so to those who do not see it.
const busy = (event: Event, on: boolean) => {
  const target = (event as CustomEvent<{ target?: Element }>).detail.target;
  if (on) target?.setAttribute("aria-busy", "true");
  else target?.removeAttribute("aria-busy");
};
document.addEventListener("htmx:beforeRequest", (event) => busy(event, true));
document.addEventListener("htmx:afterRequest", (event) => busy(event, false));

export default htmx;
