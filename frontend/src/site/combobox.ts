// A field that filters a long select. The select stays the form's value; without scripts it is simply a select.
import { h, newId } from "../shared/html.ts";

/** More hits than this are not listed: type on. */
const MOST = 200;

/** Lower case without accents, so that "medellin" finds Medellín. */
export const folded = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** Every typed word begins or lies within the text. */
export function matches(text: string, typed: string): boolean {
  const whole = folded(text);
  return folded(typed)
    .split(/\s+/)
    .every((word) => whole.includes(word));
}

/** `data-none` says that nothing was found, `data-found` how many (with {n}). */
export function enhanceCombobox(select: HTMLSelectElement): void {
  new Combobox(select);
}

class Combobox {
  private readonly select: HTMLSelectElement;
  private readonly field: HTMLInputElement;
  private readonly list: HTMLUListElement;
  private readonly said = h("span", { role: "status", class: "hidden" });
  private active = -1;

  constructor(select: HTMLSelectElement) {
    this.select = select;
    const id = newId("combobox");
    this.list = h("ul", { id: `${id}-list`, role: "listbox", hidden: true, class: "combobox-list" });
    this.field = h("input", {
      id,
      role: "combobox",
      autocomplete: "off",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": this.list.id,
      value: select.selectedOptions[0]?.label ?? "",
      disabled: select.disabled,
      input: () => this.open(this.field.value),
      click: () => this.open(""),
      focus: () => this.field.select(),
      blur: () => this.close(),
      keydown: (event) => this.key(event as KeyboardEvent),
    });
    this.list.addEventListener("pointerdown", (event) => this.point(event));
    this.takeLabel(id);
    select.after(h("span", { class: "combobox" }, this.field, this.list, this.said));
    select.hidden = true;
    select.addEventListener("change", () => this.close());
    select.form?.addEventListener("reset", () => queueMicrotask(() => this.close()));
  }

  /** The select's label names the field now. */
  private takeLabel(id: string): void {
    const labels = [...this.select.labels];
    for (const label of labels) if (label.htmlFor) label.htmlFor = id;
    const name = this.select.getAttribute("aria-label") ?? labels[0]?.firstChild?.textContent?.trim();
    if (name) this.list.setAttribute("aria-label", name);
    for (const attribute of ["aria-label", "aria-labelledby", "aria-describedby"]) {
      const value = this.select.getAttribute(attribute);
      if (value) this.field.setAttribute(attribute, value);
    }
  }

  private open(typed: string): void {
    const found = [...this.select.options].filter((option) => !option.disabled && matches(option.label, typed));
    const items = found.slice(0, MOST).map((option) => this.item(option));
    const { none = "–", found: some = "{n}" } = this.select.dataset;
    this.said.textContent = found.length ? some.replace("{n}", String(found.length)) : none;
    if (!items.length) items.push(h("li", { class: "note", role: "option", "aria-disabled": "true" }, none));
    this.list.replaceChildren(...items);
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    this.activate(typed && found.length ? 0 : found.findIndex((option) => option.selected));
  }

  private item(option: HTMLOptionElement): HTMLLIElement {
    const attributes = { id: newId("option"), role: "option", "aria-selected": String(option.selected) };
    return h("li", { ...attributes, "data-index": String(option.index), dir: "auto" }, option.label);
  }

  /** Ends the list and shows what is chosen now. */
  private close(): void {
    this.list.hidden = true;
    this.active = -1;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
    this.field.value = this.select.selectedOptions[0]?.label ?? "";
  }

  private activate(index: number): void {
    const items = [...this.list.children];
    items[this.active]?.classList.remove("active");
    this.active = Math.max(-1, Math.min(index, items.length - 1));
    const item = items[this.active];
    item?.classList.add("active");
    item?.scrollIntoView({ block: "nearest" });
    if (item?.id) this.field.setAttribute("aria-activedescendant", item.id);
    else this.field.removeAttribute("aria-activedescendant");
  }

  private key(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      if (this.list.hidden) this.open("");
      else this.activate(Math.max(0, this.active + step));
    } else if (this.list.hidden) {
      return;
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.choose(this.list.children[this.active]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.close();
      this.field.select();
    }
  }

  private point(event: Event): void {
    event.preventDefault(); // the field keeps the focus
    this.choose(event.target instanceof Element ? event.target.closest("li") : null);
  }

  private choose(item: Element | null | undefined): void {
    const index = item instanceof HTMLElement ? item.dataset.index : undefined;
    if (index === undefined) return;
    const changed = this.select.selectedIndex !== Number(index);
    this.select.selectedIndex = Number(index);
    this.close();
    if (!changed) return;
    for (const type of ["input", "change"]) this.select.dispatchEvent(new Event(type, { bubbles: true }));
  }
}
