// Dialogs of the browser: [data-opens="id"] shows one, [data-closes] inside it ends it. Escape and focus are the browser's.

export function listenToDialogs(): void {
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const opener = event.target.closest<HTMLElement>("[data-opens]");
    const dialog = opener && document.getElementById(opener.dataset.opens ?? "");
    if (dialog instanceof HTMLDialogElement) {
      event.preventDefault(); // a link without scripts
      if (!dialog.open) dialog.showModal();
    }
    const closer = event.target.closest("[data-closes]");
    closer?.closest("dialog")?.close();
  });
}
