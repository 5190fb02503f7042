// What stands under the pointer, as text beside it.
import { h } from "../shared/html.ts";

type Handler = (handler: unknown, event: MouseEvent, item: unknown, value: unknown) => void;

/** Shows a text, or the fields of an object one a line, near the pointer and inside the window. */
export function makeTooltip(stage: HTMLElement): Handler {
  const box = h("div", { class: "figure-tip", "aria-hidden": "true", dir: "auto", hidden: true });
  stage.append(box);
  return (_handler, event, _item, value) => {
    const text = lines(value);
    box.hidden = !text;
    if (!text) return;
    box.textContent = text;
    const frame = stage.getBoundingClientRect();
    const room = frame.width - box.offsetWidth;
    box.style.left = `${Math.max(0, Math.min(event.clientX - frame.left + 12, room))}px`;
    box.style.top = `${event.clientY - frame.top + 14}px`;
  };
}

function lines(value: unknown): string {
  if (value === null || value === undefined || value === "") return "";
  if (typeof value !== "object") return String(value);
  return Object.entries(value)
    .map(([key, said]) => `${key}: ${said}`)
    .join("\n");
}
