// Small images that the map asks for by name: hatchings, and the numbers of clusters.
import type { Map as MapLibre } from "maplibre-gl";
import type { Tokens } from "../shared/tokens.ts";

/** Images are drawn at twice the size for sharp screens. */
const RATIO = 2;
const SIDE = 8 * RATIO;

/** Draws each image when the map first asks for it; a new style (light, dark) asks again. */
export function drawImages(map: MapLibre, tokens: () => Tokens, language: string): void {
  const format = new Intl.NumberFormat(language, { notation: "compact" });
  map.setMissingStyleImageResolver((id) => {
    const image = imageOf(id, tokens(), format);
    if (image && !map.hasImage(id)) map.addImage(id, image, { pixelRatio: RATIO });
  });
}

function imageOf(id: string, tokens: Tokens, format: Intl.NumberFormat): ImageData | undefined {
  if (id === "pattern-unreliable") return hatch(tokens);
  if (id === "pattern-withheld") return cross(tokens);
  if (id.startsWith("number-")) return number(format.format(Number(id.slice(7))), tokens);
  return undefined;
}

function pen(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext("2d");
  if (!context) throw new Error("this browser draws no images");
  return context;
}

/** One diagonal, continued over the corners so that tiles join. */
function diagonal(context: OffscreenCanvasRenderingContext2D, colour: string, width: number, falling = false): void {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  for (const shift of [-SIDE, 0, SIDE]) {
    const [from, to] = falling ? [-1, SIDE + 1] : [SIDE + 1, -1];
    context.moveTo(shift - 1, from);
    context.lineTo(shift + SIDE + 1, to);
  }
  context.stroke();
}

/** A light line with dark edges: it shows on every class. */
function hatch(tokens: Tokens): ImageData {
  const context = pen(SIDE, SIDE);
  diagonal(context, tokens["hatch-edge"], 4.4);
  diagonal(context, tokens.hatch, 2.4);
  return context.getImageData(0, 0, SIDE, SIDE);
}

function cross(tokens: Tokens): ImageData {
  const context = pen(SIDE, SIDE);
  diagonal(context, tokens["line-strong"], 1.6);
  diagonal(context, tokens["line-strong"], 1.6, true);
  return context.getImageData(0, 0, SIDE, SIDE);
}

function number(text: string, tokens: Tokens): ImageData {
  const [width, height] = [48 * RATIO, 16 * RATIO];
  const context = pen(width, height);
  context.font = `600 ${12 * RATIO}px ${tokens.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = tokens.paper;
  context.fillText(text, width / 2, height / 2);
  return context.getImageData(0, 0, width, height);
}
