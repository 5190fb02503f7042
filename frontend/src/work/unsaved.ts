// Warns before leaving a form[data-unsaved] that was changed and not sent.

const known = new WeakMap<HTMLFormElement, string>();
const forms = () => document.querySelectorAll<HTMLFormElement>("form[data-unsaved]");

/** What is in a form, to compare; of a file its name, size and date. */
export function contents(form: HTMLFormElement): string {
  const fields = [...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken");
  const told = (value: FormDataEntryValue) =>
    typeof value === "string" ? value : [value.name, value.size, value.lastModified];
  return JSON.stringify(fields.map(([name, value]) => [name, told(value)]));
}

function remember(): void {
  for (const form of forms()) if (!known.has(form)) known.set(form, contents(form));
}

function changed(form: HTMLFormElement): boolean {
  const before = known.get(form);
  return before !== undefined && before !== contents(form);
}

export function listenToUnsaved(): void {
  remember();
  document.addEventListener("htmx:load", remember);
  document.addEventListener("submit", (event) => {
    if (event.target instanceof HTMLFormElement && !event.defaultPrevented) known.delete(event.target);
  });
  // A form that htmx sent has been saved once the hub took it; a preview asked for by a field has not.
  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, successful } = (event as CustomEvent<{ elt: Element; successful?: boolean }>).detail;
    const saving = elt instanceof HTMLFormElement && elt.matches("[data-unsaved]") && !elt.matches("[data-preview]");
    if (saving && successful) known.set(elt, contents(elt));
  });
  window.addEventListener("beforeunload", (event) => {
    if ([...forms()].some(changed)) event.preventDefault();
  });
}
