// A button that copies a link: data-copy holds the address (this page's where empty), data-copied what to say then.
import { h } from "../shared/html.ts";

export function enhanceCopy(button: HTMLButtonElement): void {
  const said = h("span", { role: "status", class: "copied" });
  button.after(said);
  button.hidden = false; // without scripts it would do nothing, so the page hides it
  button.addEventListener("click", async () => {
    const address = new URL(button.dataset.copy || location.href, document.baseURI).href;
    said.replaceChildren((await copy(address)) ? (button.dataset.copied ?? "✓") : shown(address));
  });
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no permission, or a page without HTTPS
  }
}

/** The address in a field, to be copied by hand. */
function shown(address: string): HTMLInputElement {
  const field = h("input", { readonly: true, value: address, dir: "ltr" });
  queueMicrotask(() => field.select());
  return field;
}
