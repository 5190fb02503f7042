// Draws a map into its figure: areas in classes, hatchings, clusters of points; hover, choice, light and dark.
import "maplibre-gl/dist/maplibre-gl.css";
import * as maplibre from "maplibre-gl";
import workerAddress from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { h } from "../shared/html.ts";
import { load } from "../shared/load.ts";
import { addButton, makeStage, type Stage, say, type Words } from "../shared/stage.ts";
import { calm, onTheme, tokensAt } from "../shared/tokens.ts";
import { among } from "./classes.ts";
import type { MapDocument, Place } from "./document.ts";
import { makeLegend } from "./legend.ts";
import { drawImages } from "./patterns.ts";
import { makeChooser } from "./places.ts";
import { type Data, styleOf } from "./style.ts";

maplibre.setWorkerUrl(new URL(workerAddress, location.href).href); // a file of this site: worker-src 'self'

type Choose = (id: string) => void;

export async function drawMap(figure: HTMLElement): Promise<void> {
  const document = await load<MapDocument>(figure.dataset.map ?? "");
  const [places, data] = await Promise.all([placesOf(document), dataOf(document)]);
  if (document.pmtiles) await readTiles();
  const words = document.words ?? {};
  const stage = makeStage(figure, "map", words);
  const canvas = h("div", { class: "figure-map" });
  stage.drawing.append(canvas);
  let tokens = tokensAt(figure);
  const style = () => styleOf(document, places, data, tokens);
  const map = makeMap(canvas, document, style(), stage.title);
  drawImages(map, () => tokens, languageOf(document));
  const [choose, mark] = connect(stage, map, document, places);
  const stop = onTheme(() => {
    if (!figure.isConnected) return end();
    tokens = tokensAt(figure);
    map.setStyle(style(), { diff: false });
    map.once("style.load", mark);
  });
  const end = () => {
    stop();
    map.remove();
  };
  await new Promise((done) => map.once("load", done));
  mark();
  listen(map, document, places, choose);
}

async function placesOf(document: MapDocument): Promise<Place[]> {
  if (document.values) return (await load<{ places: Place[] }>(document.values)).places;
  return document.places ?? [];
}

async function dataOf(document: MapDocument): Promise<Data> {
  const [areas, points] = await Promise.all(
    [document.geojson, document.points].map((url) => (url ? load<GeoJSON.GeoJSON>(url) : undefined)),
  );
  return { areas, points };
}

let tilesRead = false;
async function readTiles(): Promise<void> {
  if (tilesRead) return;
  tilesRead = true;
  const { Protocol } = await import("pmtiles");
  maplibre.addProtocol("pmtiles", new Protocol({ metadata: false }).tile);
}

const languageOf = (document: MapDocument) => document.language ?? (window.document.documentElement.lang || "en");

function makeMap(container: HTMLElement, document: MapDocument, style: maplibre.StyleSpecification, title: string) {
  const words = document.words ?? {};
  return new maplibre.Map({
    container,
    style,
    bounds: document.bounds,
    fitBoundsOptions: { padding: 12 },
    attributionControl: false,
    renderWorldCopies: false,
    dragRotate: false,
    pitchWithRotate: false,
    cooperativeGestures: true, // a page must scroll past its map
    fadeDuration: calm() ? 0 : 150,
    canvasContextAttributes: { preserveDrawingBuffer: true }, // or the map is white on paper
    locale: uiWords(words, title),
  }).addControl(new maplibre.NavigationControl({ showCompass: false }));
}

/** The words that MapLibre says itself. */
const uiWords = (words: Words, title: string): Record<string, string> => ({
  "Map.Title": title,
  "NavigationControl.ZoomIn": say(words, "zoom_in"),
  "NavigationControl.ZoomOut": say(words, "zoom_out"),
  "Popup.Close": say(words, "close"),
  "CooperativeGesturesHandler.WindowsHelpText": say(words, "scroll"),
  "CooperativeGesturesHandler.MacHelpText": say(words, "scroll_mac"),
  "CooperativeGesturesHandler.MobileHelpText": say(words, "touch"),
});

/** List, legend and buttons around the map. Gives how to choose a place, and how to mark the chosen one again. */
function connect(stage: Stage, map: maplibre.Map, document: MapDocument, places: Place[]): [Choose, () => void] {
  const words = document.words ?? {};
  let chosen: string | undefined;
  const mark = () => {
    const filter = among(document, chosen === undefined ? [] : [chosen]);
    for (const layer of ["selected-ground", "selected"]) if (map.getLayer(layer)) map.setFilter(layer, filter);
    stage.figure.dataset.chosen = chosen ?? "";
  };
  const chooser = makeChooser(places, words, (place) => {
    chosen = place?.id;
    if (map.isStyleLoaded() || map.getLayer("selected")) mark();
  });
  stage.drawing.before(chooser.element);
  stage.drawing.after(makeLegend(document, places));
  if (document.basemap) stage.drawing.after(h("p", { class: "note" }, document.basemap.attribution));
  const animate = !calm();
  addButton(stage, say(words, "whole"), () => void map.fitBounds(document.bounds, { padding: 12, animate }));
  return [chooser.choose, mark];
}

/** Pointer: the area under it is outlined and named; a click chooses it; a click on a cluster opens it. */
function listen(map: maplibre.Map, document: MapDocument, places: Place[], choose: Choose): void {
  const byId = new Map(places.map((place) => [place.id, place]));
  const popup = new maplibre.Popup({ closeButton: false, closeOnClick: false, className: "figure-popup" });
  const idAt = (event: maplibre.MapLayerMouseEvent) =>
    String(event.features?.[0]?.properties?.[document.id ?? "id"] ?? "");
  const leave = () => {
    popup.remove();
    map.setFilter("hovered", among(document, []));
  };
  map.on("mousemove", "areas", (event) => {
    const place = byId.get(idAt(event));
    if (!place) return leave();
    map.setFilter("hovered", among(document, [place.id]));
    popup.setLngLat(event.lngLat).setDOMContent(tip(place)).addTo(map);
  });
  map.on("mouseleave", "areas", leave);
  map.on("click", (event) => {
    const cluster = map.getLayer("clusters") && map.queryRenderedFeatures(event.point, { layers: ["clusters"] })[0];
    if (cluster) return void open(map, cluster);
    const area = map.queryRenderedFeatures(event.point, { layers: ["areas"] })[0];
    choose(String(area?.properties?.[document.id ?? "id"] ?? ""));
  });
}

const tip = (place: Place): HTMLElement =>
  h("div", { dir: "auto" }, h("strong", {}, place.name), h("br"), place.label ?? "");

async function open(map: maplibre.Map, cluster: maplibre.MapGeoJSONFeature): Promise<void> {
  const source = map.getSource("points") as maplibre.GeoJSONSource;
  const zoom = await source.getClusterExpansionZoom(cluster.properties?.cluster_id);
  const center = (cluster.geometry as GeoJSON.Point).coordinates as [number, number];
  map.easeTo({ center, zoom, animate: !calm() });
}
