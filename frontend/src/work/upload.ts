// Uploads: form[data-upload] shows how far they are, refuses too large a file before it is sent, and takes files dropped on it.
import { h } from "../shared/html.ts";

const formOf = (event: Event) => {
  const target = event.target instanceof Element ? event.target.closest("form[data-upload]") : null;
  return target instanceof HTMLFormElement ? target : undefined;
};

export function listenToUploads(): void {
  document.addEventListener("htmx:xhr:progress", (event) => {
    const { loaded, total, lengthComputable } = (event as CustomEvent<ProgressEvent>).detail;
    const form = formOf(event);
    if (form && lengthComputable) showProgress(form, loaded / total);
  });
  document.addEventListener("htmx:afterRequest", (event) => formOf(event)?.querySelector(".upload-progress")?.remove());
  document.addEventListener("change", (event) => {
    const form = formOf(event);
    if (form && event.target instanceof HTMLInputElement && event.target.type === "file") check(form, event.target);
  });
  document.addEventListener("dragover", (event) => formOf(event) && event.preventDefault());
  document.addEventListener("drop", drop);
}

/** A bar named by `data-uploading`; what is sent is not yet read, so it ends at "all sent". */
function showProgress(form: HTMLFormElement, share: number): void {
  const name = form.dataset.uploading ?? "";
  let bar = form.querySelector<HTMLProgressElement>(".upload-progress");
  if (!bar) {
    bar = h("progress", { class: "upload-progress", max: "1", "aria-label": name });
    form.append(bar);
  }
  bar.value = share;
}

/** The browser's own message at the field, so that nothing is sent and the reason is read out. */
function check(form: HTMLFormElement, field: HTMLInputElement): void {
  const most = Number(form.dataset.maxBytes ?? Number.POSITIVE_INFINITY);
  const large = [...(field.files ?? [])].find((file) => file.size > most);
  field.setCustomValidity(large ? (form.dataset.tooLarge ?? "> {max}").replace("{name}", large.name) : "");
  field.reportValidity();
}

function drop(event: DragEvent): void {
  const field = formOf(event)?.querySelector<HTMLInputElement>("input[type=file]");
  if (!field || !event.dataTransfer?.files.length) return;
  event.preventDefault();
  const files = new DataTransfer();
  for (const file of [...event.dataTransfer.files].slice(0, field.multiple ? undefined : 1)) files.items.add(file);
  field.files = files.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}
