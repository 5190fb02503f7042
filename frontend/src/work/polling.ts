// Progress of jobs: [data-poll] asks by htmx; not while the tab is hidden, and it says when the hub does not answer.
import { h } from "../shared/html.ts";

type Asked = CustomEvent<{ elt: Element; successful?: boolean }>;

const polling = (event: Event) => {
  const element = (event as Asked).detail.elt;
  return element instanceof HTMLElement && element.matches("[data-poll]") ? element : undefined;
};

export function listenToPolling(): void {
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (polling(event) && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const element = polling(event);
    if ((event as Asked).detail.successful) found(element);
    else lost(element);
  });
}

/** `data-lost` says that the connection is gone, and that the job goes on without it. */
function lost(element: HTMLElement | undefined): void {
  if (!element || element.querySelector(":scope > .poll-lost")) return;
  element.append(h("p", { class: "poll-lost note", role: "status" }, element.dataset.lost ?? "…"));
}

function found(element: HTMLElement | undefined): void {
  element?.querySelector(":scope > .poll-lost")?.remove();
}
