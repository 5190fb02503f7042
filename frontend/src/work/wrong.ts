// What is wrong with an answer stands in a list beside it, [data-wrong=id of the control]; the control says so, too.

export function listenToWrong(): void {
  document.addEventListener("htmx:load", (event) => {
    const list = (event as CustomEvent<{ elt: Element }>).detail.elt;
    const control = list instanceof HTMLElement && document.getElementById(list.dataset.wrong ?? "");
    if (!control) return;
    if (list.childElementCount) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  });
}
