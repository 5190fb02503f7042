// Menus are <details class=menu>: they open without scripts; with them they also close as people expect.

export function listenToMenus(): void {
  document.addEventListener("click", (event) => closeBut(event.target));
  document.addEventListener("focusin", (event) => closeBut(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      if (menu.contains(document.activeElement)) menu.querySelector("summary")?.focus();
    }
  });
}

const open = () => document.querySelectorAll<HTMLDetailsElement>("details.menu[open]");

function closeBut(target: EventTarget | null): void {
  for (const menu of open()) if (!(target instanceof Node && menu.contains(target))) menu.open = false;
}
