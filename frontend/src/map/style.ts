// The layers of a map. No text layer: labels are HTML, so no fonts are fetched and every script is shaped by the browser.
import type { LayerSpecification, SourceSpecification, StyleSpecification } from "maplibre-gl";
import type { Tokens } from "../shared/tokens.ts";
import { among, colours, statusOf } from "./classes.ts";
import type { MapDocument, Place } from "./document.ts";

export interface Data {
  areas?: GeoJSON.GeoJSON;
  points?: GeoJSON.GeoJSON;
}

const CLUSTER = ["has", "point_count"] as never;

export function styleOf(document: MapDocument, places: Place[], data: Data, tokens: Tokens): StyleSpecification {
  return {
    version: 8,
    sources: sourcesOf(document, data),
    layers: [
      { id: "paper", type: "background", paint: { "background-color": tokens.paper } },
      ...(document.basemap ? [{ id: "basemap", type: "raster", source: "basemap" } as LayerSpecification] : []),
      ...areaLayers(document, places, tokens),
      ...(data.points ? pointLayers(tokens) : []),
    ],
    transition: { duration: 0, delay: 0 },
  };
}

function sourcesOf(document: MapDocument, data: Data): Record<string, SourceSpecification> {
  const sources: Record<string, SourceSpecification> = {};
  if (document.pmtiles) sources.areas = { type: "vector", url: `pmtiles://${absolute(document.pmtiles.url)}` };
  else if (data.areas) sources.areas = { type: "geojson", data: data.areas, tolerance: 0.2 };
  if (data.points) sources.points = { type: "geojson", data: data.points, cluster: true, clusterRadius: 44 };
  const { tiles, tileSize } = document.basemap ?? {};
  if (tiles) sources.basemap = { type: "raster", tiles: tiles.map(absolute), tileSize: tileSize ?? 256 };
  return sources;
}

// The braces of {z}/{x}/{y} must stay as they are.
const absolute = (address: string) =>
  new URL(address, window.document.baseURI).href.replace(/%7B/gi, "{").replace(/%7D/gi, "}");

function areaLayers(document: MapDocument, places: Place[], tokens: Tokens): LayerSpecification[] {
  const idsOf = (status: string) =>
    places.filter((one) => statusOf(one, document.limits) === status).map((one) => one.id);
  const withheld = among(document, idsOf("withheld"));
  const layer = document.pmtiles ? { "source-layer": document.pmtiles.layer } : {};
  const area = { source: "areas", ...layer };
  const opacity = document.basemap ? 0.8 : 1;
  const edge = (id: string, color: string, width: number): LayerSpecification => ({
    id,
    type: "line",
    ...area,
    filter: among(document, []),
    layout: { "line-join": "round" },
    paint: { "line-color": color, "line-width": width },
  });
  return [
    {
      id: "areas",
      type: "fill",
      ...area,
      paint: { "fill-color": colours(document, places, tokens), "fill-opacity": opacity },
    },
    { id: "withheld-ground", type: "fill", ...area, filter: withheld, paint: { "fill-color": tokens["map-land"] } },
    { id: "withheld", type: "fill", ...area, filter: withheld, paint: { "fill-pattern": "pattern-withheld" } },
    {
      id: "unreliable",
      type: "fill",
      ...area,
      filter: among(document, idsOf("unreliable")),
      paint: { "fill-pattern": "pattern-unreliable" },
    },
    { id: "edges", type: "line", ...area, paint: { "line-color": tokens["line-strong"], "line-width": 0.7 } },
    edge("hovered", tokens.ink, 2),
    edge("selected-ground", tokens.paper, 6),
    edge("selected", tokens.accent, 3.5),
  ];
}

function pointLayers(tokens: Tokens): LayerSpecification[] {
  const circle = { "circle-color": tokens.accent, "circle-stroke-color": tokens.paper, "circle-stroke-width": 1.5 };
  const size = ["step", ["get", "point_count"], 12, 10, 16, 100, 21, 1000, 27] as never;
  return [
    { id: "clusters", type: "circle", source: "points", filter: CLUSTER, paint: { ...circle, "circle-radius": size } },
    {
      id: "cluster-counts",
      type: "symbol",
      source: "points",
      filter: CLUSTER,
      layout: {
        "icon-image": ["concat", "number-", ["to-string", ["get", "point_count"]]],
        "icon-allow-overlap": true,
      },
    },
    {
      id: "points",
      type: "circle",
      source: "points",
      filter: ["!", CLUSTER] as never,
      paint: { ...circle, "circle-radius": 5 },
    },
  ];
}
