// Colours of the page: read from the custom properties of hub.css, and told when light turns into dark.

/** What a chart or a map may ask for, and what stands in where the page does not define it. */
const FALLBACK = {
  paper: "#ffffff",
  ink: "#1b2326",
  muted: "#566066",
  line: "#dcdfdd",
  "line-strong": "#777f83",
  accent: "#0b5c7a",
  second: "#9a4f08",
  third: "#4d6b1f",
  fourth: "#75508f",
  "amount-1": "#fee838",
  "amount-2": "#b9ad70",
  "amount-3": "#7d7c78",
  "amount-4": "#424f6b",
  "amount-5": "#00204d",
  "change-1": "#5e3c99",
  "change-2": "#b2abd2",
  "change-3": "#ece9ee",
  "change-4": "#fdb863",
  "change-5": "#c05200",
  "map-line": "#ffffff",
  "map-land": "#eceeea",
  "map-none": "#fafaf8",
  hatch: "#ffffff",
  "hatch-edge": "#222222",
} as const;

export type TokenName = keyof typeof FALLBACK;
export type Tokens = Record<TokenName, string> & { font: string };

/** All colours as they are at this element now, as `#rrggbb` or `rgba(…)`: drawing libraries read no newer notation. */
export function tokensAt(element: HTMLElement): Tokens {
  const probe = document.createElement("span");
  probe.hidden = true;
  element.append(probe);
  const style = getComputedStyle(probe);
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colours = Object.entries(FALLBACK).map(([name, fallback]) => {
    probe.style.color = `var(--${name}, ${fallback})`;
    return [name, plain(pen, style.color)] as const;
  });
  const font = style.fontFamily;
  probe.remove();
  return { ...Object.fromEntries(colours), font } as Tokens;
}

/** Any CSS colour in the notation of 1996. */
function plain(pen: CanvasRenderingContext2D | null, colour: string): string {
  if (!pen) return colour;
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0, a = 255] = pen.getImageData(0, 0, 1, 1).data;
  if (a < 255) return `rgba(${r},${g},${b},${(a / 255).toFixed(3)})`;
  return `#${[r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

/** Calls when the colours may have changed: the system's wish, printing. Returns how to stop it. */
export function onTheme(changed: () => void): () => void {
  const media = ["(prefers-color-scheme: dark)", "print"].map((query) => matchMedia(query));
  for (const query of media) query.addEventListener("change", changed);
  return () => {
    for (const query of media) query.removeEventListener("change", changed);
  };
}

export const calm = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;
