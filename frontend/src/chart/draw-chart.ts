// Draws a chart into its figure, anew when width or colours change, and saves it as an image.
import { type Loader, loader, parse, View, Warn } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";
import { h } from "../shared/html.ts";
import { load } from "../shared/load.ts";
import { addButton, makeStage, onWidth, type Stage, say } from "../shared/stage.ts";
import { onTheme, type Tokens, tokensAt } from "../shared/tokens.ts";
import { configOf } from "./config.ts";
import type { ChartDocument } from "./document.ts";
import { specOf } from "./kinds.ts";
import { makeTooltip } from "./tooltip.ts";

/** Width (px) of downloaded images, whatever the window. */
const SAVED_WIDTH = 800;

export async function drawChart(figure: HTMLElement): Promise<void> {
  const document = await load<ChartDocument>(figure.dataset.chart ?? "");
  if (!document.spec && !document.rows) throw new Error("the document of a chart needs rows or a spec");
  const stage = makeStage(figure, "chart", document.words ?? {});
  const holder = h("div", { "aria-hidden": "true" }); // Vega gives its marks roles without names
  stage.drawing.append(h("div", { role: "img", "aria-label": stage.title }, holder));
  addKey(stage, document);
  addDownloads(stage, document);
  await keepDrawn(stage, holder, document);
}

/** Draws now and after each change; lets go once the figure has left the page. Hidden figures wait until they show. */
async function keepDrawn(stage: Stage, holder: HTMLElement, document: ChartDocument): Promise<void> {
  const tooltip = makeTooltip(stage.drawing);
  let view: View | undefined;
  const draw = async () => {
    view?.finalize();
    if (!stage.figure.isConnected) return stop();
    if (!stage.drawing.clientWidth) return;
    const tokens = tokensAt(stage.figure);
    view = makeView(specOf(document, tokens, stage.drawing.clientWidth), tokens, document);
    view.initialize(holder).tooltip(tooltip);
    await view.runAsync();
  };
  const stops = [onTheme(draw), onWidth(stage.drawing, draw)];
  const stop = () => stops.forEach((one) => void one());
  await draw();
}

/** A view that runs under a policy without eval, and reads no other site. */
function makeView(spec: TopLevelSpec, tokens: Tokens, document: ChartDocument): View {
  const config = configOf(tokens, document.language ?? (window.document.documentElement.lang || "en"));
  const runtime = parse(compile(spec, { config }).spec, undefined, { ast: true });
  return new View(runtime, {
    expr: expressionInterpreter,
    loader: ownLoader(),
    logLevel: Warn,
    renderer: "svg",
    hover: false,
  } as never);
}

function ownLoader(): Loader {
  const own = loader();
  own.load = async (uri: string) => JSON.stringify(await load<unknown>(uri));
  own.sanitize = async () => {
    throw new Error("charts open no addresses");
  };
  return own;
}

/** What the marks of unreliable and withheld values look like, in words. */
function addKey(stage: Stage, document: ChartDocument): void {
  const notes = notesOf(document);
  if (!notes.length) return;
  const items = notes.map(([mark, text]) => h("li", {}, h("span", { "aria-hidden": "true" }, mark), ` ${text}`));
  stage.drawing.after(h("ul", { class: "figure-key" }, ...items));
}

function notesOf(document: ChartDocument): [string, string][] {
  const has = (status: string) => document.rows?.some((row) => row.status === status);
  const words = document.words ?? {};
  const notes: [string, string][] = [];
  if (has("unreliable")) notes.push(["○", say(words, "unreliable")]);
  if (has("withheld") && document.kind === "trend") notes.push(["×", say(words, "withheld")]);
  return notes;
}

function addDownloads(stage: Stage, document: ChartDocument): void {
  const words = document.words ?? {};
  const save = async (kind: "png" | "svg") => {
    const view = makeView(imageSpec(stage, document), tokensAt(stage.figure), document);
    await view.runAsync();
    const blob = kind === "svg" ? new Blob([await view.toSVG()], { type: "image/svg+xml" }) : await png(view);
    view.finalize();
    offer(blob, `${document.file ?? "chart"}.${kind}`);
  };
  for (const kind of ["png", "svg"] as const) addButton(stage, say(words, kind), () => void save(kind));
}

async function png(view: View): Promise<Blob> {
  const canvas = (await view.toCanvas(2)) as unknown as HTMLCanvasElement;
  return new Promise((done, failed) =>
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the image could not be written"))), "image/png"),
  );
}

/** The chart as it stands alone: with title, notes and source inside, on paper. */
function imageSpec(stage: Stage, document: ChartDocument): TopLevelSpec {
  const tokens = tokensAt(stage.figure);
  const spec = specOf(document, tokens, SAVED_WIDTH);
  const notes = notesOf(document).map(([mark, text]) => `${mark} ${text}`);
  const subtitle = [document.unit ?? "", ...notes, document.source ?? ""].filter(Boolean);
  const title = { text: stage.title, subtitle, color: tokens.ink, fontSize: 16, offset: 12 };
  return { ...spec, title, background: tokens.paper, padding: 16 } as TopLevelSpec;
}

function offer(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
